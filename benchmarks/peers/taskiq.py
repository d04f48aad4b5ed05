"""taskiq on Redis streams: 2 processes, 100 tasks at once, acknowledged after the work."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from taskiq_redis import RedisStreamBroker

from benchmarks.peers.job import SERVER, do

if TYPE_CHECKING:
    from benchmarks.peers.job import Rating

broker = RedisStreamBroker(os.environ[SERVER])


@broker.task(task_name="rate")
async def rate(*rating: Any) -> None:
    """Do the job."""
    do(*rating)


def enqueue(ratings: list[Rating]) -> None:
    """Enqueue them all."""
    asyncio.run(_enqueue(ratings))


async def _enqueue(ratings: list[Rating]) -> None:
    await broker.startup()  # makes the consumer group, which sees only what comes after
    for rating in ratings:
        await rate.kiq(*rating)
    await broker.shutdown()
