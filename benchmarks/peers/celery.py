"""celery on Redis: 2 forked processes, 128 tasks fetched ahead as its guide says for short ones, no results.

It acknowledges before the work, its default: a killed worker loses what it had begun.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from celery import Celery

from benchmarks.peers.job import SERVER, do

if TYPE_CHECKING:
    from benchmarks.peers.job import Rating

app = Celery("rate", broker=os.environ[SERVER])
app.conf.update(
    task_ignore_result=True,
    worker_prefetch_multiplier=128,
    worker_send_task_events=False,
    broker_connection_retry_on_startup=True,
)
rate = app.task(name="rate")(do)


def enqueue(ratings: list[Rating]) -> None:
    """Enqueue them all."""
    for rating in ratings:
        rate.delay(*rating)
