"""Says what a database error means for the program."""

from __future__ import annotations

import contextlib
import sqlite3
import textwrap
from json import JSONDecodeError
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from feedback_app.errors import BadData, Busy, FeedbackAppError, NotPermitted, StorageFailed, StorageFull
from feedback_app.store.sqlite import holders, place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MAYBE_FULL = {
    sqlite3.SQLITE_IOERR_SHMSIZE,
    sqlite3.SQLITE_CANTOPEN,
}  # also what no room for a new file looks like
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_NO_SCHEMA = "malformed database schema"
_LONGEST = 200  # characters of what SQLite found
_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_FORBIDDEN = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_AUTH}


# What reading and writing a ledger can raise; what the program stored as JSON comes back as such, or is damaged.
REFUSALS = (DBAPIError, sqlite3.Error, JSONDecodeError)


def explain(error: BaseException, path: Path) -> FeedbackAppError | None:
    """Return the program's own error for a database error, or None when it is not one of the known kinds.

    After StorageFailed the state of the last commit is unknown: SQLite may accept later commits although an
    earlier one never reached the disk, so whoever gets it must stop writing.
    """
    if isinstance(error, JSONDecodeError):
        return damaged(path, "a field that is to hold JSON does not")
    cause = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(cause, "sqlite_errorcode", None)
    if code is None:
        return _of_the_driver(cause, path)
    primary = code & 0xFF  # extended codes carry the primary one in the low byte
    if primary in _DAMAGED or (primary == sqlite3.SQLITE_ERROR and str(cause).startswith("no such ")):
        return damaged(path, str(cause))
    if primary == sqlite3.SQLITE_FULL or (code in _MAYBE_FULL and place.is_full(path)):
        return StorageFull(f"{path}: no space left on the disk; nothing was stored")
    if primary == sqlite3.SQLITE_IOERR:
        return StorageFailed(f"{path}: {cause}; stopped, because what reached the disk is unknown")
    if primary in _LOCKED:
        pid = holders.writer_of(path)
        who = f"another process (pid {pid})" if pid else "another process"
        return Busy(f"{path}: {who} holds the ledger locked; try again")
    if primary in _FORBIDDEN:
        return NotPermitted(f"{path}: {cause}; the file and its folder must be writable by this user")
    return None


def damaged(path: Path, finding: str) -> StorageFailed:
    """Form the error for a ledger whose content cannot be what this program wrote."""
    return StorageFailed(f"{path}: the ledger is damaged ({in_a_line(finding)}); restore it from a backup")


def in_a_line(finding: str) -> str:
    """Return what SQLite found, which may quote a whole statement, as a part of a line.

    The table that it names in a damaged schema may be a customer: a page of other rows can stand in the schema's place.
    """
    if finding.startswith(_NO_SCHEMA):
        return _NO_SCHEMA
    return textwrap.shorten(finding, _LONGEST, placeholder="…")


def _of_the_driver(cause: BaseException | None, path: Path) -> FeedbackAppError | None:
    """Explain what Python's sqlite3 found before or after SQLite."""
    if isinstance(cause, sqlite3.NotSupportedError):
        return BadData(f"{path}: not a ledger: {cause}")
    if isinstance(cause, sqlite3.OperationalError) and str(cause).startswith("Could not decode to UTF-8"):
        return damaged(path, "a text that is not UTF-8")  # what the error says quotes the text
    return None


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn database errors of the block into the program's own."""
    try:
        yield
    except REFUSALS as error:
        known = explain(error, path)
        if known is None:
            raise
        raise known from error
