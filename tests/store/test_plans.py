"""What a daemon asks all the time is found through an index, however long the history: SQLite's own plans say so."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from functools import partial

import pytest
from sqlalchemy import Connection, event

from feedback_app.model import Customer, Feedback, Outcome
from feedback_app.store import daemons, ends, outbox, outcomes, ratings, recovery, rollups, status, waits
from feedback_app.store.facts import count_facts
from feedback_app.store.retention.inbox import Ratings
from feedback_app.store.retention.kind import Cutoffs
from feedback_app.store.retention.outbox import Messages
from feedback_app.store.rollups import Rollup
from feedback_app.store.sqlite.store import SqliteStore
from tests.making import NOW, incoming, message


@pytest.fixture
def store(sqlite_store: SqliteStore) -> SqliteStore:
    """Give what only SQLite has."""
    return sqlite_store


LEASE = outbox.Lease("boot-1", NOW + 30_000)
TABLES = "feedback|customer|low_rating|message|delivery_attempt|daemon"
ATTEMPT = outbox.Attempt(
    number=1, outcome="sent", state="sent", provider="p", owner="boot-1", started_at=NOW, ended_at=NOW
)
OUTCOME = Outcome(
    feedback=Feedback(number=1, rating=5),
    analysis={},
    keep_low=True,
    ended="thanked",
    messages=(message()[1],),
)

OLD = Cutoffs(messages=NOW, ratings=NOW)

UNITS: dict[str, Callable[[Connection], object]] = {
    "take in": partial(ratings.take_in, arrivals=[incoming(contact=Customer(id="c1", email="a@example.com"))], now=NOW),
    "take one": partial(ratings.take_one, arrival=incoming("r2"), now=NOW),
    "claim fresh ratings": partial(ratings.claim_fresh, after=0, limit=10),
    "claim retries": partial(ratings.claim_retries, now=NOW, limit=10),
    "next retry": ratings.next_retry,
    "record a failure": partial(ratings.record_failure, number=1, error="no", retry_at=NOW),
    "commit outcomes": partial(outcomes.commit, outcomes=[OUTCOME], now=NOW),
    "claim messages": partial(outbox.claim, channel="email", lease=LEASE, now=NOW, limit=10),
    "claim reports": partial(outbox.claim, channel="email", lease=LEASE, now=NOW, limit=10, purpose="report"),
    "mark": partial(outbox.mark_may_leave, number=1, owner="boot-1", now=NOW),
    "settle": partial(outbox.settle, attempts=[ATTEMPT]),
    "release": partial(outbox.release, numbers=[1], owner="boot-1"),
    "recover": partial(recovery.recover, now=NOW),
    "pull in": partial(waits.pull_in, channels=["email"], longest=3_600_000, now=NOW),
    "next due": partial(outbox.next_due, channel="email"),
    "ends": partial(ends.of, numbers=[1]),
    "count facts": partial(count_facts, span=(NOW, NOW + 1), gone=Rollup(), low_below=3),
    "find old ratings": partial(Ratings().find, cutoffs=OLD, after=0, limit=10),
    "find old messages": partial(Messages().find, cutoffs=OLD, after=0, limit=10),
    "delete old ratings": partial(Ratings().delete, cutoffs=OLD, ids=[1], gone=defaultdict(Rollup)),
    "delete old messages": partial(Messages().delete, cutoffs=OLD, ids=[1], gone=defaultdict(Rollup)),
    "count what was deleted": lambda one: rollups.add(one, {1: Rollup()}),
    "heartbeat": partial(daemons.heartbeat, boot_id="boot-1", channels={}, sources={}, now=NOW),
}  # fmt: skip


def plans_of(unit: Callable[[Connection], object], connection: Connection) -> list[str]:
    """Run a unit and return how SQLite finds the rows of each of its statements."""
    asked: list[tuple[str, object]] = []

    def note(
        _connection: object, _cursor: object, statement: str, parameters: object, *_rest: object
    ) -> None:
        asked.append((statement, parameters[0] if isinstance(parameters, list) else parameters))

    event.listen(connection, "before_cursor_execute", note)
    unit(connection)
    event.remove(connection, "before_cursor_execute", note)
    driver = connection.connection.driver_connection
    assert driver is not None
    return [row[3] for one in asked for row in driver.execute(f"EXPLAIN QUERY PLAN {one[0]}", one[1])]


@pytest.mark.parametrize("name", UNITS)
async def test_no_table_is_read_from_end_to_end(store: SqliteStore, name: str) -> None:
    """A scan of a table, or of an index over a whole table, costs more with every rating that ever came."""
    await store.write(partial(ratings.take_in, arrivals=[incoming()], now=NOW))
    await store.write(partial(outbox.enqueue, entries=[message()], now=NOW))
    plans = await store.write(partial(plans_of, UNITS[name]))
    assert plans or name in ("take in", "heartbeat")
    assert [plan for plan in plans if re.match(rf"SCAN ({TABLES})\b", plan)] == []


async def test_this_test_finds_a_scan(store: SqliteStore) -> None:
    """The test of the test."""
    plans = await store.write(
        partial(
            plans_of,
            lambda connection: connection.exec_driver_sql("SELECT count(*) FROM message WHERE text = ''"),
        )
    )
    assert plans == ["SCAN message"]


async def test_gauges_count_over_what_waits_and_is_stuck(store: SqliteStore) -> None:
    """Every few seconds: by the partial indices, which hold no history."""
    plans = await store.write(partial(plans_of, status.gauges))
    scans = [plan for plan in plans if re.match(rf"SCAN ({TABLES})\b", plan)]
    assert scans
    partial_ones = (
        "ix_feedback_pending|ix_feedback_dead|ix_low_rating_unresolved|ix_message_due|ix_message_stuck"
    )
    assert [plan for plan in scans if not re.search(rf"INDEX ({partial_ones})\b", plan)] == []
