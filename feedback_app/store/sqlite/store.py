"""A ledger in an SQLite file, opened."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Self, TypeVar

from feedback_app.errors import BadConfig, StorageFailed
from feedback_app.logs import Outage
from feedback_app.store import migrate, notes
from feedback_app.store.sqlite import file, holders, place, sizing
from feedback_app.store.sqlite.doorbell import Doorbell, ring
from feedback_app.store.sqlite.engines import reading_engine
from feedback_app.store.sqlite.failures import damaged, explained
from feedback_app.store.sqlite.lock import LedgerLock, daemon_runs
from feedback_app.store.sqlite.writer import SqliteWriter
from feedback_app.store.store import Role, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from concurrent.futures import Future
    from pathlib import Path
    from types import TracebackType

    from sqlalchemy import Connection

    from feedback_app.store.sizes import Room
    from feedback_app.store.writer import GroupCommitWriter, Unit

T = TypeVar("T")

log = logging.getLogger(__name__)

LARGE_WAL = 256 * 1024 * 1024  # bytes; 16 times what is left to grow where nobody is in the way
_STEADY = 5.0  # seconds that writing succeeds until it is said that it does
_PATIENCE = 2.0  # seconds; a command has the lock for the moment of a checkpoint


class SqliteStore(Store):
    """A daemon holds the ledger's lock as long as it is entered, so there is one.

    A command takes it only for the moment of a checkpoint, and rings the daemon's bell after each commit. Entering
    makes the ledger where there is none.
    """

    shared = False

    def __init__(self, path: Path, role: Role = "command") -> None:
        self.path = path
        self.name = str(path)
        self._role = role
        self._lock = LedgerLock(path)

    async def __aenter__(self) -> Self:
        if not place.is_there(self.path):
            file.create(self.path)
        found = file.check(self.path)
        async with AsyncExitStack() as stack:
            stack.callback(self._lock.release)
            if self._role == "daemon":
                await self._take_over()
                found = file.check(self.path)  # again: until then a restore may have put another one there
            # The version is told per connection, so the pool's would answer each by its own count.
            with explained(self.path):
                self._probe = file.looking_at(self.path)
                stack.callback(self._probe.close)
                self._probe.execute("PRAGMA schema_version").fetchall()  # only by reading it opens the log
            file.see_to_wal(self._probe, self.path)
            if found < migrate.HEAD:
                self._migrate(found)
            self._writer = SqliteWriter(
                self.path,
                lock=self._lock,
                committed=self._after_commit,
                outage=_outage() if self._role == "daemon" else None,
            )
            # Blocks the loop: a close that could be cancelled would let go of the lock while the writer still writes.
            stack.callback(self._writer.close)
            self._writer.start()
            self._reader = reading_engine(self.path)
            stack.push_async_callback(self._reader.dispose)
            self.ledger_id = await self.read(partial(_ledger_id, path=self.path))
            self._writer.hold_to_files()
            self._version = self._data_version()
            self._opened = stack.pop_all()
        return self

    async def _take_over(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not self._lock.try_acquire("daemon"):
            if time.monotonic() > deadline:
                raise self._lock.refused()
            await asyncio.sleep(0.05)

    def _migrate(self, found: str) -> None:
        if self._role != "daemon":
            raise BadConfig(
                f"{self.path}: the ledger has schema {found}, this program wants {migrate.HEAD}; "
                "run `feedback-app db upgrade`"
            )
        file.upgrade(self.path)

    def _after_commit(self) -> None:
        if self._role == "command":
            ring(self.path)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Whoever closes a ledger last folds its log back, unless they could not write: after a failure that would
        # be to go on with unknown state, so the probe is the last then. The next start reads the log with care.
        if self.failed is None:
            self._probe.close()
        await self._opened.aclose()

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Run a query on one snapshot, on a connection that cannot write."""
        with self._fail_stop():
            async with self._reader.connect() as connection:
                return await connection.run_sync(query)

    @contextlib.contextmanager
    def _fail_stop(self) -> Iterator[None]:
        """Let nobody write any more once the block found the ledger broken."""
        try:
            with explained(self.path):
                yield
        except StorageFailed as error:
            self._writer.fail(error)
            raise (self.failed or error) from error

    async def write(self, unit: Unit[T]) -> T:
        """Run a unit of work and return its result once it is safe on the disk."""
        return await self._writer.write(unit)

    def submit(self, unit: Unit[T]) -> Future[T]:
        """Do the same from any thread, without waiting."""
        return self._writer.submit(unit)

    @property
    def failed(self) -> StorageFailed | None:
        """Why the ledger cannot be trusted any more, as far as is known; None while all is well."""
        return self._writer.failed

    @property
    def writers(self) -> Mapping[str, GroupCommitWriter]:
        """The one writer."""
        return {"writer": self._writer}

    async def room(self) -> Room:
        """Look at the files."""
        return await asyncio.to_thread(sizing.room_of, self.path)

    def verify(self) -> None:
        """See that nothing has failed and that the files are those that were opened. Raises StorageFailed."""
        if failed := self._writer.check_files():
            raise failed

    def overgrown(self) -> str | None:
        """Say that the ledger's log is too large and who may be the cause, None when it is not."""
        size = place.size(place.wal_of(self.path))
        if size <= LARGE_WAL:
            return None
        pids = ", ".join(map(str, holders.readers_of(self.path))) or "not seen at this moment"
        return (
            f"{place.wal_of(self.path)}: has grown to {size >> 20:,} MiB; it can be folded back when nobody reads"
            f" an old state any more; other processes that read: {pids}"
        )

    def watch(self, heard: Callable[[], None]) -> None:
        """Call `heard` in this event loop whenever another process committed and rang the bell."""
        bell = Doorbell(self.path, heard)
        bell.open()
        self._opened.callback(bell.close)

    def changed(self) -> bool:
        """Whether another process committed since the last call; opens no transaction."""
        before, self._version = self._version, self._data_version()
        return before != self._version

    def _data_version(self) -> int:
        with self._fail_stop():
            return int(self._probe.execute("PRAGMA data_version").fetchone()[0])

    async def running_daemon(self) -> int | None:
        """Ask the lock who holds it."""
        return daemon_runs(self.path)


def _outage() -> Outage:
    return Outage(
        log,
        away="waiting for the ledger",
        still="still waiting for the ledger",
        back="the ledger can be written again",
        steady=_STEADY,
    )


def _ledger_id(connection: Connection, path: Path) -> str:
    found = notes.ledger_id(connection)
    if found is None:
        raise damaged(path, "it has lost its id")
    return found
