"""The pipeline pool against a real ledger: who is claimed, what a failure leaves behind."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

from msgspec import structs

from feedback_app.model import Customer, Feedback, Message, Outcome
from feedback_app.processing import Processor
from feedback_app.store import ratings
from feedback_app.store.sqlite.store import SqliteStore
from tests.making import NOW, incoming, message
from tests.running import DEADLINE, rows

Decide = Callable[[Feedback, Customer | None], Awaitable[Outcome]]


@contextlib.asynccontextmanager
async def _processing(store: SqliteStore, decide: Decide, now: Callable[[], int]) -> AsyncIterator[Processor]:
    one = Processor(store, decide, workers=4, clock=now, on_commit=lambda _count: None)  # type: ignore[arg-type]
    task = asyncio.create_task(one.conveyor.run())
    try:
        yield one
    finally:
        one.conveyor.stop()
        await asyncio.wait_for(task, DEADLINE)


async def test_a_rating_that_is_tried_again_is_in_hand_once(store: SqliteStore) -> None:
    """While it is being worked on the ledger still shows it as due; nobody may claim it a second time."""
    await store.write(partial(ratings.take_in, arrivals=[incoming("r1")], now=NOW))
    now, tries = NOW, 0
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def fail(_feedback: Feedback, _customer: Customer | None) -> Outcome:
        nonlocal tries
        tries += 1
        if tries > 1:
            begun.set()
            await go_on.wait()
        raise ValueError("cannot read this one")

    async with _processing(store, fail, lambda: now) as one:
        await asyncio.wait_for(one.conveyor.idle(), DEADLINE)
        now += 60_000
        one.conveyor.wake()
        await asyncio.wait_for(begun.wait(), DEADLINE)
        for _ in range(20):  # as many claims as there is room for
            one.conveyor.wake()
            await store.read(ratings.next_retry)
        go_on.set()
        await asyncio.wait_for(one.conveyor.idle(), DEADLINE)
    assert tries == 2
    assert rows(store.path, "SELECT attempts, state FROM feedback") == [(2, "received")]


async def test_an_outcome_that_the_ledger_cannot_hold_takes_no_other_down(store: SqliteStore) -> None:
    """The culprit of a group is found and has failed; the others of the group are done."""
    arrivals = [incoming(f"r{number}") for number in range(1, 8)]
    await store.write(partial(ratings.take_in, arrivals=arrivals, now=NOW))
    bad: dict[int, Any] = {3: ["a list"], 5: "half a character \udcff"}

    async def decide(feedback: Feedback, _customer: Customer | None) -> Outcome:
        _, plain = message(feedback.number, feedback=feedback.number)
        letter: Message = structs.replace(plain, recipient=bad.get(feedback.number, "ada@example.com"))
        return Outcome(feedback=feedback, ended="thanked", analysis={}, keep_low=False, messages=(letter,))

    async with _processing(store, decide, lambda: NOW) as one:
        await asyncio.wait_for(one.conveyor.idle(), DEADLINE)
    assert rows(store.path, "SELECT id FROM feedback WHERE state = 'processed'") == [
        (1,),
        (2,),
        (4,),
        (6,),
        (7,),
    ]
    assert rows(store.path, "SELECT id, attempts FROM feedback WHERE state = 'received'") == [(3, 1), (5, 1)]
    assert rows(store.path, "SELECT feedback_id FROM message ORDER BY 1") == [(1,), (2,), (4,), (6,), (7,)]
    assert "ada@example.com" not in str(
        rows(store.path, "SELECT error FROM feedback WHERE error IS NOT NULL")
    )
