"""The copy itself: begin or go on, table by table, then compare, and only then let others use it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from msgspec import msgpack

from feedback_app import failpoints
from feedback_app.errors import BadData, StorageFailed
from feedback_app.store.copying import progress
from feedback_app.store.copying.checking import sum_of
from feedback_app.store.copying.plan import TABLES
from feedback_app.store.copying.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Future

    from sqlalchemy import Connection

    from feedback_app.store.copying.checking import Sum
    from feedback_app.store.copying.ends import Reader, Target
    from feedback_app.store.copying.plan import CopiedTable, Row

_ROWS = 5_000  # in one transaction
_BYTES = 8 * 1024 * 1024  # about; a chunk of long texts has fewer rows


@dataclass(frozen=True, kw_only=True, slots=True)
class Listener:
    """Hears how far a copy is."""

    begun: Callable[[int, int], None]  # rows in all, and how many were there already
    copying: Callable[[str], None]  # the next table
    copied: Callable[[int], None]  # so many rows more are safe
    comparing: Callable[[str], None]  # the next table
    compared: Callable[[int], None]  # so many rows more of either side are read


def copy(source: Reader, target: Target, listener: Listener) -> dict[str, Sum]:
    """Copy what is not there yet, compare everything, return what each table holds.

    Raises BadData for a target that is in use, StorageFailed when the two differ in the end.
    """
    at = _begin(source, target, listener)
    at = _copy_tables(source, target, at, listener)
    target.submit(partial(_carry_numbers, source=source, target=target)).result()
    sums = _compare(source, target, listener)

    def finish(connection: Connection) -> None:
        progress.end(connection, at)
        target.settle(connection)

    target.submit(finish).result()
    return sums


def _begin(source: Reader, target: Target, listener: Listener) -> Progress:
    """Return where to go on; an empty target is made a copy that is not finished yet."""
    ledger_id = source.noted("ledger_id")
    if ledger_id is None:
        raise StorageFailed(f"{source.name}: the ledger has lost its id; restore it from a backup")
    first = Progress(ledger_id)
    with target.look() as there:
        noted = there.unfinished
        at = first if noted is None else Progress.of(noted)
        if at.ledger_id != ledger_id:
            raise BadData(f"{target.name}: an unfinished copy of another ledger; it was left as it is")
        if noted is None:
            _refuse_used(there, ledger_id)
        listener.begun(sum(map(source.count, TABLES)), sum(map(there.count, TABLES)) if noted else 0)
    if noted is None:
        target.submit(partial(_take_possession, first=first)).result()
    return at


def _refuse_used(there: Reader, ledger_id: str) -> None:
    if there.noted("ledger_id") == ledger_id:
        raise BadData(f"{there.name}: this is the ledger already, or a finished copy of it; nothing was done")
    for table in TABLES:
        if table.name != "meta" and there.holds_rows(table):
            raise BadData(
                f"{there.name}: holds a ledger of its own (table {table.name}); it was left as it is; name an empty one"
            )


def _take_possession(connection: Connection, first: Progress) -> None:
    """Drop the new ledger's own id and take the note in its place: nobody else uses it from now on."""
    connection.exec_driver_sql("DELETE FROM meta WHERE substr(key, 1, 7) <> 'commit:'")
    progress.begin(connection, first)


def _copy_tables(source: Reader, target: Target, at: Progress, listener: Listener) -> Progress:
    names = [table.name for table in TABLES]
    pending: tuple[Future[None], int] | None = None
    for table in TABLES[names.index(at.table) if at.table else 0 :]:
        listener.copying(table.name)
        after = at.after if at.table == table.name else None
        for rows in _chunks(source.rows(table, after)):
            now = Progress(at.ledger_id, table.name, list(table.key_of(rows[-1])))
            _settle(pending, listener)  # while one chunk is being written the next one is read
            write = partial(_store, target=target, table=table, rows=rows, before=at, now=now)
            pending, at = (target.submit(write), len(rows)), now
    _settle(pending, listener)
    return at


def _settle(pending: tuple[Future[None], int] | None, listener: Listener) -> None:
    if pending is not None:
        written, count = pending
        written.result()
        listener.copied(count)


def _chunks(pieces: Iterable[Sequence[Row]]) -> Iterator[list[Row]]:
    rows: list[Row] = []
    size = 0
    for piece in pieces:
        rows += piece
        size += len(msgpack.encode(piece))
        if len(rows) >= _ROWS or size >= _BYTES:
            yield rows
            rows, size = [], 0
    if rows:
        yield rows


def _store(
    connection: Connection,
    *,
    target: Target,
    table: CopiedTable,
    rows: Sequence[Row],
    before: Progress,
    now: Progress,
) -> None:
    progress.advance(connection, before, now)
    target.insert(connection, table, rows)
    failpoints.reached("copy.written")


def _carry_numbers(connection: Connection, source: Reader, target: Target) -> None:
    for table in TABLES:
        if table.numbered:
            target.go_on_behind(connection, table, source.highest_number(table))


def _compare(source: Reader, target: Target, listener: Listener) -> dict[str, Sum]:
    sums = {}
    with target.look() as there:
        for table in TABLES:
            listener.comparing(table.name)
            wanted, found = (sum_of(side, table, listener.compared) for side in (source, there))
            if wanted != found:
                raise StorageFailed(
                    f"{target.name}: table {table.name} differs from {source.name} ({found.rows:,} rows,"
                    f" want {wanted.rows:,}); was the source used since the copy began? Empty the target and copy again"
                )
            sums[table.name] = found
    return sums
