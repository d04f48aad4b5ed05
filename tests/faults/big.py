"""Large ledgers: what a daemon asks all the time must cost the same after years of ratings. A case is 1,000 ratings.

The rows are made by SQL, history for the most part: processed ratings and sent messages, with a few that still wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path

from sqlalchemy import Connection

from feedback_app.store import outbox, ratings, status
from feedback_app.store.sqlite import file
from feedback_app.store.sqlite.store import SqliteStore
from tests.making import NOW, incoming, message

LIMIT = 0.01  # seconds at the 99th percentile
START_LIMIT = 1.0  # seconds
_WAITING = 2_000  # rows of each kind that are still to do
_LEASE = outbox.Lease("big", NOW + 30_000)

_HISTORY = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows)
INSERT INTO feedback (source, external_id, content_hash, customer_id, item, rating, comment, received_at, thank,
                      state, ended, processed_at)
SELECT 'big', 'b' || i, zeroblob(16), 'c' || (i % 100000), 'umbrella', 1 + i % 5, 'as long as comments are, mostly',
       :now - 1000 * (:rows - i), 1, 'processed', 'thanked', :now FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows)
INSERT INTO message (message_id, dedupe_key, purpose, feedback_id, customer_id, channel, recipient, subject, text, html,
                     state, attempts, created_at, next_attempt_at, settled_at)
SELECT 'm' || i, 'thanks:' || i, 'thanks', i, 'c' || (i % 100000), 'email', 'c' || i || '@example.com', 'Thank you',
       'Thank you for the rating, it helps us', '', 'sent', 1, :now, :now, :now FROM n;
"""


@dataclass(kw_only=True)
class Figures:
    """What the questions cost, in seconds at the 99th percentile where nothing else is said."""

    rows: int = 0
    most_mebibytes: int = 0
    slowest_claim_of_ratings: float = 0.0
    slowest_claim_of_messages: float = 0.0
    slowest_next_due: float = 0.0
    slowest_take_in: float = 0.0
    slowest_settling: float = 0.0
    slowest_status: float = 0.0  # the only one that may grow: it counts
    slowest_start: float = 0.0  # one opening by a daemon
    slow: list[str] = field(default_factory=list)  # what took longer than promised; tests do not look at it
    broken: list[str] = field(default_factory=list)


def run(_first_seed: int, thousands: int) -> Figures:
    """Make a ledger with so many thousands of ratings and messages, and ask."""
    figures = Figures(rows=thousands * 1000)
    with tempfile.TemporaryDirectory(prefix="feedback-big-") as name:
        ledger = Path(name) / "feedback.db"
        file.create(ledger)
        _fill(ledger, thousands * 1000)
        figures.most_mebibytes = ledger.stat().st_size >> 20
        asyncio.run(_ask(ledger, figures))
    for what, seconds in vars(figures).items():
        limit = START_LIMIT if what == "slowest_start" else LIMIT
        if what.startswith("slowest_") and what != "slowest_status" and seconds > limit:
            figures.slow.append(f"{what.replace('_', ' ')}: {seconds * 1000:.1f} ms of {figures.rows:,} rows")
    return figures


def _fill(ledger: Path, rows: int) -> None:
    with contextlib.closing(sqlite3.connect(ledger)) as base:
        base.execute("PRAGMA synchronous = OFF")
        with base:
            for statement in _HISTORY.split(";")[:-1]:
                base.execute(statement, {"rows": rows, "now": NOW})
        base.execute("PRAGMA wal_checkpoint(TRUNCATE)")


async def _ask(ledger: Path, figures: Figures) -> None:
    begun = time.perf_counter()
    async with SqliteStore(ledger, "daemon") as store:
        figures.slowest_start = time.perf_counter() - begun
        arrivals = [incoming(f"waiting{number}") for number in range(_WAITING)]
        await store.write(partial(ratings.take_in, arrivals=arrivals, now=NOW))
        entries = [message(1_000_000_000 + number) for number in range(_WAITING)]
        await store.write(partial(outbox.enqueue, entries=entries, now=NOW))
        claim = partial(ratings.claim_fresh, after=0, limit=100)
        figures.slowest_claim_of_ratings = await _p99(store.read, claim)
        figures.slowest_claim_of_messages = await _p99(store.write, _claim_and_release)
        figures.slowest_settling = await _p99(store.write, _claim_and_settle)
        figures.slowest_next_due = await _p99(store.read, partial(outbox.next_due, channel="email"))
        figures.slowest_take_in = await _p99(store.write, _Intake())
        figures.slowest_status = await _p99(store.read, status.counts, tries=5)


async def _p99(
    run: Callable[[Callable[[Connection], None]], Awaitable[None]],
    unit: Callable[[Connection], object],
    tries: int = 300,
) -> float:
    """Return what a unit takes by itself, in seconds: without the commit, which costs what the disk costs."""
    took = []

    def timed(connection: Connection) -> None:
        begun = time.perf_counter()
        unit(connection)
        took.append(time.perf_counter() - begun)

    for _ in range(tries):
        await run(timed)
    return sorted(took)[int(len(took) * 0.99)]


def _claim(connection: Connection, limit: int) -> list[int]:
    claimed = outbox.claim(connection, "email", lease=_LEASE, now=NOW, limit=limit)
    assert len(claimed) == limit
    return [one.number for one in claimed]


def _claim_and_release(connection: Connection) -> None:
    outbox.release(connection, _claim(connection, 16), _LEASE.owner)


def _claim_and_settle(connection: Connection) -> None:
    attempts = [
        outbox.Attempt(
            number=number,
            outcome="sent",
            state="sent",
            provider="big",
            owner=_LEASE.owner,
            started_at=NOW,
            ended_at=NOW,
        )
        for number in _claim(connection, 4)
    ]
    assert outbox.settle(connection, attempts) == len(attempts)


class _Intake:
    """Takes in ten new ratings at each call."""

    def __init__(self) -> None:
        self._calls = count()

    def __call__(self, connection: Connection) -> None:
        call = next(self._calls)
        arrivals = [incoming(f"new{call}-{number}", customer=f"c{call}") for number in range(10)]
        ratings.take_in(connection, arrivals, NOW)
