"""Whether a file is a backup that a ledger can be restored from, seen without leaving a trace beside it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from typing import TYPE_CHECKING

from feedback_app.errors import BadData, Busy, NotPermitted, UsageError
from feedback_app.store import migrate
from feedback_app.store.copying.progress import KEY as UNFINISHED
from feedback_app.store.copying.progress import refuse_unfinished
from feedback_app.store.sqlite import place, snapshot
from feedback_app.store.sqlite.failures import in_a_line
from feedback_app.store.sqlite.file import APPLICATION_ID
from feedback_app.store.sqlite.lock import daemon_runs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from feedback_app.store.sqlite.snapshot import Contents

_HEADER = 100  # bytes, see "Database File Format" of SQLite
_MAGIC = b"SQLite format 3\0"
_OTHERS = {
    b"\x1f\x8b": "is packed by gzip; unpack it first",
    b"\x28\xb5\x2f\xfd": "is packed by zstd; unpack it first",
    b"\xfd7zXZ": "is packed by xz; unpack it first",
    b"PK\x03\x04": "is a zip archive; unpack it first",
    b"PGDMP": "is a dump of PostgreSQL; `pg_restore` reads it, see docs/operations.md",
}
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}
_WANTED = "name a file that `feedback-app db backup` made"
_OTHER = "name another backup"
_KEPT_BACK = {
    "-wal": "a log that is not folded in",
    "-journal": "a journal of a change that was not finished",
}


def check_file(path: Path, ledger: Path) -> None:
    """Refuse what cannot be a backup before SQLite sees it.

    Raises BadData (65), UsageError (2) for the ledger itself, Busy (75) for the ledger of a daemon that runs,
    NotPermitted (77).
    """
    try:
        kind = path.stat()
    except PermissionError:
        raise NotPermitted(f"{path}: the folder {path.parent} may not be entered by this user") from None
    except OSError as error:
        raise BadData(f"{path}: {(error.strerror or 'cannot be opened').lower()}; {_WANTED}") from None
    if not stat.S_ISREG(kind.st_mode):
        what = "is a folder" if stat.S_ISDIR(kind.st_mode) else "is no regular file"
        raise BadData(f"{path}: {what}; {_WANTED}")
    if ledger.exists() and ledger.samefile(path):
        raise UsageError(f"{path}: is the ledger itself; name a backup of it")
    if not os.access(path, os.R_OK, effective_ids=True):
        raise NotPermitted(f"{path}: user {os.geteuid()} may not read it")
    _check_header(path, kind.st_size)
    if daemon_runs(path) is not None:
        raise Busy(f"{path}: a daemon runs on it; make a backup of it with `feedback-app db backup`")
    for ending, what in _KEPT_BACK.items():
        beside = place.beside(path, ending)
        if size := place.size(beside):
            raise BadData(
                f"{path}: has {what} beside it ({beside.name}, {size:,} bytes), so it was in use; take it in with"
                f" `FEEDBACK_APP_STORE__URL=sqlite:///{path.absolute()} feedback-app db backup NEW`"
            )


def _check_header(path: Path, size: int) -> None:
    # Opened past SQLite, which is right only because it is not the ledger: its locks would be lost.
    with path.open("rb") as opened:
        header = opened.read(_HEADER)
    if not header:
        raise BadData(f"{path}: is empty; {_WANTED}")
    for magic, what in _OTHERS.items():
        if header.startswith(magic):
            raise BadData(f"{path}: {what}")
    if not header.startswith(_MAGIC):
        raise BadData(f"{path}: is no SQLite database, or an encrypted one; {_WANTED}")
    if len(header) < _HEADER:
        raise BadData(f"{path}: is cut short: {size:,} bytes are not even its header; {_OTHER}")
    page = int.from_bytes(header[16:18], "big")
    promised = (65_536 if page == 1 else page) * int.from_bytes(header[28:32], "big")
    if size < promised:
        raise BadData(f"{path}: is cut short: it has {size:,} of {promised:,} bytes; {_OTHER}")


def is_of_another_program(path: Path) -> bool:
    """Say so by its header alone. Nobody in this process may have the file open: SQLite's locks would be lost."""
    with path.open("rb") as opened:
        header = opened.read(_HEADER)
    owner = int.from_bytes(header[68:72], "big")
    return header.startswith(_MAGIC) and owner != APPLICATION_ID


def check_contents(connection: sqlite3.Connection, path: Path) -> Contents:
    """Refuse what is no ledger, or none for this program. Raises BadData (65), BadConfig (78), sqlite3.Error."""
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise BadData(f"{path}: is a SQLite database of another program; {_WANTED}")
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    lacking = [name for name in ("alembic_version", "meta", "feedback", "message") if name not in tables]
    if lacking:
        raise BadData(f"{path}: is a ledger that has lost its table {lacking[0]}; {_OTHER}")
    found = snapshot.contents(connection)
    if not migrate.is_revision(found.schema):
        raise BadData(f"{path}: is a ledger whose schema has no number; {_OTHER}")
    noted = dict(connection.execute("SELECT key, value FROM meta").fetchall())
    migrate.refuse_newer(str(path), found.schema, noted.get(migrate.READABLE_FROM))
    refuse_unfinished(str(path), noted.get(UNFINISHED))
    if not noted.get("ledger_id"):
        raise BadData(f"{path}: is a ledger that has lost its id; {_OTHER}")
    return found


@contextlib.contextmanager
def damage_told(path: Path) -> Iterator[None]:
    """Say of a damaged file that it is. Raises BadData."""
    try:
        yield
    except snapshot.Damaged as error:
        raise _damaged(path, str(error)) from None
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code is None:  # a text that is not UTF-8, which the error quotes
            raise _damaged(path, "a text cannot be read") from None
        if code & 0xFF not in _DAMAGE:
            raise
        raise _damaged(path, str(error)) from None


def _damaged(path: Path, finding: str) -> BadData:
    return BadData(f"{path}: is damaged ({in_a_line(finding)}); {_OTHER}")
