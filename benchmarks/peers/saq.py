"""saq on Redis: 2 processes, 64 jobs at once in each, no results kept."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from saq import Queue

from benchmarks.peers.job import SERVER, do

if TYPE_CHECKING:
    from benchmarks.peers.job import Rating

queue = Queue.from_url(os.environ[SERVER])


async def rate(_context: dict[str, Any], *, rating: Rating) -> None:
    """Do the job."""
    do(*rating)


settings = {"queue": queue, "functions": [rate], "concurrency": 64}


def enqueue(ratings: list[Rating]) -> None:
    """Enqueue them all."""
    asyncio.run(_enqueue(ratings))


async def _enqueue(ratings: list[Rating]) -> None:
    await queue.connect()
    for rating in ratings:
        await queue.enqueue("rate", rating=rating, ttl=-1)
    await queue.disconnect()
