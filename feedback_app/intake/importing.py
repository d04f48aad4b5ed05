"""Brings a file's records into the ledger: the next ones are parsed while the last ones are being committed."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from feedback_app import failpoints
from feedback_app.intake.records import Incoming, IncomingCustomer, Reject
from feedback_app.store import customers, ratings
from feedback_app.store.ratings import Taken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Future

    from sqlalchemy import Connection

    from feedback_app.clock import Clock
    from feedback_app.store.store import Store


Record = TypeVar("Record", Incoming, IncomingCustomer)
Result = TypeVar("Result")

_CHUNK = 1000  # records a commit
_AHEAD = 4  # chunks that may wait for their commit; bounds memory


@dataclass(slots=True)
class Tally:
    """What became of a file's records so far. `duplicates` of customers are those that were updated."""

    accepted: int = 0
    duplicates: int = 0
    conflicts: int = 0
    rejected: int = 0
    warnings: int = 0  # contact data that was left out


@dataclass(frozen=True, kw_only=True, slots=True)
class Listener:
    """Who wants to hear what happens, as it happens."""

    rejected: Callable[[Reject], None]
    conflicting: Callable[[Incoming], None] = lambda _record: None
    warned: Callable[[int, str], None] = lambda _line, _warning: None  # the record's line, the sentence
    committed: Callable[[Tally], None] = field(default=lambda _tally: None)


async def import_ratings(
    store: Store, records: Iterable[Incoming | Reject], *, clock: Clock, listener: Listener
) -> Tally:
    """Store ratings in the order of the file; each chunk is one commit, so a killed import keeps whole chunks."""
    tally = Tally()

    def count(chunk: Sequence[Incoming], taken: Sequence[Taken]) -> None:
        counts = Counter(taken)
        tally.accepted += counts[Taken.ACCEPTED]
        tally.duplicates += counts[Taken.DUPLICATE]
        tally.conflicts += counts[Taken.CONFLICT]
        if counts[Taken.CONFLICT]:
            for record, became in zip(chunk, taken, strict=True):
                if became is Taken.CONFLICT:
                    listener.conflicting(record)

    def unit(chunk: Sequence[Incoming]) -> Callable[[Connection], list[Taken]]:
        return partial(ratings.take_in, arrivals=chunk, now=clock())

    await _commit_in_chunks(store, records, tally, listener, unit, count)
    return tally


async def import_customers(
    store: Store, records: Iterable[IncomingCustomer | Reject], *, clock: Clock, listener: Listener
) -> Tally:
    """Create or update customers; blanks never overwrite what is known."""
    tally = Tally()

    def count(chunk: Sequence[IncomingCustomer], existed: int) -> None:
        tally.duplicates += existed
        tally.accepted += len(chunk) - existed

    def unit(chunk: Sequence[IncomingCustomer]) -> Callable[[Connection], int]:
        return partial(customers.put, customers=[one.customer for one in chunk], now=clock())

    await _commit_in_chunks(store, records, tally, listener, unit, count)
    return tally


async def _commit_in_chunks(
    store: Store,
    records: Iterable[Record | Reject],
    tally: Tally,
    listener: Listener,
    unit: Callable[[Sequence[Record]], Callable[[Connection], Result]],
    count: Callable[[Sequence[Record], Result], None],
) -> None:
    waiting: deque[tuple[Sequence[Record], Future[Result]]] = deque()

    async def settle_oldest() -> None:
        chunk, committed = waiting.popleft()
        count(chunk, await asyncio.wrap_future(committed))
        listener.committed(tally)
        failpoints.reached("import.committed")

    for chunk in _chunks(_accepted(records, tally, listener)):
        waiting.append((chunk, store.submit(unit(chunk))))
        if len(waiting) > _AHEAD:
            await settle_oldest()
    while waiting:
        await settle_oldest()


def _accepted(records: Iterable[Record | Reject], tally: Tally, listener: Listener) -> Iterator[Record]:
    for record in records:
        if isinstance(record, Reject):
            tally.rejected += 1
            listener.rejected(record)
            continue
        for warning in record.warnings:
            tally.warnings += 1
            listener.warned(record.line, warning)
        yield record


def _chunks(records: Iterator[Record]) -> Iterator[list[Record]]:
    while chunk := list(islice(records, _CHUNK)):
        yield chunk
