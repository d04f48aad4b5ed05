"""pgqueuer on PostgreSQL through asyncpg: 2 processes, batches of 200."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from typing import TYPE_CHECKING

import asyncpg
from pgqueuer import PgQueuer, Queries

from benchmarks.peers.job import SERVER, do

if TYPE_CHECKING:
    from pgqueuer.models import Job

    from benchmarks.peers.job import Rating

_BATCH = 200
_CHUNK = 1_000


async def _work() -> None:
    connection = await asyncpg.connect(os.environ[SERVER])
    queue = PgQueuer.from_asyncpg_connection(connection)

    @queue.entrypoint("rate")
    async def rate(job: Job) -> None:
        do(*json.loads(job.payload or b""))

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, queue.shutdown.set)
    await queue.run(batch_size=_BATCH)
    await connection.close()


def enqueue(ratings: list[Rating]) -> None:
    """Make the tables and enqueue them all."""
    asyncio.run(_enqueue(ratings))


async def _enqueue(ratings: list[Rating]) -> None:
    connection = await asyncpg.connect(os.environ[SERVER])
    queries = Queries.from_asyncpg_connection(connection)
    await queries.install()
    for start in range(0, len(ratings), _CHUNK):
        payloads: list[bytes | None] = [json.dumps(one).encode() for one in ratings[start : start + _CHUNK]]
        await queries.enqueue(["rate"] * len(payloads), payloads, [0] * len(payloads))
    await connection.close()


if __name__ == "__main__":  # `pgqueuer run` of 1.6.0 fails on its own --log-level
    asyncio.run(_work())
