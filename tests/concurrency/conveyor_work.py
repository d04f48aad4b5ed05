"""A store of jobs for a conveyor, and the conveyor that runs while a block lasts."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Sequence

from feedback_app.concurrency import Claim, Conveyor, JobResult

DEADLINE = 10.0


class Work:
    """A store of jobs, and what became of them."""

    def __init__(self, jobs: Sequence[int] = ()) -> None:
        self.waiting = deque(jobs)
        self.commits: list[list[JobResult[int, int]]] = []
        self.rooms: list[int] = []
        self.begun = 0
        self.begin_changed = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.most = 0
        self.next_in: float | None = None

    async def claim(self, room: int) -> Claim[int]:
        """Hand out at most so many."""
        self.rooms.append(room)
        jobs = [self.waiting.popleft() for _ in range(min(room, len(self.waiting)))]
        return Claim(jobs, self.next_in)

    async def handle(self, job: int) -> int:
        """Double the job; negative ones fail."""
        self.begun += 1
        self.begin_changed.set()
        await self.gate.wait()
        if job < 0:
            raise ValueError(job)
        return 2 * job

    async def commit(self, results: Sequence[JobResult[int, int]]) -> None:
        """Take note."""
        await asyncio.sleep(0)
        self.commits.append(list(results))

    @property
    def results(self) -> list[JobResult[int, int]]:
        """All that was committed, in order."""
        return [one for commit in self.commits for one in commit]


def conveyor_of(
    work: Work, *, n_workers: int = 3, max_in_flight: int = 8, linger: float = 0.0
) -> Conveyor[int, int]:
    """Return a conveyor of this work."""
    return Conveyor(
        "test",
        claim=work.claim,
        handle=work.handle,
        commit=work.commit,
        n_workers=n_workers,
        max_in_flight=max_in_flight,
        linger=linger,
    )


@contextlib.asynccontextmanager
async def conveying(conveyor: Conveyor[int, int]) -> AsyncIterator[None]:
    """Run it; stop it when the block ends."""
    task = asyncio.create_task(conveyor.run())
    try:
        yield
    finally:
        conveyor.stop()
        await asyncio.wait_for(task, DEADLINE)
