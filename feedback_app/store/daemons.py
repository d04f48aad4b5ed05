"""Who runs on the ledger: one row for each start of a daemon."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, RowMapping, insert, literal_column, select, update

from feedback_app.store.sql import SQLITE
from feedback_app.store.tables import daemon as table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from feedback_app.model import Milliseconds


def register(
    connection: Connection,
    *,
    boot_id: str,
    host: str,
    pid: int,
    now: Milliseconds,
    process: Mapping[str, object] | None = None,
) -> None:
    """Note a start; `process` is what the daemon says of itself."""
    connection.execute(
        insert(table).values(
            boot_id=boot_id,
            host=host,
            pid=pid,
            started_at=now,
            heartbeat_at=now,
            process=json.dumps(dict(process or {})),
        )
    )


def heartbeat(
    connection: Connection,
    *,
    boot_id: str,
    channels: Mapping[str, object],
    sources: Mapping[str, object],
    now: Milliseconds,
    process: Mapping[str, object] | None = None,
) -> None:
    """Note that it still runs, how its channels fare ("down_since", "reason", "providers"), and its sources."""
    connection.execute(
        update(table)
        .where(table.c.boot_id == boot_id)
        .values(
            heartbeat_at=now,
            channels=json.dumps(dict(channels)),
            sources=json.dumps(dict(sources)),
            process=json.dumps(dict(process or {})),
        )
    )


def stopped(connection: Connection, *, boot_id: str, now: Milliseconds) -> None:
    """Note an orderly end."""
    connection.execute(
        update(table).where(table.c.boot_id == boot_id).values(stopped_at=now, heartbeat_at=now)
    )


def crashed(connection: Connection) -> bool:
    """Whether the last daemon ended without saying so."""
    found = last(connection)
    return found is not None and found["stopped_at"] is None


def last(connection: Connection) -> dict[str, Any] | None:
    """Return the newest start as a mapping of its columns, None before the first."""
    # In the order of the rows, not of their times: a start while the clock was ahead would stay the newest for years.
    # On PostgreSQL they are by the server's clock.
    newest: ColumnElement[int] = (
        literal_column("rowid") if connection.dialect.name == SQLITE else table.c.started_at
    )
    row = connection.execute(select(table).order_by(newest.desc()).limit(1)).mappings().one_or_none()
    return _facts(row) if row is not None else None


def running(connection: Connection) -> list[dict[str, Any]]:
    """Return the daemons that have not said that they ended and that nobody found dead, the oldest first.

    On SQLite that is the newest at most: whoever came before it and said nothing is dead, for there is but one.
    """
    if connection.dialect.name == SQLITE:
        newest = last(connection)
        return [newest] if newest is not None and newest["stopped_at"] is None else []
    query = select(table).where(table.c.stopped_at.is_(None), table.c.fenced_at.is_(None))
    return [_facts(row) for row in connection.execute(query.order_by(table.c.started_at)).mappings()]


def _facts(row: RowMapping) -> dict[str, Any]:
    return {
        **row,
        "channels": json.loads(row["channels"]),
        "sources": json.loads(row["sources"]),
        "process": json.loads(row["process"] or "{}"),
    }
