"""Few large statements in place of many small ones.

SQLAlchemy's own list parameters cost more than the insert itself, and `executemany` in a thread hands the
interpreter lock over at every row; one statement with many VALUES does both once. The sizes are fixed, so that
the driver's statement cache holds them all.
"""

from __future__ import annotations

from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

_SIZES = (200, 20, 1)  # rows in one statement; 200 × 25 columns stay far below SQLite's 32,766 variables


@cache
def _insert(table: str, columns: tuple[str, ...], rows: int, tail: str) -> str:
    row = f"({', '.join('?' * len(columns))})"
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([row] * rows)} {tail}"  # noqa: S608


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
    touched = start = 0
    for size in _SIZES:
        statement = _insert(table, columns, size, tail)
        while len(rows) - start >= size:
            values = tuple(chain.from_iterable(rows[start : start + size]))
            touched += connection.exec_driver_sql(statement, values).rowcount
            start += size
    return touched
