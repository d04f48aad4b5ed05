"""Counts over the ledger. Everything but the totals is found through partial indices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from feedback_app.model import LOW_RATING_STATES, MESSAGE_STATES

if TYPE_CHECKING:
    from sqlalchemy import Connection


def counts(connection: Connection) -> dict[str, dict[str, int]]:
    """Return how many there are of each by state: feedback, low_ratings, messages."""
    return {
        "feedback": _feedback(connection),
        "low_ratings": _low_ratings(connection),
        "messages": _messages(connection),
    }


def _one(connection: Connection, query: str) -> int:
    return int(connection.exec_driver_sql(query).scalar_one())


def _by_state(connection: Connection, query: str) -> dict[str, int]:
    return {str(state): int(count) for state, count in connection.exec_driver_sql(query)}


def _feedback(connection: Connection) -> dict[str, int]:
    received = _one(connection, "SELECT count(*) FROM feedback WHERE state = 'received'")
    dead = _one(connection, "SELECT count(*) FROM feedback WHERE state = 'dead'")
    total = _one(connection, "SELECT count(*) FROM feedback")
    letters = _one(connection, "SELECT count(*) FROM dead_letter")  # what sources brought that is no rating
    return {"received": received, "processed": total - received - dead, "dead": dead + letters}


def _low_ratings(connection: Connection) -> dict[str, int]:
    unresolved = _by_state(
        connection, "SELECT state, count(*) FROM low_rating WHERE state <> 'resolved' GROUP BY state"
    )
    total = _one(connection, "SELECT count(*) FROM low_rating")
    found = {**unresolved, "resolved": total - sum(unresolved.values())}
    return {state: found.get(state, 0) for state in LOW_RATING_STATES}


def _messages(connection: Connection) -> dict[str, int]:
    found = _by_state(
        connection,
        "SELECT state, count(*) FROM message WHERE state IN ('sending', 'held', 'suppressed', 'dead') GROUP BY state",
    )
    found["queued"] = _one(connection, "SELECT count(*) FROM message WHERE state = 'queued'")
    found["sent"] = _one(connection, "SELECT count(*) FROM message") - sum(found.values())
    return {state: found.get(state, 0) for state in MESSAGE_STATES}


def waiting(connection: Connection) -> dict[str, Any]:
    """Return what waits longest, in epoch milliseconds or None: the oldest rating, and each channel's messages."""
    oldest = connection.exec_driver_sql(
        "SELECT received_at FROM feedback WHERE state = 'received' ORDER BY id LIMIT 1"
    ).scalar_one_or_none()
    channels = connection.exec_driver_sql(
        "SELECT channel, count(*) AS queued, min(created_at) AS oldest, min(next_attempt_at) AS next_attempt"
        " FROM message WHERE state = 'queued' GROUP BY channel ORDER BY channel"
    )
    return {
        "oldest_rating": oldest,
        "channels": {
            row.channel: {"queued": row.queued, "oldest": row.oldest, "next_attempt": row.next_attempt}
            for row in channels
        },
    }


def gauges(connection: Connection) -> dict[str, Any]:
    """Return what is worth a look every few seconds; as `waiting`, without a count over all there is."""
    stuck = _by_state(
        connection,
        "SELECT state, count(*) FROM message WHERE state IN ('sending', 'held', 'suppressed', 'dead')"
        " AND state IN ('held', 'dead') GROUP BY state",
    )
    letters = _one(connection, "SELECT count(*) FROM dead_letter")
    reports = connection.exec_driver_sql("SELECT name, max(made_at) FROM report_run GROUP BY name")
    return {
        **waiting(connection),
        "received": _one(connection, "SELECT count(*) FROM feedback WHERE state = 'received'"),
        "ratings_dead": _one(connection, "SELECT count(*) FROM feedback WHERE state = 'dead'") + letters,
        "held": stuck.get("held", 0),
        "messages_dead": stuck.get("dead", 0),
        "low_ratings_open": _one(
            connection, "SELECT count(*) FROM low_rating WHERE state <> 'resolved' AND state = 'open'"
        ),
        "reports": {str(name): int(made_at) for name, made_at in reports},
    }


def overview(connection: Connection) -> dict[str, Any]:
    """Return what is not about the queues: the schema, who gets nothing any more, when each report was made last."""
    reports = connection.exec_driver_sql(
        "SELECT name, local_date, made_at, occasion FROM report_run AS r"
        " WHERE made_at = (SELECT max(made_at) FROM report_run WHERE name = r.name) ORDER BY local_date"
    )
    return {
        # Asked as when the ledger is opened: of a damaged one another query may find another answer, or none.
        "schema": str(
            connection.exec_driver_sql("SELECT max(version_num) FROM alembic_version").scalar_one()
        ),
        "suppressed_addresses": _one(connection, "SELECT count(*) FROM suppressed_address"),
        "dead_letters": _one(connection, "SELECT count(*) FROM dead_letter"),
        "reports": {
            row.name: {"date": row.local_date, "made_at": row.made_at, "occasion": row.occasion}
            for row in reports
        },
    }


def endings(connection: Connection) -> dict[str, int]:
    """Return how many ratings' roads ended where, the most frequent first; reads every rating."""
    rows = connection.exec_driver_sql(
        "SELECT ended, count(*) FROM feedback WHERE ended IS NOT NULL GROUP BY ended ORDER BY count(*) DESC, ended"
    )
    return {str(ended): int(count) for ended, count in rows}
