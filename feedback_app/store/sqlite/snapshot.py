"""A ledger copied as of one moment into a draft, and the draft compared with what was seen at that moment."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from feedback_app.errors import FeedbackAppError
from feedback_app.store.sqlite.file import APPLICATION_ID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_STEP = 256  # pages copied between two looks at whether to go on, about a megabyte


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """What a ledger, or its copy, holds."""

    schema: str  # revision
    rows: Mapping[str, int]  # by table
    size: int  # bytes of the file

    @property
    def ratings(self) -> int:
        """How many ratings."""
        return self.rows.get("feedback", 0)

    @property
    def messages(self) -> int:
        """How many messages."""
        return self.rows.get("message", 0)


class Damaged(FeedbackAppError):
    """A copy is not what was to be copied; the text says how."""


def sealed(path: Path) -> sqlite3.Connection:
    """Connect to a file that nobody else uses: nothing is locked, written, or made beside it."""
    uri = f"file:{quote(str(path))}?mode=ro&immutable=1"
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)


@contextlib.contextmanager
def moment(connection: sqlite3.Connection) -> Iterator[Contents]:
    """Hold one snapshot and say what is in it."""
    connection.execute("BEGIN")
    try:
        yield contents(connection)
    finally:
        connection.execute("ROLLBACK")


def contents(connection: sqlite3.Connection) -> Contents:
    """Count what a ledger holds. Raises sqlite3.Error for what is none."""
    names = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_' ORDER BY name"
    ).fetchall()
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (page,) = connection.execute("PRAGMA page_size").fetchone()
    counted = {
        name: int(connection.execute(f"SELECT count(*) FROM {quoted(name)}").fetchone()[0])  # noqa: S608 - its own names
        for (name,) in names
    }
    return Contents(schema=schema(connection), rows=counted, size=pages * page)


def schema(connection: sqlite3.Connection) -> str:
    """Return the revision of a ledger's schema. Raises sqlite3.Error for what has none."""
    return str(connection.execute("SELECT max(version_num) FROM alembic_version").fetchone()[0])


def quoted(name: str) -> str:
    """Return a name as SQL wants it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def copy(source: sqlite3.Connection, draft: Path, keep_on: Callable[[], None]) -> None:
    """Copy all pages as `source` sees them into an empty file; `keep_on` may raise to end it.

    Nobody who writes waits for it. The log of the source cannot be folded back meanwhile, so nothing else is done here.
    """
    with contextlib.closing(sqlite3.connect(draft, isolation_level=None)) as target:
        # Nobody reads the draft before it is whole and synced, so SQLite need not protect it.
        target.execute("PRAGMA journal_mode = OFF")
        target.execute("PRAGMA synchronous = OFF")
        source.backup(target, pages=_STEP, progress=lambda *_: keep_on())


def compare(copied: sqlite3.Connection, wanted: Contents) -> None:
    """See that a copy is sound, ours, and holds what was counted. Raises Damaged, sqlite3.Error."""
    finding = copied.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if finding != "ok":
        raise Damaged(" ".join(str(finding).split()))
    if copied.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise Damaged("it has lost its application id")
    found = contents(copied)
    if found != wanted:
        differing = [name for name in wanted.rows if found.rows.get(name) != wanted.rows[name]]
        raise Damaged(f"it differs in {', '.join(differing) or 'its size'}")
