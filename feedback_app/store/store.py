"""The ledger as the rest of the program sees it: read something, write something.

`feedback_app.store.ledger` says where it is and opens it; SQLite and PostgreSQL each have a folder of their own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Literal, Self, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future
    from types import TracebackType

    from sqlalchemy import Connection

    from feedback_app.errors import StorageFailed
    from feedback_app.store.sizes import Room
    from feedback_app.store.writer import GroupCommitWriter, Unit

T = TypeVar("T")
Role: TypeAlias = Literal["daemon", "command"]


class Store(ABC):
    """One open ledger. Enter it once; everything it opened is closed on the way out.

    Queries and units of work are plain functions of a connection. A unit may run twice, and then its first run has
    left nothing; it must have no effect but on the connection.

    Entering raises Busy (75) when the ledger is for one daemon and another one runs, BadConfig (78) for a schema that
    this program does not fit, BadData (65) for what is no ledger, CannotCreate (73), NotPermitted (77), Unavailable
    (69), StorageFailed (74).
    """

    name: str  # how the ledger is shown: a path, or a URL without its password
    shared: bool  # whether several daemons may work on it at once, each with leases on what it has in hand
    ledger_id: str = ""  # known once entered

    @abstractmethod
    async def __aenter__(self) -> Self: ...

    @abstractmethod
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @abstractmethod
    async def read(self, query: Callable[[Connection], T]) -> T:
        """Run a query on one snapshot, on a connection that cannot write."""

    @abstractmethod
    async def write(self, unit: Unit[T]) -> T:
        """Run a unit of work and return its result once it is safe on the disk.

        Cancelling the wait does not cancel the write. Raises Busy when it cannot be done now and left nothing,
        StorageFailed when nothing can be trusted any more.
        """

    async def claim(self, unit: Unit[T]) -> T:
        """Do the same with a unit that takes work in hand: it need not wait behind those that finish some."""
        return await self.write(unit)

    @abstractmethod
    def submit(self, unit: Unit[T]) -> Future[T]:
        """Do the same from any thread, without waiting."""

    @abstractmethod
    def watch(self, heard: Callable[[], None]) -> None:
        """Call `heard` in this event loop whenever another process says that it left something to do."""

    @abstractmethod
    def changed(self) -> bool:
        """Whether another process may have committed since the last call; takes microseconds."""

    @abstractmethod
    async def running_daemon(self) -> int | None:
        """Return the pid of a daemon that runs on this ledger, 0 when it is not known, None when none runs."""

    @property
    @abstractmethod
    def failed(self) -> StorageFailed | None:
        """Why the ledger cannot be trusted any more, as far as is known; None while all is well."""

    @property
    @abstractmethod
    def writers(self) -> Mapping[str, GroupCommitWriter]:
        """What writes, by name; for those who want to see how it fares."""

    @abstractmethod
    async def room(self) -> Room:
        """Return what it takes, and what is left."""

    @property
    def away(self) -> bool:
        """Whether the ledger's server cannot be reached and is waited for."""
        return False

    def verify(self) -> None:
        """See that nothing has failed and that the ledger is the one that was opened. Raises StorageFailed."""

    def overgrown(self) -> str | None:
        """Say that the ledger takes more room than it should and who may be the cause, None when it does not."""
        return None

    def give_up(self) -> None:
        """Wait no longer for a ledger that cannot be reached: what waits for it fails with Unavailable."""
