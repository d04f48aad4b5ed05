"""What tells whether a ledger and those who work on it are well. Read by partial indices, but for the customers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feedback_app.store import daemons
from feedback_app.store.sql import POSTGRESQL

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from feedback_app.model import Milliseconds

_WAITING = {  # what only a person moves on
    "held": "SELECT count(*) FROM message WHERE state = 'held'",
    "dead_messages": "SELECT count(*) FROM message WHERE state = 'dead'",
    "dead_ratings": "SELECT count(*) FROM feedback WHERE state = 'dead'",
    "dead_payloads": "SELECT count(*) FROM dead_letter",
}
_NEWEST = """SELECT max(at) FROM (
 SELECT max(received_at) AS at FROM feedback UNION ALL SELECT max(heartbeat_at) FROM daemon) AS newest"""
_CLOCK = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"


def waiting_for_people(connection: Connection) -> dict[str, int]:
    """Return how many there are of `held` and `dead_messages`, `dead_ratings`, and `dead_payloads` of sources."""
    return {name: int(connection.exec_driver_sql(query).scalar_one()) for name, query in _WAITING.items()}


def newest(connection: Connection) -> Milliseconds | None:
    """Return the newest moment that was written down for something that had happened."""
    found = connection.exec_driver_sql(_NEWEST).scalar_one()
    return None if found is None else int(found)


def server_clock(connection: Connection) -> Milliseconds | None:
    """Return what the server's clock shows, None where there is no server."""
    if connection.dialect.name != POSTGRESQL:
        return None
    return int(connection.exec_driver_sql(_CLOCK).scalar_one())


def silence(connection: Connection, *, host: str | None, now: Milliseconds) -> Milliseconds | None:
    """Return for how long nothing was heard of the running daemon heard of last, None when none has signed on.

    `host` narrows them to those of one machine or container, by its name.
    """
    beats = [one["heartbeat_at"] for one in daemons.running(connection) if host in (None, one["host"])]
    if not beats:
        return None
    server = server_clock(connection)  # by which heartbeats are noted there
    return (now if server is None else server) - int(max(beats))


def preferred_channels(connection: Connection) -> set[str]:
    """Return the channels that customers prefer; reads every customer."""
    lists = connection.exec_driver_sql(
        "SELECT DISTINCT preferred_channels FROM customer WHERE opted_out_at IS NULL"
    )
    return {name for (written,) in lists for one in written.split(",") if (name := one.strip())}
