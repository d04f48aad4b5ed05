"""All that is deleted, in the order in which one sets the next free, and one step of it."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from feedback_app import failpoints
from feedback_app.store import rollups
from feedback_app.store.retention.archive import Reports, Starts, Tries
from feedback_app.store.retention.inbox import DeadLetters, LowRatings, Ratings
from feedback_app.store.retention.outbox import Attempts, DeadMessages, Messages
from feedback_app.store.rollups import Rollup
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
    Tries(),
)

# A row may be a megabyte, which takes SQLite 2 ms, and the next one a thousand times as long as the last.
_AT_ONCE = 8

# Two processes would count into the same rows: on PostgreSQL one has this, to the transaction's end.
_ALONE = "SELECT pg_try_advisory_xact_lock(hashtext('feedback_app retention'))"


class Step(NamedTuple):
    """What a step did."""

    deleted: Counter[str]  # rows, by class
    tried: int  # how many of what was found it looked at again, from the first on
    begun: float  # by `time.perf_counter`


def step(
    connection: Connection, kind: Kind, cutoffs: Cutoffs, ids: Sequence[Any], seconds: float
) -> Step | None:
    """Delete of what was found what still may go, until `seconds` are over; None: another process is at it."""
    begun = time.perf_counter()
    if connection.dialect.name == POSTGRESQL and not connection.exec_driver_sql(_ALONE).scalar_one():
        return None
    deleted: Counter[str] = Counter()
    gone: defaultdict[int, Rollup] = defaultdict(Rollup)
    tried = 0
    while tried < len(ids) and (not tried or time.perf_counter() - begun < seconds):
        deleted += kind.delete(connection, cutoffs, ids[tried : tried + _AT_ONCE], gone)
        tried = min(tried + _AT_ONCE, len(ids))
    rollups.add(connection, gone)
    failpoints.reached("retention.deleted")
    return Step(deleted, tried, begun)


def count(connection: Connection, cutoffs: Cutoffs) -> Counter[str]:
    """Return how many rows would go, by class."""
    return Counter({kind.name: kind.count(connection, cutoffs) for kind in KINDS})
