"""Whether the pages of a ledger are as SQLite wrote them: read only, and for a limited time beside a daemon."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from typing import TYPE_CHECKING

from feedback_app.store.sqlite.failures import explained
from feedback_app.store.sqlite.file import looking_at

if TYPE_CHECKING:
    from pathlib import Path

_PATIENCE = 10.0  # seconds; as long as somebody reads, the daemon cannot fold its log back
_STEPS = 100_000  # instructions of SQLite's machine between two looks at the stop-watch, some milliseconds
_MOST = 10  # lines; a file that is broken in one place is often so in thousands


def damage(path: Path, *, full: bool) -> list[str] | None:
    """Return what SQLite finds, a line each; None when it takes too long. `full`: the indices too, without limit."""
    deadline = time.monotonic() + _PATIENCE
    with explained(path), contextlib.closing(looking_at(path)) as connection:
        if not full:
            connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
        check = "integrity_check" if full else "quick_check"
        try:
            rows = connection.execute(f"PRAGMA {check}({_MOST})").fetchall()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                return None
            raise
    return [" ".join(str(found).split()) for (found,) in rows if found != "ok"]
