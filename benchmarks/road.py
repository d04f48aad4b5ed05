"""The road of waiting ratings, without and with delivery, beside the least program that does the same durable work.

`road` ends when all ratings are processed and the outbox is written, `deliver` when every message is recorded as sent
by a plugin that counts; it begins when the daemon's parts stand. `limit` is one thread with the sqlite3 module: same
tables, same templates, executemany, Template.render, batches of 500, synchronous=FULL.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader

import feedback_app
from benchmarks import ledger
from benchmarks.harness import Benchmark, Measured, Side
from feedback_app import assembly
from feedback_app.cli.daemon import keep_what_stands
from feedback_app.clock import now_ms
from feedback_app.daemon import Daemon
from feedback_app.processing import Processor
from feedback_app.settings import load_settings
from feedback_app.store.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from pathlib import Path

_BATCH = 500


def _road(folder: Path, count: int) -> Measured:
    return _speed(count, asyncio.run(_process(folder, count)))


async def _process(folder: Path, count: int) -> float:
    settings = load_settings(folder / "config.toml", environ={})
    host = assembly.load_plugins(settings)
    done = 0

    def committed(ratings: int) -> None:
        nonlocal done
        done += ratings

    async with SqliteStore(settings.store_path, "daemon") as store:
        pipeline = assembly.pipeline_of(settings, host, ledger_id=store.ledger_id)
        processor = Processor(
            store, pipeline, workers=settings.pipeline.workers, clock=now_ms, on_commit=committed
        )
        keep_what_stands()
        begun = time.perf_counter()
        running = asyncio.create_task(processor.conveyor.run())
        processor.conveyor.wake()
        await processor.conveyor.idle()
        seconds = time.perf_counter() - begun
        processor.conveyor.stop()
        await running
    assert done == count
    return seconds


def _deliver(folder: Path, count: int) -> Measured:
    begun = 0.0

    def ready() -> None:
        nonlocal begun
        keep_what_stands()
        begun = time.perf_counter()

    daemon = Daemon(load_settings(folder / "config.toml", environ={}), on_ready=ready)
    figures = asyncio.run(daemon.run(drain=True))
    seconds = time.perf_counter() - begun
    assert figures.processed == count
    return _speed(count, seconds)


def _speed(count: int, seconds: float) -> Measured:
    return {"value": count / seconds}


def _limit(folder: Path, count: int) -> Measured:
    base = _open(folder)
    begun = time.perf_counter()
    _limit_road(base)
    return _speed(count, time.perf_counter() - begun)


def _limit_deliver(folder: Path, count: int) -> Measured:
    base = _open(folder)
    begun = time.perf_counter()
    _limit_road(base)
    while _limit_send(base):
        pass
    return _speed(count, time.perf_counter() - begun)


def _open(folder: Path) -> sqlite3.Connection:
    base = sqlite3.connect(folder / "feedback.db", isolation_level=None)
    base.execute("PRAGMA synchronous = FULL")
    return base


def _limit_road(base: sqlite3.Connection) -> None:
    shipped = next(iter(feedback_app.__path__)) + "/templates"
    templates = Environment(loader=FileSystemLoader(shipped), trim_blocks=True, lstrip_blocks=True)
    subject, text = templates.get_template("thanks.subject.txt"), templates.get_template("thanks.txt")
    while True:
        batch = base.execute(
            "SELECT f.id, f.rating, f.item, f.comment, c.id, c.name, c.locale FROM feedback f"
            " LEFT JOIN customer c ON c.id = f.customer_id WHERE f.state = 'received' ORDER BY f.id LIMIT ?",
            (_BATCH,),
        ).fetchall()
        if not batch:
            return
        now = now_ms()
        low, messages, done = [], [], []
        for number, rating, item, comment, whom, name, locale in batch:
            if rating < 3:
                low.append((number, "open", now))
                done.append((now, "low", number))
                continue
            values = {
                "name": name, "item": item, "rating": f"{rating:g}", "comment": comment, "lowest": "1",
                "highest": "5", "business": "Our team",
            }  # fmt: skip
            messages.append(
                (f"thanks.{number}.x", f"thanks:{number}", "thanks", number, whom, name, "count", whom, locale,
                 subject.render(values), text.render(values), "", "queued", now, now)
            )  # fmt: skip
            done.append((now, "thanked", number))
        base.execute("BEGIN IMMEDIATE")
        base.executemany("INSERT INTO low_rating (feedback_id, state, stored_at) VALUES (?, ?, ?)", low)
        base.executemany(
            "INSERT INTO message (message_id, dedupe_key, purpose, feedback_id, customer_id, customer_name, channel,"
            " recipient, locale, subject, text, html, state, created_at, next_attempt_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            messages,
        )
        base.executemany(
            "UPDATE feedback SET state = 'processed', processed_at = ?, ended = ? WHERE id = ?", done
        )
        base.execute("COMMIT")


def _limit_send(base: sqlite3.Connection) -> int:
    """Take a batch of messages, send them to nowhere and record each as sent; returns how many."""
    now = now_ms()
    base.execute("BEGIN IMMEDIATE")
    batch = base.execute(
        "SELECT id, recipient, subject, text FROM message WHERE state = 'queued' AND channel = 'count'"
        " AND next_attempt_at <= ? ORDER BY next_attempt_at LIMIT ?",
        (now, _BATCH),
    ).fetchall()
    claimed = [("x", now + 30_000, row[0]) for row in batch]
    base.executemany(
        "UPDATE message SET state = 'sending', lease_owner = ?, lease_until = ? WHERE id = ?", claimed
    )
    base.execute("COMMIT")
    base.execute("BEGIN IMMEDIATE")
    base.executemany(
        "UPDATE message SET state = 'sent', attempts = attempts + 1, settled_at = ?, provider = 'counter',"
        " lease_owner = NULL, lease_until = NULL WHERE id = ?",
        [(now, row[0]) for row in batch],
    )
    base.executemany(
        "INSERT INTO delivery_attempt (message_number, started_at, ended_at, provider, outcome)"
        " VALUES (?, ?, ?, 'counter', 'sent')",
        [(row[0], now, now) for row in batch],
    )
    base.execute("COMMIT")
    return len(batch)


BENCHMARKS = (
    Benchmark(
        name="road",
        title="ratings waiting → processed, outbox written",
        unit="ratings/s",
        count=50_000,
        sides=(
            Side(name="feedback_app", prepare=ledger.prepare, run=_road),
            Side(name="limit", prepare=ledger.prepare, run=_limit),
        ),
    ),
    Benchmark(
        name="deliver",
        title="ratings waiting → every message recorded as sent by a plugin that counts",
        unit="ratings/s",
        count=50_000,
        sides=(
            Side(name="feedback_app", prepare=ledger.prepare, run=_deliver),
            Side(name="limit", prepare=ledger.prepare, run=_limit_deliver),
        ),
    ),
)
