"""How much room a ledger takes in its file."""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter
from typing import TYPE_CHECKING

from feedback_app.errors import NotFound
from feedback_app.store.sizes import Room, Size, TableSize, largest_first
from feedback_app.store.sqlite import file, place, snapshot
from feedback_app.store.sqlite.failures import explained

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_SAMPLE = 1_000  # rows; where SQLite cannot say how large a table is
# Each b-tree is a table or an index; the list of them all is one too.
_MEASURED = """SELECT coalesce(master.tbl_name, stat.name), coalesce(master.type, 'table'), sum(stat.pgsize)
  FROM dbstat AS stat LEFT JOIN sqlite_master AS master ON master.name = stat.name
 WHERE stat.aggregate = TRUE GROUP BY 1, 2"""


def room_of(path: Path) -> Room:
    """Look at the files, and at their disk where there is a folder for them."""
    try:
        free = place.room(place.beside(path, "").parent)
    except OSError:
        free = None
    return Room(ledger=place.size(path), log=place.size(place.wal_of(path)), free=free)


def size_of(path: Path) -> Size:
    """Measure the ledger, as of one moment; it reads every page. Raises NotFound, and what opening it would."""
    if not place.is_there(path):
        raise NotFound(f"{path}: there is no ledger")
    file.check(path)
    with (
        explained(path),
        contextlib.closing(file.looking_at(path)) as connection,
        snapshot.moment(connection) as contents,
    ):
        (page,) = connection.execute("PRAGMA page_size").fetchone()
        (free,) = connection.execute("PRAGMA freelist_count").fetchone()
        tables, exact = _tables(connection, contents.rows)
    return Size(
        tables=largest_first(tables),
        total=contents.size,
        free=free * page,
        file=place.size(path),
        log=place.size(place.wal_of(path)),
        exact=exact,
    )


def _tables(connection: sqlite3.Connection, rows: Mapping[str, int]) -> tuple[list[TableSize], bool]:
    try:
        measured = connection.execute(_MEASURED).fetchall()
    except sqlite3.OperationalError:  # SQLite was built without dbstat
        return [_estimated(connection, name, count) for name, count in rows.items()], False
    sizes: Counter[tuple[str, str]] = Counter()
    for name, kind, size in measured:
        sizes[name if name in rows else "sqlite", kind] += size
    names = {name for name, _ in sizes}
    return [
        TableSize(name=name, rows=rows.get(name, 0), table=sizes[name, "table"], indices=sizes[name, "index"])
        for name in names
    ], True


def _estimated(connection: sqlite3.Connection, name: str, rows: int) -> TableSize:
    columns = [
        column for (_, column, *_) in connection.execute(f"PRAGMA table_info({snapshot.quoted(name)})")
    ]
    width = " + ".join(f"coalesce(length(CAST({snapshot.quoted(one)} AS BLOB)), 0) + 1" for one in columns)
    newest = f"SELECT * FROM {snapshot.quoted(name)} ORDER BY rowid DESC LIMIT {_SAMPLE}"  # noqa: S608 - its own names
    (mean,) = connection.execute(f"SELECT coalesce(avg({width}), 0) FROM ({newest})").fetchone()  # noqa: S608
    return TableSize(name=name, rows=rows, table=round(mean * rows), indices=0)
