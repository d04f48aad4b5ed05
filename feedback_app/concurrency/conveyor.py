"""Producer, workers, completer: claims jobs, works on them, commits their results in groups.

The three parts run at once, so the next jobs are claimed and worked on while the last results are being committed,
and whatever has piled up meanwhile goes into one commit.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from feedback_app.concurrency.wakeup import Wakeup
from feedback_app.concurrency.worker_pool import JobResult, WorkerPool

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

Job = TypeVar("Job")
Done = TypeVar("Done")


class Claim(NamedTuple, Generic[Job]):
    """What a claim found."""

    jobs: Sequence[Job]
    next_in: float | None = None  # seconds until more may be due, 0: it is now, None: only after a wake-up


class Conveyor(Generic[Job, Done]):
    """Runs until stopped.

    `claim(room)` returns at most `room` jobs that nobody else has; it is called again at once while it finds some
    and `claim_size` more may be in flight, else after a `wake` or when its `next_in` is over. `handle(job)` works on
    one job in one of `n_workers` coroutines. `commit(results)` makes the results of many jobs true together, in the
    order in which they ended. At most `max_in_flight` jobs are claimed and not yet committed, `claim_size` of them
    (half, if not given) in one claim. An exception of `claim` or `commit` ends `run`; one of `handle` is the job's own
    result.

    While other jobs are under way, results wait up to `linger` seconds for more of them, so that slow jobs that end
    one by one share a commit as well.
    """

    def __init__(  # noqa: PLR0913 - three parts and their measures
        self,
        name: str,
        *,
        claim: Callable[[int], Awaitable[Claim[Job]]],
        handle: Callable[[Job], Awaitable[Done]],
        commit: Callable[[Sequence[JobResult[Job, Done]]], Awaitable[None]],
        n_workers: int,
        max_in_flight: int,
        claim_size: int | None = None,
        linger: float = 0.0,
    ) -> None:
        self.name = name
        self._claim = claim
        self._commit = commit
        self._max_in_flight = max_in_flight
        # Large claims share their cost among many jobs. But all in one, and the three parts would take turns: the next
        # claim would wait for the commit of the last.
        self._claim_size = claim_size or -(-max_in_flight // 2)
        self._linger = linger
        self._in_flight = 0
        self._ended: list[JobResult[Job, Done]] = []
        self._stopping = False
        self._aborted = False
        self._worked_off = False
        self._woken = False  # since the last claim began
        self._idle = asyncio.Event()
        self._to_claim = Wakeup()
        self._to_commit = Wakeup()
        self._enough = 0  # results that end the lingering
        self._has_enough = Wakeup()
        self._pool = WorkerPool(
            handle, n_workers, queue_size=max_in_flight, on_result=self._one_ended, name=name
        )

    @property
    def in_flight(self) -> int:
        """How many jobs are claimed and not yet committed."""
        return self._in_flight

    async def run(self) -> None:
        """Claim, work and commit until `stop`, then finish what is in flight."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._complete(), name=f"{self.name}-completer")
            async with self._pool:
                await self._produce()
            self._worked_off = True
            self._to_commit.set()

    def wake(self) -> None:
        """Say that there may be something to claim."""
        self._woken = True
        self._idle.clear()
        self._to_claim.set()

    def stop(self) -> None:
        """Claim no more; `run` returns when what is in flight is done. Idempotent, allowed before `run`."""
        self._stopping = True
        self._to_claim.set()

    def abort(self) -> None:
        """Also cancel what is in flight: each such job's result is a CancelledError, committed like the others."""
        self.stop()
        self._aborted = True
        self._pool.stop()

    async def idle(self) -> None:
        """Wait until the last claim found nothing and nothing is in flight."""
        await self._idle.wait()

    @property
    def is_idle(self) -> bool:
        """Whether `idle` would return at once."""
        return self._idle.is_set()

    async def _produce(self) -> None:
        while not self._stopping:
            if self._max_in_flight - self._in_flight < self._claim_size:
                await self._to_claim.wait()
                continue
            self._woken = False
            jobs, next_in = await self._claim(self._claim_size)
            self._in_flight += len(jobs)
            for job in jobs:
                if self._aborted:  # while they were being claimed
                    self._one_ended(JobResult(job, None, asyncio.CancelledError()))
                else:
                    await self._pool.submit(job)
            if jobs:
                self._idle.clear()
                continue
            # A claim that was under way when the wake-up came may not have seen what it was for.
            if self._in_flight == 0 and next_in != 0 and not self._woken:
                self._idle.set()
            await self._to_claim.wait(next_in)

    def _one_ended(self, result: JobResult[Job, Done]) -> None:
        self._ended.append(result)
        self._to_commit.set()
        if len(self._ended) == self._enough:
            self._has_enough.set()

    async def _complete(self) -> None:
        while not (self._worked_off and not self._ended):
            await self._to_commit.wait()
            if not self._ended:
                continue
            if self._linger:
                await self._gather()
            ended, self._ended = self._ended, []
            await self._commit(ended)
            self._in_flight -= len(ended)
            self._to_claim.set()

    async def _gather(self) -> None:
        """Wait a moment for what is under way, but never for all that may be: the workers must not run dry."""
        self._enough = min(self._in_flight, self._max_in_flight // 2)
        if len(self._ended) < self._enough:
            await self._has_enough.wait(self._linger)
        self._enough = 0
