"""Small facts that the program notes for itself in table `meta`, as JSON by key."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from feedback_app.store.sql import Statement

if TYPE_CHECKING:
    from sqlalchemy import Connection

_READ = Statement("SELECT value FROM meta WHERE key = ?")
_REMOVE = Statement("DELETE FROM meta WHERE key = ?")
_PUT = Statement(
    "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
)


def read(connection: Connection, key: str) -> Any:
    """Return what was noted, None when nothing was."""
    found = _READ(connection, key).scalar_one_or_none()
    return None if found is None else json.loads(found)


def put(connection: Connection, key: str, value: object) -> None:
    """Note a value in the place of the last one; None removes it."""
    if value is None:
        _REMOVE(connection, key)
    else:
        _PUT(connection, key, json.dumps(value))


def ledger_id(connection: Connection) -> str | None:
    """Return the ledger's own id, part of every Message-ID; None when it was lost."""
    found = _READ(connection, "ledger_id").scalar_one_or_none()
    return None if found is None else str(found)
