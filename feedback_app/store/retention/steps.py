"""All that is deleted, in the order in which one sets the next free, and one step of it."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from feedback_app import failpoints
from feedback_app.store.retention.archive import Reports, Starts
from feedback_app.store.retention.inbox import DeadLetters, LowRatings, Ratings
from feedback_app.store.retention.outbox import Attempts, DeadMessages, Messages
from feedback_app.store.sql import POSTGRESQL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from feedback_app.store.retention.kind import Cutoffs, Kind

KINDS: tuple[Kind, ...] = (
    Attempts(),
    Messages(),
    DeadMessages(),
    LowRatings(),
    Ratings(),
    Reports(),
    DeadLetters(),
    Starts(),
)

# Two processes would count into the same rows: on PostgreSQL one has this, to the transaction's end.
_ALONE = "SELECT pg_try_advisory_xact_lock(hashtext('feedback_app retention'))"


class Step(NamedTuple):
    """What a step did."""

    deleted: Counter[str]  # rows, by class
    seconds: float  # that it took, without the commit


def step(connection: Connection, kind: Kind, cutoffs: Cutoffs, ids: Sequence[Any]) -> Step | None:
    """Delete what was found, as far as it still may go; None: another process is at it."""
    begun = time.perf_counter()
    if connection.dialect.name == POSTGRESQL and not connection.exec_driver_sql(_ALONE).scalar_one():
        return None
    deleted = kind.delete(connection, cutoffs, ids)
    failpoints.reached("retention.deleted")
    return Step(deleted, time.perf_counter() - begun)


def count(connection: Connection, cutoffs: Cutoffs) -> Counter[str]:
    """Return how many rows would go, by class."""
    return Counter({kind.name: kind.count(connection, cutoffs) for kind in KINDS})
