"""Few large statements in place of many small ones.

SQLAlchemy's own list parameters cost more than the insert itself, and `executemany` in a thread hands the interpreter
lock over at every row. SQLite gets one statement with many VALUES, in fixed sizes, so that the driver's statement cache
holds them all; PostgreSQL gets an array for each column.
"""

from __future__ import annotations

from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Boolean, Float, Integer, LargeBinary, Text

from feedback_app.store.postgresql.arrays import array
from feedback_app.store.sql import POSTGRESQL
from feedback_app.store.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, CursorResult

_SIZES = (200, 20, 1)  # rows in one statement; 200 × 25 columns stay far below SQLite's 32,766 variables
_KINDS = {
    Text: "text",
    BigInteger: "bigint",
    Integer: "bigint",
    Float: "double precision",
    Boolean: "boolean",
    LargeBinary: "bytea",
}


def insert_rows(
    connection: Connection,
    table: str,
    columns: tuple[str, ...],
    rows: Sequence[Sequence[Any]],
    *,
    tail: str = "",
) -> int:
    """Insert `rows` (values in the order of `columns`) in order; `tail` may hold an ON CONFLICT clause.

    Returns how many rows the database says were inserted or updated.
    """
    if connection.dialect.name == POSTGRESQL:
        return insert_arrays(connection, table, columns, rows, tail=tail).rowcount if rows else 0
    touched = start = 0
    for size in _SIZES:
        statement = _values(table, columns, size, tail)
        while len(rows) - start >= size:
            values = tuple(chain.from_iterable(rows[start : start + size]))
            touched += connection.exec_driver_sql(statement, values).rowcount
            start += size
    return touched


@cache
def _values(table: str, columns: tuple[str, ...], rows: int, tail: str) -> str:
    row = f"({', '.join('?' * len(columns))})"
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([row] * rows)} {tail}"


def insert_arrays(
    connection: Connection,
    table: str,
    columns: tuple[str, ...],
    rows: Sequence[Sequence[Any]],
    *,
    tail: str = "",
) -> CursorResult[Any]:
    """Do it for PostgreSQL; `tail` may end with RETURNING. There must be a row."""
    statement, kinds = _arrays(table, columns, tail)
    return connection.exec_driver_sql(statement, tuple(map(array, kinds, zip(*rows, strict=True))))


@cache
def _arrays(table: str, columns: tuple[str, ...], tail: str) -> tuple[str, tuple[str, ...]]:
    kinds = tuple(kind(table, column) for column in columns)
    arrays = ", ".join(f"%s::{one}[]" for one in kinds)
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT * FROM unnest({arrays}) {tail}", kinds


def kind(table: str, column: str) -> str:
    """Return PostgreSQL's name of a column's type."""
    declared = metadata.tables[table].c[column].type
    return next(name for form, name in _KINDS.items() if isinstance(declared, form))
