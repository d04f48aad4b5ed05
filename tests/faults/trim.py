"""`db trim` deletes most of a ledger while another process writes: how long it holds the ledger, and that one waits.

How long it holds it is what the kernel says of its lock, looked at every millisecond. A case is 1,000 ratings with
their messages, of which two thirds go.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from feedback_app.clock import now_ms
from feedback_app.store.sqlite.store import SqliteStore
from tests.faults.lock_watch import LockWatch
from tests.faults.program import Program
from tests.running import business, rows
from tests.store.old_rows import DAY, message, put, rating

_SPAN = 90 * DAY
_CONFIG = '[retention]\nmessages = "30d"\nratings = "30d"\n'
_HELD = 0.05  # seconds that nobody may hold it longer, or wait longer for it
_PAUSE = 0.002  # seconds between two writes


@dataclass(kw_only=True)
class Figures:
    """What the writer saw."""

    ratings: int = 0
    deleted: int = 0  # ratings
    writes: int = 0
    slowest_hold_ms: float = 0.0
    slowest_wait_ms: float = 0.0  # with the pauses that SQLite makes between two tries
    slowest_commit_ms: float = 0.0  # of the writer's one row: what the disk takes for a sync
    broken: list[str] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)


def run(_first_seed: int, cases: int) -> Figures:
    """Fill one ledger with all cases, let it be trimmed, and return the figures."""
    figures = Figures(ratings=cases * 1000)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        business(folder, config=_CONFIG)
        asyncio.run(_fill(folder, figures.ratings))
        asked = now_ms()
        waits, commits, held = asyncio.run(_write_beside(folder))
        left = rows(folder / "feedback.db", "SELECT count(*), min(received_at) FROM feedback")[0]
    figures.deleted, figures.writes = figures.ratings - left[0], len(waits)
    figures.slowest_hold_ms, figures.slowest_wait_ms = held * 1000, max(waits) * 1000
    figures.slowest_commit_ms = max(commits) * 1000
    if not figures.deleted or left[1] < asked - 30 * DAY:
        figures.broken.append(f"of {figures.ratings:,} ratings {left[0]:,} are left, the oldest of {left[1]}")
    if held > _HELD:
        figures.slow.append(f"a step held the ledger for {held * 1000:.0f} ms")
    figures.slow += [f"waited {wait * 1000:.0f} ms for the ledger" for wait in waits if wait > _HELD]
    return figures


async def _fill(folder: Path, count: int) -> None:
    begin = now_ms() - _SPAN
    moments = [(number, begin + _SPAN * number // count) for number in range(1, count + 1)]
    async with SqliteStore(folder / "feedback.db") as store:
        await put(
            store,
            ratings=[rating(number, at) for number, at in moments],
            messages=[message(number, at=at, text="Thank you. " * 20) for number, at in moments],
            attempts=moments,
        )


async def _write_beside(folder: Path) -> tuple[list[float], list[float], float]:
    """Return the seconds that each write waited, those of each commit, and the longest that `db trim` held the ledger.

    A daemon that has nothing to do holds the ledger's own lock, so nobody folds the log back meanwhile: that holds up
    writers of whatever kind, and is none of retention's.
    """
    async with SqliteStore(folder / "feedback.db", "daemon"):
        trim = await Program.start(folder, "db", "trim")
        watch = LockWatch(folder / "feedback.db")
        with watch.watching():
            waits, commits = await _write(folder, trim)
    return waits, commits, watch.longest.get(trim.pid, 0.0)


async def _write(folder: Path, trim: Program) -> tuple[list[float], list[float]]:
    waits, commits = [], []
    ended = asyncio.create_task(trim.ended(600))  # on a disk each commit of either waits for a sync
    with closing(sqlite3.connect(folder / "feedback.db", isolation_level=None)) as ledger:
        ledger.execute("PRAGMA busy_timeout = 5000")
        ledger.execute("PRAGMA wal_autocheckpoint = 0")
        while not ended.done():
            begun = time.perf_counter()
            ledger.execute("BEGIN IMMEDIATE")
            waits.append(time.perf_counter() - begun)
            ledger.execute("INSERT OR REPLACE INTO meta VALUES ('written', 'beside')")
            written = time.perf_counter()
            ledger.execute("COMMIT")
            commits.append(time.perf_counter() - written)
            await asyncio.sleep(_PAUSE)
    if code := await ended:
        raise RuntimeError(f"db trim ended with {code}: {trim.said}")
    return waits, commits
