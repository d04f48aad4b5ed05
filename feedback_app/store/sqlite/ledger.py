"""The ledger as one SQLite file."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from feedback_app.store.ledger import Ledger
from feedback_app.store.migrate import HEAD
from feedback_app.store.sqlite import checking, file, pages, place, sizing
from feedback_app.store.sqlite.engines import looking_engine
from feedback_app.store.sqlite.failures import explained
from feedback_app.store.sqlite.lock import LedgerLock, daemon_runs
from feedback_app.store.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy import Connection

    from feedback_app.store.checks import Checked
    from feedback_app.store.sizes import Room, Size
    from feedback_app.store.store import Role

T = TypeVar("T")


class SqliteLedger(Ledger):
    """Made by whoever opens it first."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path)

    def open(self, role: Role = "command") -> SqliteStore:
        """Return the ledger to be entered."""
        return SqliteStore(self.path, role)

    def revision(self) -> str | None:
        """Return its schema's revision, None where there is no ledger yet."""
        return file.check(self.path) if place.is_there(self.path) else None

    def upgrade(self) -> tuple[str | None, str]:
        """Make it, or bring it to this program's schema after a copy was put beside it, while no daemon runs."""
        if self.revision() is None:
            file.create(self.path)
            return None, HEAD
        lock = LedgerLock(self.path)
        if not lock.try_acquire("command"):
            raise lock.refused()
        try:
            return file.upgrade(self.path)
        finally:
            lock.release()

    def problems(self) -> list[str]:
        """Say why it cannot be opened, or made where there is none."""
        return file.problems(self.path)

    def check(self) -> Checked:
        """Look through all of it, on one snapshot."""
        return checking.check(self.path)

    def size(self) -> Size:
        """Measure it, on one snapshot."""
        return sizing.size_of(self.path)

    def look(self, query: Callable[[Connection], T]) -> T:
        """Run a query on a connection that cannot write; nothing is made."""
        engine = looking_engine(lambda: file.looking_at(self.path))
        with explained(self.path), engine.connect() as connection:
            return query(connection)

    def running_daemon(self) -> int | None:
        """Ask the lock who holds it."""
        return daemon_runs(self.path)

    def damage(self, *, full: bool) -> list[str] | None:
        """Have SQLite look through the pages, and with `full` also compare the indices."""
        return pages.damage(self.path, full=full)

    def room(self) -> Room:
        """Return the sizes of the files and the room beside them."""
        return sizing.room_of(self.path)

    def files(self) -> list[Path]:
        """Return the ledger and its companions, as far as they are there."""
        all_of_them = (place.beside(self.path, ending) for ending in ("", "-wal", "-shm"))
        return [one for one in all_of_them if one.exists()]

    def warnings(self) -> list[str]:
        """Say what is unwise about the file system."""
        return place.warnings(self.path)
