"""What a copy of a ledger takes along: every table, in an order in which each reference finds its row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import Boolean, Table, Text

from feedback_app.store.copying.progress import KEY
from feedback_app.store.sql import POSTGRESQL
from feedback_app.store.tables import RowId, metadata

if TYPE_CHECKING:
    from collections.abc import Sequence

Row: TypeAlias = "tuple[Any, ...]"  # of int, float, str, bytes and None: both databases give the same
Key: TypeAlias = "Sequence[int | str]"  # a row's values of `CopiedTable.order`

# SQLite knows the newest daemon by the order of its rows; everything else is copied in the order of its key.
_ORDERS = {"daemon": ("started_at", "boot_id")}
# The writers' own marks are of the database, not of the ledger; and how far the copy is, is no part of it.
_CONDITIONS = {"meta": f"substr(key, 1, 7) <> 'commit:' AND key <> '{KEY}'"}


@dataclass(frozen=True, kw_only=True, slots=True)
class CopiedTable:
    """One table: what is read of it, and in which order."""

    name: str
    columns: tuple[str, ...]
    order: tuple[str, ...]  # columns that are unique together; texts are ordered by their bytes
    condition: str  # SQL: the rows that are part of the ledger
    numbered: bool  # the database numbers its rows, in column `id`
    remembered: bool  # SQLite keeps the highest number ever used, also that of a row long gone

    def key_of(self, row: Row) -> Key:
        """Return the row's place in the order."""
        return [row[self.columns.index(name)] for name in self.order]

    def select(self, database: str, *, behind_a_key: bool = False) -> str:
        """Return the query for all rows in order, or for those behind a key, whose values are its parameters."""
        columns = ", ".join(self._read(name, database) for name in self.columns)
        order = ", ".join(self._ordered(name, database) for name in self.order)
        conditions = [self.condition]
        if behind_a_key:
            mark = "%s" if database == POSTGRESQL else "?"
            conditions.append(f"({order}) > ({', '.join([mark] * len(self.order))})")
        return f"SELECT {columns} FROM {self.name} WHERE {' AND '.join(conditions)} ORDER BY {order}"  # noqa: S608

    def count(self) -> str:
        """Return the query for the number of rows."""
        return f"SELECT count(*) FROM {self.name} WHERE {self.condition}"  # noqa: S608 - names of our own

    def _read(self, column: str, database: str) -> str:
        # SQLite has no truth values, but 0 and 1.
        is_truth = isinstance(metadata.tables[self.name].c[column].type, Boolean)
        return f"{column}::int" if is_truth and database == POSTGRESQL else column

    def _ordered(self, column: str, database: str) -> str:
        is_text = isinstance(metadata.tables[self.name].c[column].type, Text)
        return f'{column} COLLATE "C"' if is_text and database == POSTGRESQL else column


def _planned(table: Table) -> CopiedTable:
    return CopiedTable(
        name=table.name,
        columns=tuple(column.name for column in table.columns),
        order=_ORDERS.get(table.name, tuple(column.name for column in table.primary_key)),
        condition=_CONDITIONS.get(table.name, "1 = 1"),
        numbered=table.autoincrement_column is not None and table.autoincrement_column.type is RowId,
        remembered=bool(table.dialect_options["sqlite"]["autoincrement"]),
    )


TABLES: tuple[CopiedTable, ...] = tuple(map(_planned, metadata.sorted_tables))
