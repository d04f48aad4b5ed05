"""arq on Redis: 1 process, 64 jobs at once, no results."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from arq import create_pool
from arq.connections import RedisSettings

from benchmarks.peers.job import SERVER, do

if TYPE_CHECKING:
    from benchmarks.peers.job import Rating


async def rate(_context: dict[str, Any], *rating: Any) -> None:
    """Do the job."""
    do(*rating)


class Worker:
    """What arq's command line reads."""

    functions = (rate,)
    redis_settings = RedisSettings.from_dsn(os.environ[SERVER])
    max_jobs = 64
    keep_result = 0
    log_results = False


def enqueue(ratings: list[Rating]) -> None:
    """Enqueue them all."""
    asyncio.run(_enqueue(ratings))


async def _enqueue(ratings: list[Rating]) -> None:
    pool = await create_pool(Worker.redis_settings)
    for rating in ratings:
        await pool.enqueue_job("rate", *rating)
    await pool.aclose()
