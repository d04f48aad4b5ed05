"""Concurrency patterns on asyncio and threads, each usable on its own; `docs/patterns.md` shows them."""

from __future__ import annotations

from feedback_app.concurrency.barrier import Barrier, PartFailed, PartMissing
from feedback_app.concurrency.batcher import Batcher
from feedback_app.concurrency.conveyor import Claim, Conveyor
from feedback_app.concurrency.coroutine_thread import CoroutineThread
from feedback_app.concurrency.loop_watch import LoopWatch, Stall
from feedback_app.concurrency.once import AsyncOnce, Once
from feedback_app.concurrency.schedule import Cron, Every, Schedule, first_instant
from feedback_app.concurrency.ticker import Clock, SystemClock, Ticker
from feedback_app.concurrency.wakeup import Wakeup
from feedback_app.concurrency.worker_pool import JobResult, WorkerPool

__all__ = [
    "AsyncOnce",
    "Barrier",
    "Batcher",
    "Claim",
    "Clock",
    "Conveyor",
    "CoroutineThread",
    "Cron",
    "Every",
    "JobResult",
    "LoopWatch",
    "Once",
    "PartFailed",
    "PartMissing",
    "Schedule",
    "Stall",
    "SystemClock",
    "Ticker",
    "Wakeup",
    "WorkerPool",
    "first_instant",
]
