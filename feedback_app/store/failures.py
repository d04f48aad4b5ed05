"""Says what a database error means for the program."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from feedback_app.errors import BadData, Busy, FeedbackAppError, NotPermitted, StorageFailed
from feedback_app.store.place import ANOTHER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FULL = {sqlite3.SQLITE_FULL}
_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_FORBIDDEN = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_AUTH}


class StorageFull(Busy):
    """No space is left; nothing was stored, trying again after space is made will work."""


def explain(error: BaseException, path: Path) -> FeedbackAppError | None:
    """Return the program's own error for a database error, or None when it is not one of the known kinds.

    After StorageFailed the state of the last commit is unknown: SQLite may accept later commits although an
    earlier one never reached the disk, so whoever gets it must stop writing.
    """
    cause = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(cause, "sqlite_errorcode", None)
    if code is None:
        return (
            BadData(f"{path}: not a ledger: {cause}")
            if isinstance(cause, sqlite3.NotSupportedError)
            else None
        )
    primary = code & 0xFF  # extended codes carry the primary one in the low byte
    if primary == sqlite3.SQLITE_CORRUPT:
        return StorageFailed(f"{path}: the ledger is damaged ({cause}); restore it from a backup")
    if primary == sqlite3.SQLITE_IOERR:
        return StorageFailed(f"{path}: {cause}; stopped, because what reached the disk is unknown")
    if primary == sqlite3.SQLITE_NOTADB:
        return BadData(f"{path}: not a SQLite database; it was left as it is; {ANOTHER}")
    if primary in _FULL:
        return StorageFull(f"{path}: no space left on the disk; nothing was stored")
    if primary in _LOCKED:
        return Busy(f"{path}: another process holds the ledger locked; try again")
    if primary in _FORBIDDEN:
        return NotPermitted(f"{path}: {cause}; the file and its folder must be writable by this user")
    return None


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn database errors of the block into the program's own."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        known = explain(error, path)
        if known is None:
            raise
        raise known from error
