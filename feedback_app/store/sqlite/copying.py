"""An SQLite file as either end of a copy."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from feedback_app.errors import BadConfig, NotFound
from feedback_app.settings.rules import SQLITE as SQLITE_URL
from feedback_app.store.bulk import insert_rows
from feedback_app.store.copying.ends import PIECE, End, Reader, Target
from feedback_app.store.migrate import HEAD
from feedback_app.store.sql import SQLITE
from feedback_app.store.sqlite import file, place
from feedback_app.store.sqlite.engines import writing_engine
from feedback_app.store.sqlite.failures import explained
from feedback_app.store.sqlite.lock import LedgerLock
from feedback_app.store.sqlite.writer import SqliteWriter

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future
    from pathlib import Path
    from typing import Any

    from sqlalchemy import Connection

    from feedback_app.store.copying.plan import CopiedTable, Key, Row


class SqliteEnd(End):
    """Made where it is the target and not there yet."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def url(self) -> str:
        """What `[store] url` is to be."""
        return f"{SQLITE_URL}{self._path}"

    @property
    def place(self) -> str:
        """The file, whatever links lead to it."""
        return str(place.beside(self._path, ""))

    @contextlib.contextmanager
    def source(self) -> Iterator[Reader]:
        """Hold the lock of the daemon, and SQLite's own, so that commands do not write either."""
        if not place.is_there(self._path):
            raise NotFound(f"{self._path}: there is no ledger")
        _refuse_other_schema(self._path, file.check(self._path))
        with contextlib.ExitStack() as stack:
            _take(LedgerLock(self._path), stack)
            looking = stack.enter_context(contextlib.closing(file.looking_at(self._path)))
            with explained(self._path):
                looking.execute("PRAGMA schema_version").fetchall()  # only by reading it opens the log
                engine = writing_engine(self._path)
                stack.callback(engine.dispose)
                holding = stack.enter_context(engine.connect())
                holding.begin()
            # Who closes a ledger last folds its log back; who may not write leaves it, and the file, as they are.
            if place.size(place.wal_of(self._path)) == 0:
                stack.callback(looking.close)
            yield _begun(looking, self._path)

    @contextlib.contextmanager
    def target(self) -> Iterator[Target]:
        """Hold the lock of the daemon."""
        if not place.is_there(self._path):
            file.create(self._path)
        _refuse_other_schema(self._path, file.recognise(self._path))
        with contextlib.ExitStack() as stack:
            lock = LedgerLock(self._path)
            _take(lock, stack)
            writer = SqliteWriter(self._path, lock=lock)
            stack.callback(writer.close)
            writer.start()
            yield _SqliteTarget(self._path, writer)


def _refuse_other_schema(path: Path, found: str) -> None:
    if found != HEAD:
        raise BadConfig(
            f"{path}: the ledger has schema {found}, only {HEAD} is copied; run `feedback-app db upgrade`"
        )


def _take(lock: LedgerLock, stack: contextlib.ExitStack) -> None:
    if not lock.try_acquire("daemon"):
        raise lock.refused()
    stack.callback(lock.release)


def _begun(looking: sqlite3.Connection, path: Path) -> _SqliteReader:
    with explained(path):
        looking.execute("BEGIN")
        looking.execute("SELECT 1 FROM meta").fetchone()  # only by reading it takes its snapshot
    return _SqliteReader(looking, path)


class _SqliteReader(Reader):
    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.name = str(path)
        self._path = path
        self._connection = connection

    def rows(self, table: CopiedTable, after: Key | None = None) -> Iterator[Sequence[Row]]:
        query = table.select(SQLITE, behind_a_key=after is not None)
        with contextlib.closing(self._connection.cursor()) as cursor:
            with explained(self._path):
                cursor.execute(query, tuple(after or ()))
                piece = cursor.fetchmany(PIECE)
            while piece:
                yield piece
                with explained(self._path):
                    piece = cursor.fetchmany(PIECE)

    def highest_number(self, table: CopiedTable) -> int:
        there = self.number(f"SELECT coalesce(max(id), 0) FROM {table.name}")  # noqa: S608 - a name of our own
        ever = self._one("SELECT seq FROM sqlite_sequence WHERE name = ?", table.name)
        return max(there, int(ever or 0))

    def number(self, query: str) -> int:
        return int(self._one(query))

    def noted(self, key: str) -> str | None:
        found = self._one("SELECT value FROM meta WHERE key = ?", key)
        return None if found is None else str(found)

    def _one(self, query: str, *parameters: object) -> Any:
        with explained(self._path):
            found = self._connection.execute(query, parameters).fetchone()
        return None if found is None else found[0]


class _SqliteTarget(Target):
    def __init__(self, path: Path, writer: SqliteWriter) -> None:
        self.name = str(path)
        self._path = path
        self._writer = writer

    def submit(self, unit: Callable[[Connection], None]) -> Future[None]:
        return self._writer.submit(unit)

    @contextlib.contextmanager
    def look(self) -> Iterator[Reader]:
        with contextlib.closing(file.looking_at(self._path)) as looking:
            yield _begun(looking, self._path)

    def insert(self, connection: Connection, table: CopiedTable, rows: Sequence[Row]) -> None:
        insert_rows(connection, table.name, table.columns, rows)

    def go_on_behind(self, connection: Connection, table: CopiedTable, number: int) -> None:
        if not table.remembered:
            return
        connection.exec_driver_sql("DELETE FROM sqlite_sequence WHERE name = ?", (table.name,))
        connection.exec_driver_sql("INSERT INTO sqlite_sequence VALUES (?, ?)", (table.name, number))
