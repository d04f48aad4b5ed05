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
from sqlalchemy.exc import DBAPIError

from feedback_app import failpoints
from feedback_app.concurrency import Batcher
from feedback_app.errors import Busy, FeedbackAppError, StorageFailed
from feedback_app.store.engines import BUSY_TIMEOUT_MS, writing_engine
from feedback_app.store.failures import StorageFull, explain, explained

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path

    from feedback_app.store.lock import LedgerLock

T = TypeVar("T")
Unit: TypeAlias = Callable[[Connection], T]

_CHECKPOINT_BYTES = 16 * 1024 * 1024  # of WAL; a reader that is in the way only puts it off


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
        self._wal = path.with_name(path.name + "-wal")
        self.failed: StorageFailed | None = (
            None  # set once the state of the file is unknown; ends all writing
        )
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
                self.failed = known
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
        except (DBAPIError, sqlite3.Error) as error:
            known: FeedbackAppError | None = explain(error, self._path)
            if isinstance(known, StorageFailed):
                self.failed = known
            return known or error
        except Exception as error:  # noqa: BLE001 - it is the caller's, who gets it
            return error

    def _checkpoint(self, threshold: int) -> None:
        """Fold the WAL back into the file when it has grown past `threshold` bytes and the ledger is ours."""
        ours_already = self._lock.held
        try:
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
                self.failed = StorageFailed(f"{self._path}: checkpoint failed: {error}")
        finally:
            driver.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
