"""The one writer of an SQLite file: BEGIN IMMEDIATE … COMMIT with FULL sync, and the log folded back now and then."""

from __future__ import annotations

import sqlite3
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from feedback_app import failpoints
from feedback_app.errors import Busy, FeedbackAppError, StorageFailed, StorageFull
from feedback_app.store.sqlite import place
from feedback_app.store.sqlite.engines import BUSY_TIMEOUT_MS, writing_engine
from feedback_app.store.sqlite.failures import REFUSALS, explain, explained
from feedback_app.store.writer import GroupCommitWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from feedback_app.logs import Outage
    from feedback_app.store.sqlite.lock import LedgerLock

_CHECKPOINT_BYTES = 16 * 1024 * 1024  # of WAL; a reader that is in the way only puts it off
_ROOM_SHARE = 4  # a WAL larger than this part of the free space is folded back, lest it fill a small disk


class SqliteWriter(GroupCommitWriter):
    """`committed` is called in the writer's thread after each commit, `outage` told while nothing can be written."""

    def __init__(
        self,
        path: Path,
        *,
        lock: LedgerLock,
        committed: Callable[[], None] = lambda: None,
        outage: Outage | None = None,
    ) -> None:
        super().__init__(writing_engine(path))
        self._outage = outage
        self._path = path
        self._lock = lock
        self._committed = committed
        self._connection: Connection | None = None
        self._wal = place.wal_of(path)
        self._files: place.Identity | None = None  # see `hold_to_files`

    def fail(self, failure: StorageFailed) -> None:
        """Write no more; files that were replaced are the reason for whatever else was found."""
        super().fail(place.replaced(self._path) if self._is_another() else failure)

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

    def _transaction(self) -> AbstractContextManager[Connection]:
        assert self._connection is not None
        return _begun(self._connection)

    def _explain(self, error: Exception) -> FeedbackAppError | None:
        return explain(error, self._path) if isinstance(error, REFUSALS) else None

    def _is_passing(self, known: FeedbackAppError | None) -> bool:
        # Locked: one by one the units would each wait as long again.
        return isinstance(known, Busy) and not isinstance(known, StorageFull)

    def _after(self, results: list[Any]) -> list[Any]:
        if failed := self.check_files():
            return [failed] * len(results)
        if self._outage is not None:
            busy = next((one for one in results if isinstance(one, Busy)), None)
            if busy is None:
                self._outage.over()
            else:
                self._outage.met(reason=str(busy))
        failpoints.reached("ledger.committed")
        self._committed()
        self._checkpoint(_CHECKPOINT_BYTES)
        return results

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


@contextmanager
def _begun(connection: Connection) -> Iterator[Connection]:
    with connection.begin():
        yield connection
