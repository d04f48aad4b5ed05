"""Ledgers with everything in them, to be copied, and what they hold, asked past the program."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Boolean, Column, Float, Integer, LargeBinary, Table, insert

from feedback_app.store.copying import copier
from feedback_app.store.copying.checking import Sum
from feedback_app.store.copying.copier import Listener
from feedback_app.store.copying.ends import end_at
from feedback_app.store.sqlite import file
from feedback_app.store.sqlite.engines import writing_engine
from feedback_app.store.tables import metadata
from tests.postgres import Server

SQLITE = "sqlite:///"
# What COPY's text format and SQL's strings could stumble over.
_TEXTS = ("Grüße 🙂", "", "\\N", "a\tb\nc\\d\r", "'; --", '"{}",', "%s ? :x", "Zürich", "zebra", "Ärger")
_NUMBERS = (0, -1, 2**62, 1_800_000_000_000, 7)
_RATINGS = (4.5, 1.0, 3.3333333333333335, 1e-300, 5.0)


def fill(path: Path, rows: int = 12) -> None:
    """Make a ledger with `rows` rows in every table, and NULL in every column that may hold it."""
    file.create(path)
    engine = writing_engine(path)
    with engine.begin() as connection:
        for table in metadata.sorted_tables:
            for number in range(1, rows + 1):
                values = {column.name: _value(table, column, number) for column in table.columns}
                connection.execute(insert(table).values(values))
        # A number that was given once and is free again: it must not be given a second time.
        connection.exec_driver_sql("UPDATE sqlite_sequence SET seq = seq + 100")
    engine.dispose()


def _value(table: Table, column: Column[Any], number: int) -> object:
    text = _TEXTS[number % len(_TEXTS)]
    if column.nullable and number % 3 == 0:
        return None
    match column.type:
        case Boolean():
            return bool(number % 2)
        case LargeBinary():
            return bytes([number, 0, 255]) + text.encode()
        case Float():
            return _RATINGS[number % len(_RATINGS)]
        case Integer():
            is_key = column.primary_key or column.foreign_keys
            small = {"attempts", "suspicion", "pid", "heartbeat_at"}
            return number if is_key or column.name in small else _NUMBERS[number % len(_NUMBERS)]
        case _:
            return f"{text} {number}" if table.name != "daemon" else f"{(number * 7) % 13:02}-{text}"


def copied(source: str, target: str) -> dict[str, Sum]:
    """Copy one ledger to another; both are URLs."""
    here = Path("/")
    nothing: Callable[..., None] = lambda *_: None  # noqa: E731
    listener = Listener(begun=nothing, copying=nothing, copied=nothing, comparing=nothing, compared=nothing)
    with end_at(source, here).source() as reader, end_at(target, here).target() as writer:
        return copier.copy(reader, writer, listener)


def ask(url: str, query: str) -> list[tuple[Any, ...]]:
    """Ask a ledger from outside, or change it."""
    if url.startswith(SQLITE):
        path = url.removeprefix(SQLITE)
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as base:
            return base.execute(query).fetchall()
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        found = connection.execute(query.encode())
        return found.fetchall() if found.description else []


def damage(path: Path, name: str) -> None:
    """Overwrite the first page of a table or an index: what needs it fails, what does not need it works."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as base:
        base.execute("PRAGMA journal_mode = DELETE")
        (page,) = base.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)).fetchone()
        (size,) = base.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as opened:
        opened.seek((page - 1) * size)
        opened.write(b"\xff" * size)


def contents(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Return every table's rows, in one order and with the same values for the same."""
    found = {}
    for table in metadata.sorted_tables:
        names = ", ".join(column.name for column in table.columns)
        where = "WHERE key NOT LIKE 'commit:%'" if table.name == "meta" else ""
        rows = ask(url, f"SELECT {names} FROM {table.name} {where}")
        found[table.name] = sorted(
            (tuple(int(one) if isinstance(one, bool) else one for one in row) for row in rows), key=repr
        )
    return found


class Places:
    """Makes places for ledgers, on either database."""

    def __init__(self, folder: Path, request: pytest.FixtureRequest) -> None:
        self._folder = folder
        self._request = request
        self._numbers = count()
        self.made: list[str] = []  # databases to drop

    def __call__(self, database: str) -> str:
        """Return the URL of a place where nothing is yet."""
        if database == "sqlite":
            return f"{SQLITE}{self._folder / f'place{next(self._numbers)}.db'}"
        self.made.append(self.server.new_database())
        return self.made[-1]

    @property
    def server(self) -> Server:
        """The server, started when it is needed."""
        server: Server = self._request.getfixturevalue("postgres_server")
        return server
