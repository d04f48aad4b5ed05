"""The one writer: many units of work in one transaction, one fsync for all of them.

A unit of work is a plain function of a connection. It is run in the writer's thread, between BEGIN IMMEDIATE and
COMMIT, perhaps with the units of other callers; its caller hears only after the commit. A batch that fails is
rolled back and its units run one by one, so that one cannot take its neighbours down; a unit may therefore run
twice and must have no effect but on the connection.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from sqlalchemy import Connection, Engine

from feedback_app import failpoints
from feedback_app.concurrency import Batcher
from feedback_app.errors import Busy, FeedbackAppError, StorageFailed
from feedback_app.store import place
from feedback_app.store.engines import BUSY_TIMEOUT_MS, writing_engine
from feedback_app.store.failures import REFUSALS, StorageFull, explain, explained

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path

    from feedback_app.store.lock import LedgerLock

T = TypeVar("T")
Unit: TypeAlias = Callable[[Connection], T]

_CHECKPOINT_BYTES = 16 * 1024 * 1024  # of WAL; a reader that is in the way only puts it off
_ROOM_SHARE = 4  # a WAL larger than this part of the free space is folded back, lest it fill a small disk


class GroupCommitWriter:
    """Owns the writing connection. `start` and `close` belong to the owner, the rest may be called from anywhere.

    `committed` is called in the writer's thread after each commit.
    """

    def __init__(self, path: Path, *, lock: LedgerLock, committed: Callable[[], None] = lambda: None) -> None:
        self._path = path
        self._lock = lock
        self._committed = committed
        self._engine: Engine = writing_engine(path)
        self._connection: Connection | None = None
        self._wal = place.wal_of(path)
        self.failed: StorageFailed | None = None  # once the state of the files is unknown; ends all writing
        self._files: place.Identity | None = None  # see `hold_to_files`
        self._batcher: Batcher[Unit[Any], Any] = Batcher(
            self._run_batch, name="ledger-writer", max_batch=500, setup=self._open, teardown=self._close
        )

    def start(self) -> None:
        """Open the connection in the writer's thread.

        Raises what `explain` makes of the database's refusal.
        """
        self._batcher.start()

    def close(self) -> None:
        """Commit what is queued, then end the thread; idempotent."""
        self._batcher.close()
        self._engine.dispose()

    def submit(self, unit: Unit[T]) -> Future[T]:
        """Queue a unit from any thread; the future holds its result after the commit."""
        return self._batcher.submit(unit)

    async def write(self, unit: Unit[T]) -> T:
        """Queue a unit and wait for its commit; cancelling the wait does not cancel the write."""
        result: T = await self._batcher.post(unit)
        return result

    def fail(self, failure: StorageFailed) -> None:
        """Write no more: somebody, reading perhaps, found that the ledger cannot be trusted. The first one counts."""
        if self.failed is None:
            self.failed = place.replaced(self._path) if self._is_another() else failure

    def hold_to_files(self) -> None:
        """Take the files that are there now for the ledger: what is written to any others is no success.

        Raises StorageFailed when they are gone already.
        """
        self._files = place.identity(self._path, self._wal)
        if self._files is None:
            raise place.replaced(self._path)

    def check_files(self) -> StorageFailed | None:
        """Return why nothing can be written any more, as for files that were replaced or removed; else None.

        SQLite would go on writing into files without a name, which are gone with the process.
        """
        if self._is_another():
            self.fail(place.replaced(self._path))
        return self.failed

    def _is_another(self) -> bool:
        return self._files is not None and place.identity(self._path, self._wal) != self._files

    def _open(self) -> None:
        with explained(self._path):
            self._connection = self._engine.connect()

    def _close(self) -> None:
        if self._connection is not None:
            if self.failed is None:
                self._checkpoint(_CHECKPOINT_BYTES // 16)
            self._connection.close()

    def _run_batch(self, units: Sequence[Unit[Any]]) -> list[Any]:
        results = self._run_together(units)
        if results is None:
            results = [self._run_alone(unit) for unit in units]
        if failed := self.check_files():
            return [failed] * len(units)
        failpoints.reached("ledger.committed")
        self._committed()
        self._checkpoint(_CHECKPOINT_BYTES)
        return results

    def _run_together(self, units: Sequence[Unit[Any]]) -> list[Any] | None:
        """Return the results, or None when the batch was rolled back and may be tried unit by unit."""
        assert self._connection is not None
        if self.failed is not None or len(units) == 1:
            return None
        try:
            with self._connection.begin():
                return [unit(self._connection) for unit in units]
        except Exception as error:  # noqa: BLE001 - one unit's bug must not reach its neighbours
            known = explain(error, self._path)
            if isinstance(known, StorageFailed):
                self.fail(known)
            if isinstance(known, Busy) and not isinstance(known, StorageFull):
                return [known] * len(units)  # locked: one by one they would each wait as long again
            return None

    def _run_alone(self, unit: Unit[Any]) -> Any:
        """Return the result or the exception, which the batcher hands to the unit's caller."""
        assert self._connection is not None
        if self.failed is not None:
            return self.failed
        try:
            with self._connection.begin():
                return unit(self._connection)
        except REFUSALS as error:
            known: FeedbackAppError | None = explain(error, self._path)
            if isinstance(known, StorageFailed):
                self.fail(known)
            return known or error
        except Exception as error:  # noqa: BLE001 - it is the caller's, who gets it
            return error

    def _checkpoint(self, threshold: int) -> None:
        """Fold the WAL back into the file when it has grown past `threshold` bytes and the ledger is ours."""
        ours_already = self._lock.held
        try:
            threshold = min(threshold, place.room(self._wal.parent) // _ROOM_SHARE)
            if self._wal.stat().st_size < threshold or not self._lock.try_acquire("command"):
                return  # not yet, or a daemon runs: it will do it
        except OSError:
            return  # what was committed stays so; whoever may take the lock will do it
        try:
            self._truncate_wal()
        finally:
            if not ours_already:
                self._lock.release()

    def _truncate_wal(self) -> None:
        assert self._connection is not None
        driver = self._connection.connection.driver_connection
        assert driver is not None
        driver.execute("PRAGMA busy_timeout = 0")  # a reader is in the way: later will do
        try:
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            failpoints.reached("ledger.checkpointed")
        except sqlite3.Error as error:
            known = explain(error, self._path)
            if not isinstance(known, Busy):
                self.fail(StorageFailed(f"{self._path}: checkpoint failed: {error}"))
        finally:
            driver.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
