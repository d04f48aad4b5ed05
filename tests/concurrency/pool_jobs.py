"""Jobs for a worker pool: a gate that holds them, a stream of them, and how they ended."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from feedback_app.concurrency import JobResult

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DEADLINE = 5.0  # seconds


class Gate:
    """A handler whose jobs stay in hand until the gate is opened."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.changed = asyncio.Condition()
        self.open = asyncio.Event()

    async def __call__(self, job: int) -> int:  # noqa: D102 - the handler's own signature
        async with self.changed:
            self.taken.append(job)
            self.changed.notify_all()
        await self.open.wait()
        return job * 10

    async def has_taken(self, count: int) -> None:
        """Wait until so many jobs have begun."""
        async with asyncio.timeout(DEADLINE), self.changed:
            await self.changed.wait_for(lambda: len(self.taken) >= count)


async def times_ten(job: int) -> int:
    """Let the others run, then answer."""
    await asyncio.sleep(0)
    return job * 10


async def stream(*jobs: int) -> AsyncIterator[int]:
    """Yield the jobs one by one."""
    for job in jobs:
        await asyncio.sleep(0)
        yield job


def kind_of(result: JobResult[Any, Any]) -> type[BaseException] | None:
    """Return the class of the result's error."""
    return None if result.error is None else type(result.error)
