"""Where the ledger is, before it is open: what may be asked of it and done to it from outside."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy import Connection

    from feedback_app.settings import Settings
    from feedback_app.store.checks import Checked
    from feedback_app.store.sizes import Room, Size
    from feedback_app.store.store import Role, Store

T = TypeVar("T")


class Ledger(ABC):
    """The place that `[store] url` names; nothing is opened or made before somebody asks for it."""

    name: str  # how it is shown: a path, or a URL without its password

    @abstractmethod
    def open(self, role: Role = "command") -> Store:
        """Return the ledger to be entered."""

    @abstractmethod
    def revision(self) -> str | None:
        """Return its schema's revision, None where there is no ledger yet. Raises what opening would."""

    @abstractmethod
    def upgrade(self) -> tuple[str | None, str]:
        """Make it, or bring it to this program's schema; returns the revision before (None: made) and after.

        Raises Busy while somebody runs who does not allow it, and what opening would.
        """

    @abstractmethod
    def problems(self) -> list[str]:
        """Say why it cannot be opened, or made where there is none, a line each; nothing is made."""

    @abstractmethod
    def check(self) -> Checked:
        """Look through all of it for what must not be; nothing is changed, and daemons may run.

        Raises NotFound where there is no ledger, and what opening would.
        """

    @abstractmethod
    def size(self) -> Size:
        """Measure it. Raises as `check` does."""

    @abstractmethod
    def look(self, query: Callable[[Connection], T]) -> T:
        """Run a query on a connection that cannot write, beside whoever runs; nothing is made.

        Raises what opening would; where the schema is another one, what the query runs into.
        """

    @abstractmethod
    def running_daemon(self) -> int | None:
        """Return the pid of a daemon that runs on it, 0 when it is not known, None when none runs."""

    @abstractmethod
    def damage(self, *, full: bool) -> list[str] | None:
        """Say what is not as the database wrote it, a line each; None: not looked at, as it takes too long.

        `full` looks at all there is, however long it takes.
        """

    @abstractmethod
    def room(self) -> Room:
        """Return what it takes and what is left."""

    @abstractmethod
    def files(self) -> list[Path]:
        """Return the files on this machine that hold it, none where a server does."""

    @abstractmethod
    def warnings(self) -> list[str]:
        """Say what is unwise about the place, a line each."""


def ledger_of(settings: Settings) -> Ledger:
    """Return the ledger of these settings."""
    if settings.store.is_sqlite:
        from feedback_app.store.sqlite.ledger import SqliteLedger

        return SqliteLedger(settings.store_path)
    from feedback_app.store.postgresql.ledger import PostgresLedger

    return PostgresLedger(settings.store.url, password_file=settings.store_password_file)
