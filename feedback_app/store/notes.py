"""Small facts that the program notes for itself in table `meta`, as JSON by key."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Connection


def read(connection: Connection, key: str) -> Any:
    """Return what was noted, None when nothing was."""
    found = connection.exec_driver_sql("SELECT value FROM meta WHERE key = ?", (key,)).scalar_one_or_none()
    return None if found is None else json.loads(found)


def put(connection: Connection, key: str, value: object) -> None:
    """Note a value in the place of the last one; None removes it."""
    if value is None:
        connection.exec_driver_sql("DELETE FROM meta WHERE key = ?", (key,))
        return
    connection.exec_driver_sql(
        "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (key, json.dumps(value)),
    )
