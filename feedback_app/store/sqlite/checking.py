"""A look through the whole of a ledger's file, without writing and beside whoever uses it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter
from typing import TYPE_CHECKING

from feedback_app.errors import BadData, NotFound
from feedback_app.store import checks, migrate
from feedback_app.store.checks import Checked, Finding
from feedback_app.store.sqlite import file, place, snapshot
from feedback_app.store.sqlite.failures import explain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_JSON = (
    ("feedback", "analysis"),
    ("customer", "addresses"),
    ("low_rating", "notes"),
    ("report_run", "figures"),
    ("daemon", "channels"),
    ("daemon", "sources"),
)
_MANY = 20  # findings of one check; a torn file has thousands
_BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_IOERR}


def check(path: Path) -> Checked:
    """Check pages, indices, references, schema and the rules of `checks`, all on one snapshot.

    Raises NotFound where there is no ledger, BadData (65) for what is none, NotPermitted (77), Busy (75).
    """
    if not place.is_there(path):
        raise NotFound(f"{path}: there is no ledger")
    place.check_file(path)
    with contextlib.closing(file.looking_at(path)) as connection:
        found = [*_attempted(path, "it is a ledger of this program", lambda: _identity(connection, path))]
        if not found[0].problem:
            connection.execute("BEGIN")
            found += _looked_through(connection, path)
        schema = _schema(connection)
    return Checked(schema=schema, findings=found)


def _identity(connection: sqlite3.Connection, path: Path) -> Iterator[Finding]:
    owner = connection.execute("PRAGMA application_id").fetchone()[0]
    if owner != file.APPLICATION_ID:
        raise BadData(f"{path}: a SQLite database of another program")
    yield Finding(check="it is a ledger of this program")


def _looked_through(connection: sqlite3.Connection, path: Path) -> Iterator[Finding]:
    def ask(query: str) -> list[tuple[object, ...]]:
        return connection.execute(query).fetchall()

    yield from _attempted(path, "every page and index is sound", lambda: _pages(connection))
    yield from _attempted(path, "every reference leads to its row", lambda: _references(connection))
    yield from _attempted(path, checks.SCHEMA, lambda: _known(connection))
    yield from _attempted(path, "what is to be JSON is", lambda: _json(connection))
    yield from _attempted(path, "the rows obey the program's rules", lambda: checks.findings(ask))


def _attempted(path: Path, check: str, work: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """Yield what a check finds; what cannot even be read is a finding too."""
    try:
        yield from work()
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code not in _BROKEN:
            raise (explain(error, path) or error) from error
        is_quoting = not hasattr(
            error, "sqlite_errorcode"
        )  # a text that is not UTF-8, which the error quotes
        yield Finding(check=check, problem="a text cannot be read" if is_quoting else str(error))


def _pages(connection: sqlite3.Connection) -> Iterator[Finding]:
    lines = [str(line) for (line,) in connection.execute(f"PRAGMA integrity_check({_MANY})")]
    problem = "" if lines == ["ok"] else " ".join("; ".join(lines).split())
    yield Finding(check="every page and index is sound", problem=problem)


def _references(connection: sqlite3.Connection) -> Iterator[Finding]:
    broken = connection.execute("PRAGMA foreign_key_check").fetchmany(_MANY)
    problem = "; ".join(f"{table} {row} has no {other}" for table, row, other, _ in broken)
    yield Finding(check="every reference leads to its row", problem=problem)


def _json(connection: sqlite3.Connection) -> Iterator[Finding]:
    asked = " UNION ALL ".join(
        f"SELECT '{table}.{column}' FROM {table} WHERE {column} IS NOT NULL AND NOT json_valid({column})"  # noqa: S608
        for table, column in _JSON
    )
    broken = Counter(place for (place,) in connection.execute(asked))
    problem = "; ".join(f"{place}: {count:,} not so" for place, count in broken.items())
    yield Finding(check="what is to be JSON is", problem=problem)


def _known(connection: sqlite3.Connection) -> Iterator[Finding]:
    found = _schema(connection)
    if found == migrate.HEAD:
        problem = ""
    elif found and migrate.is_revision(found) and found < migrate.HEAD:
        problem = f"{found}, this program wants {migrate.HEAD}; run `feedback-app db upgrade`"
    else:
        problem = f"{found}, this program knows up to {migrate.HEAD}"
    yield Finding(check=checks.SCHEMA, problem=problem)


def _schema(connection: sqlite3.Connection) -> str | None:
    with contextlib.suppress(sqlite3.Error):
        return snapshot.schema(connection)
    return None
