"""The database of another program, whose table is read."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from feedback_app.plugins._table_reader import TableReader, checked_url
from feedback_app.plugins.database_table import Settings


class Shop:
    """A table of another program, and readers of it."""

    def __init__(self, path: Path, *, table: str = "ratings", columns: str = "id, at, rating") -> None:
        self.path = path
        self._table = table
        self.run(f'CREATE TABLE "{table}" ({columns})')

    def run(self, statement: str, *values: Any) -> None:
        """Change the shop's data."""
        shop = sqlite3.connect(self.path)
        try:
            shop.execute(statement, values)
            shop.commit()
        finally:
            shop.close()

    def add(self, *rows: tuple[Any, ...]) -> None:
        """Add rows."""
        for row in rows:
            self.run(f'INSERT INTO "{self._table}" VALUES ({", ".join("?" * len(row))})', *row)

    def reader(self, position: str | None = None, **how: Any) -> TableReader:
        """Return an open reader."""
        options = {"url": f"sqlite:///{self.path}", "table": self._table, "key": "id", "revisit": 2} | how
        settings = Settings.model_validate(options)
        made = TableReader(checked_url(settings.url), settings)
        made.open(position)
        return made


def ids(reader: TableReader, limit: int = 100) -> list[str]:
    """Return the next rows' ids."""
    return [one.id for one in reader.read(limit)]
