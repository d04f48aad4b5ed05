"""huey on SQLite: one thread, queue in WAL with fsync, no results.

It takes a task off the queue before running it: a killed worker loses that one.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from huey import SqliteHuey

from benchmarks.peers.job import FOLDER, do

if TYPE_CHECKING:
    from benchmarks.peers.job import Rating

app = SqliteHuey(filename=f"{os.environ[FOLDER]}/huey.db", fsync=True, timeout=60, results=False)
rate = app.task()(do)


def enqueue(ratings: list[Rating]) -> None:
    """Enqueue them all."""
    for rating in ratings:
        rate(*rating)
