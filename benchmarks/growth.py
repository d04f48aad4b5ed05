"""What the size of the ledger costs.

`growth`: the whole road of a rating, until its message is recorded as sent, with that many finished ratings in the
ledger. `memory`: the daemon's memory while a long queue passes through it, and how large the ledger is then.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from functools import partial
from typing import TYPE_CHECKING

from benchmarks import ledger
from benchmarks.harness import Benchmark, Measured, Side
from benchmarks.program import daemon, resident_mb, used_by_children
from feedback_app.clock import now_ms
from feedback_app.daemon import Daemon
from feedback_app.settings import load_settings
from feedback_app.store.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from pathlib import Path

_HUGE = "FEEDBACK_BENCH_HUGE"  # environment variable that asks for 10⁷ rows
_TENTHS = 10
_PATIENCE = 60.0  # seconds for the start
_DAYS = 90 * 86_400_000  # milliseconds that the history is spread over
_HISTORY = """
CREATE TEMP TABLE past AS
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :rows)
SELECT n, 'c' || (n % 10000) AS customer, :now - :span + n * :span / :rows AS moment,
       CASE WHEN n % 20 < 5 THEN 1 WHEN n % 20 < 10 THEN 2 WHEN n % 20 < 13 THEN 3 WHEN n % 20 < 16 THEN 4 ELSE 5
       END AS rating
  FROM numbers;
INSERT INTO feedback (id, source, external_id, content_hash, customer_id, item, rating, comment, received_at, thank,
                      state, ended, analysis, processed_at)
SELECT n, 'past', 'p' || n, randomblob(12), customer, 'item ' || (n % 500), rating, hex(zeroblob(60)), moment, 1,
       'processed', iif(rating < 3, 'low', 'thanked'), '{"keyword_tags": ["late"]}', moment + 50
  FROM past;
INSERT INTO low_rating (feedback_id, state, stored_at, acknowledged_at, resolved_at)
SELECT n, 'resolved', moment + 50, moment + 5000, moment + 9000 FROM past WHERE rating < 3;
INSERT INTO message (message_id, dedupe_key, purpose, feedback_id, customer_id, customer_name, channel, recipient,
                     subject, text, html, state, attempts, created_at, next_attempt_at, settled_at, provider)
SELECT 'thanks.' || n || '.past', 'thanks:' || n, 'thanks', n, customer, 'Customer', 'count', customer,
       'Thank you for your rating', hex(zeroblob(180)), '', 'sent', 1, moment + 50, moment + 50, moment + 90, 'count'
  FROM past WHERE rating > 2;
INSERT INTO delivery_attempt (message_number, started_at, ended_at, provider, outcome)
SELECT id, created_at, settled_at, 'count', 'sent' FROM message;
"""


def _prepare(folder: Path, count: int, *, rows: int) -> None:
    """Make a ledger with `rows` ratings of the past and `count` that wait."""
    ledger.prepare(folder, 0)
    path = folder / "feedback.db"
    base = sqlite3.connect(path, isolation_level=None)
    base.execute("PRAGMA synchronous = OFF")
    base.execute("BEGIN")
    for statement in filter(str.strip, _HISTORY.split(";")):
        base.execute(
            statement, {"rows": rows, "now": now_ms(), "span": _DAYS} if ":rows" in statement else {}
        )
    base.execute("COMMIT")
    base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    base.close()
    asyncio.run(ledger.fill(SqliteStore(path), count))


def _growth(folder: Path, count: int) -> Measured:
    os.sync()  # the ledger was copied for this run: the disk must not still be writing that
    seconds = asyncio.run(_drain(folder, count))
    return {"value": seconds / count * 1e6, "MB of ledger": (folder / "feedback.db").stat().st_size / 1e6}


async def _drain(folder: Path, count: int) -> float:
    """Return the seconds from where the daemon is ready to where every message is recorded as sent."""
    one = Daemon(load_settings(folder / "config.toml", environ={}))
    running = asyncio.create_task(one.run(drain=True))
    await asyncio.to_thread(one.ready.wait, _PATIENCE)
    begun = time.perf_counter()
    figures = await running
    assert figures.processed == count, f"{figures.processed} of {count} ratings are processed"
    return time.perf_counter() - begun


def _memory(folder: Path, count: int) -> Measured:
    """Watch the daemon from outside; its memory is read after each tenth of the ratings."""
    path = folder / "feedback.db"
    resident: list[float] = []
    base = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
    with daemon(folder) as (pid, _):
        while len(resident) < _TENTHS or _is_sending(base):
            if len(resident) < _TENTHS and _done(base, count) >= count * (len(resident) + 1) // _TENTHS:
                resident.append(resident_mb(pid))
            time.sleep(0.01)
        base.close()
        at_end = resident_mb(pid)
    size = sum(file.stat().st_size for file in folder.glob("feedback.db*"))
    return {
        **used_by_children(),
        "value": max(*resident, at_end),
        **{f"after {count * (tenth + 1) // _TENTHS:,}": mb for tenth, mb in enumerate(resident)},
        "grown since the first tenth": at_end - resident[0],
        "bytes of ledger per rating": size / count,
    }


def _done(base: sqlite3.Connection, count: int) -> int:
    """Return how many are processed: they are taken in the order of their numbers, so the first that waits tells."""
    first = base.execute("SELECT id FROM feedback WHERE state = 'received' ORDER BY id LIMIT 1").fetchone()
    return first[0] - 1 if first else count


def _is_sending(base: sqlite3.Connection) -> bool:
    return any(
        base.execute("SELECT 1 FROM message WHERE state = ? LIMIT 1", (state,)).fetchone()
        for state in ("queued", "sending")
    )


def _unless_asked() -> str | None:
    return None if os.environ.get(_HUGE) else f"takes 13 GB of disk; {_HUGE}=1 python -m benchmarks growth"


def _side(rows: int) -> Side:
    return Side(
        name=f"{rows:,} rows",
        prepare=partial(_prepare, rows=rows),
        run=_growth,
        missing=_unless_asked if rows > 1_000_000 else lambda: None,
    )


BENCHMARKS = (
    Benchmark(
        name="growth",
        title="the whole road of a rating with that many in the ledger",
        unit="µs/rating",
        count=20_000,
        better="less",
        sides=tuple(_side(rows) for rows in (1_000_000, 10_000, 100_000, 10_000_000)),
    ),
    Benchmark(
        name="memory",
        title="the daemon's memory while the ratings pass, after each tenth",
        unit="MB",
        count=1_000_000,
        better="less",
        sides=(Side(name="feedback_app", prepare=ledger.prepare, run=_memory),),
    ),
)
