"""Whether a daemon lives: how long ago it was heard of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select, text

from feedback_app.store.sql import POSTGRESQL
from feedback_app.store.tables import daemon as table

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from feedback_app.model import Milliseconds

_SERVERS_NOW = text(
    "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"
)  # by which heartbeats are noted there


def silence(connection: Connection, *, host: str | None, now: Milliseconds) -> Milliseconds | None:
    """Return for how long the daemon has been silent that was heard of last, None when none has signed on.

    `host` narrows them to those of one machine or container, by its name.
    """
    query = select(func.max(table.c.heartbeat_at)).where(
        table.c.stopped_at.is_(None), table.c.fenced_at.is_(None)
    )
    if host is not None:
        query = query.where(table.c.host == host)
    last = connection.execute(query).scalar_one()
    if last is None:
        return None
    if connection.dialect.name == POSTGRESQL:
        now = int(connection.execute(_SERVERS_NOW).scalar_one())
    return now - int(last)
