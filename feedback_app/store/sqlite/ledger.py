"""The ledger as one SQLite file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feedback_app.store.ledger import Ledger
from feedback_app.store.migrate import HEAD
from feedback_app.store.sqlite import checking, file, place, sizing
from feedback_app.store.sqlite.lock import LedgerLock
from feedback_app.store.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from pathlib import Path

    from feedback_app.store.checks import Checked
    from feedback_app.store.sizes import Size
    from feedback_app.store.store import Role


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

    def warnings(self) -> list[str]:
        """Say what is unwise about the file system."""
        return place.warnings(self.path)
