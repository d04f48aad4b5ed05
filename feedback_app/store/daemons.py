"""Who runs on the ledger: one row for each start of a daemon."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, insert, literal_column, select, update

from feedback_app.store.tables import daemon as table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from feedback_app.model import Milliseconds


def register(connection: Connection, *, boot_id: str, host: str, pid: int, now: Milliseconds) -> None:
    """Note a start."""
    connection.execute(
        insert(table).values(boot_id=boot_id, host=host, pid=pid, started_at=now, heartbeat_at=now)
    )


def heartbeat(
    connection: Connection, *, boot_id: str, channels: Mapping[str, Mapping[str, object]], now: Milliseconds
) -> None:
    """Note that it still runs, and which channels it finds down: channel → {"down_since", "reason"}."""
    connection.execute(
        update(table)
        .where(table.c.boot_id == boot_id)
        .values(
            heartbeat_at=now, channels=json.dumps({name: dict(facts) for name, facts in channels.items()})
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
    newest_row: ColumnElement[int] = literal_column("rowid").desc()
    row = connection.execute(select(table).order_by(newest_row).limit(1)).mappings().one_or_none()
    return {**row, "channels": json.loads(row["channels"])} if row is not None else None
