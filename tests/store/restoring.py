"""Restores without asking, and changes files from outside."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from feedback_app.store.sqlite.restore import Restored, restoring
from tests.making import NOW

STAMP = "2027-01-15T080000Z"


def restore(ledger: Path, backup: Path, *, resend: bool = False, stamp: str = STAMP) -> Restored:
    """Restore without asking."""
    with restoring(ledger, backup) as ready:
        return ready.finish(resend=resend, stamp=stamp, now=NOW)


def sql(path: Path, *statements: str) -> None:
    """Change a file from outside; nothing is left beside it."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as base:
        for statement in statements:
            base.execute(statement)
