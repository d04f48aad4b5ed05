"""What a job costs that does nothing: our worker pool, bare workers on an asyncio queue, the article's pool.

Each is handed a list and has done when all jobs are; making and ending its 1,000 workers belongs to it. Ours keeps
every job's result, the others none.
"""

from __future__ import annotations

import asyncio
import time
from threading import Thread
from typing import TYPE_CHECKING, Generic, TypeVar

from benchmarks.harness import Benchmark, Measured, Side
from feedback_app.concurrency import WorkerPool

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    Work = Callable[[int], Awaitable[None]]

_WORKERS = 1_000
Job = TypeVar("Job")


class ArticlePool(Thread, Generic[Job]):
    """The article's pool: a thread with an event loop of its own, a queue filled from a list, n workers."""

    def __init__(self, jobs: list[Job], n_workers: int, callback: Callable[[Job], Awaitable[None]]) -> None:
        super().__init__(daemon=True)
        self._jobs = jobs
        self._n_workers = n_workers
        self._callback = callback
        self._failure: Exception | None = None

    def run(self) -> None:
        """Work in a loop of this thread."""
        try:
            asyncio.run(self._work())
        except Exception as error:  # noqa: BLE001 - raised by `finish`
            self._failure = error

    def finish(self) -> None:
        """Wait until all is done. Raises what a job raised."""
        self.join()
        if self._failure is not None:
            raise self._failure

    async def _work(self) -> None:
        queue: asyncio.Queue[Job] = asyncio.Queue()
        for job in self._jobs:
            await queue.put(job)
        await asyncio.gather(*(self._take(queue) for _ in range(self._n_workers)))

    async def _take(self, queue: asyncio.Queue[Job]) -> None:
        while queue.qsize() > 0:
            job = await queue.get()
            try:
                await self._callback(job)
            finally:
                queue.task_done()


def _ours(jobs: list[int], work: Work) -> None:
    asyncio.run(_in_our_pool(jobs, work))


async def _in_our_pool(jobs: list[int], work: Work) -> None:
    await WorkerPool(work, _WORKERS).run(jobs)


def _bare(jobs: list[int], work: Work) -> None:
    asyncio.run(_on_a_queue(jobs, work))


async def _on_a_queue(jobs: list[int], work: Work) -> None:
    queue: asyncio.Queue[int] = asyncio.Queue()
    for job in jobs:
        queue.put_nowait(job)

    async def worker() -> None:
        while True:
            await work(await queue.get())
            queue.task_done()

    workers = [asyncio.create_task(worker()) for _ in range(_WORKERS)]
    await queue.join()
    for one in workers:
        one.cancel()
    await asyncio.gather(*workers, return_exceptions=True)


def _as_the_article(jobs: list[int], work: Work) -> None:
    pool = ArticlePool(jobs, _WORKERS, work)
    pool.start()
    pool.finish()


def _side(name: str, do: Callable[[list[int], Work], None]) -> Side:
    def run(_folder: Path, count: int) -> Measured:
        done = 0

        async def work(_job: int) -> None:
            nonlocal done
            done += 1

        jobs = list(range(count))
        begun = time.perf_counter()
        do(jobs, work)
        seconds = time.perf_counter() - begun
        assert done == count, f"{done} of {count} jobs are done"
        return {"value": seconds / count * 1e6}

    return Side(name=name, run=run)


BENCHMARKS = (
    Benchmark(
        name="pool",
        title=f"a job that does nothing, {_WORKERS:,} workers",
        unit="µs/job",
        count=100_000,
        better="less",
        sides=(
            _side("feedback_app", _ours),
            _side("bare queue", _bare),
            _side("article", _as_the_article),
        ),
    ),
)
