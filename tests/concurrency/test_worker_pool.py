"""The worker pool: list scheduling, one report per job, and whatever a job does is its own result."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_app.concurrency import JobResult, WorkerPool
from tests.concurrency.pool_jobs import kind_of, stream, times_ten
from tests.concurrency.virtual_time import run_virtual

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


def test_ten_jobs_on_three_workers_end_at_the_list_scheduling_optimum() -> None:
    """3,1,2,4,4,1,2,1,1,2 tenths of a second take 0.8 s on three workers, within 2 % (best of three runs)."""
    jobs = [0.3, 0.1, 0.2, 0.4, 0.4, 0.1, 0.2, 0.1, 0.1, 0.2]

    def seconds_taken() -> float:
        begun = time.perf_counter()
        asyncio.run(WorkerPool(asyncio.sleep, 3).run(jobs))
        return time.perf_counter() - begun

    taken: list[float] = []
    while len(taken) < 3 and not any(0.8 <= seconds <= 0.816 for seconds in taken):
        taken.append(seconds_taken())
    assert 0.8 <= min(taken) <= 0.816


def test_an_idle_worker_takes_the_next_job() -> None:
    """The order in which jobs begin is that of list scheduling, to the tenth of a second."""
    begun: list[tuple[int, float]] = []

    async def handle(job: tuple[int, float]) -> None:
        begun.append((job[0], round(asyncio.get_running_loop().time(), 6)))
        await asyncio.sleep(job[1])

    lengths = enumerate([0.3, 0.1, 0.2, 0.4, 0.4, 0.1, 0.2, 0.1, 0.1, 0.2])
    run_virtual(WorkerPool(handle, 3).run(lengths))
    starts = dict(begun)
    assert [starts[job] for job in range(10)] == [0, 0, 0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.6]


async def test_results_stand_in_the_order_of_the_jobs() -> None:
    """A job that ends late keeps its place."""

    async def handle(job: int) -> int:
        for _ in range(job):
            await asyncio.sleep(0)
        return -job

    results = await WorkerPool(handle, 3).run([5, 1, 3, 0])
    assert results == [(5, -5, None), (1, -1, None), (3, -3, None), (0, 0, None)]


async def test_any_iterable_will_do() -> None:
    """A generator, an async generator and nothing at all."""
    assert [result.value for result in await WorkerPool(times_ten).run(job for job in (1, 2))] == [10, 20]
    assert [result.value for result in await WorkerPool(times_ten).run(stream(1, 2))] == [10, 20]
    assert await WorkerPool(times_ten).run([]) == []


async def test_an_exception_is_its_jobs_result() -> None:
    """One failing job leaves worker, pool and neighbours alone, whatever it raises."""

    async def handle(job: BaseException | None) -> str:
        await asyncio.sleep(0)
        if job is not None:
            raise job
        return "done"

    jobs = [None, ValueError("bad"), asyncio.CancelledError(), SystemExit(3), TimeoutError(), None]
    results = await WorkerPool(handle, 1).run(jobs)
    assert jobs == [result.error for result in results]
    assert [result.value for result in results] == ["done", None, None, None, None, "done"]


async def test_what_the_stream_of_jobs_raises_reaches_the_caller() -> None:
    """An iterable that breaks is not a job that fails."""

    def broken() -> Iterator[int]:
        yield 1
        raise LookupError("no more")

    async def broken_stream() -> AsyncIterator[int]:
        yield 1
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        await WorkerPool(times_ten).run(broken())
    with pytest.raises(LookupError, match="no more"):
        await WorkerPool(times_ten).run(broken_stream())
    assert {asyncio.current_task()} == asyncio.all_tasks()


JOB_KINDS = ("value", "slow", "error", "late error", "cancelled", "exit")


async def mixed_handler(job: tuple[int, str]) -> int:
    """Do what the job's kind says."""
    number, kind = job
    if kind in ("slow", "late error"):
        await asyncio.sleep(number % 3)
    if "error" in kind:
        raise ValueError(number)
    if kind == "cancelled":
        raise asyncio.CancelledError
    if kind == "exit":
        raise SystemExit(number)
    return number


@given(
    kinds=st.lists(st.sampled_from(JOB_KINDS), max_size=40),
    n_workers=st.integers(1, 5),
    queue_size=st.integers(1, 4),
    road=st.sampled_from(["list", "stream", "submit"]),
)
@settings(max_examples=150, deadline=None)
def test_every_job_is_reported_once_and_in_order(
    kinds: list[str], n_workers: int, queue_size: int, road: str
) -> None:
    """Whatever mix of jobs comes, by whichever road, results and on_result tell the same complete story."""
    jobs = list(enumerate(kinds))

    async def jobs_stream() -> AsyncIterator[tuple[int, str]]:
        for job in jobs:
            yield job

    async def scenario() -> tuple[list[JobResult[tuple[int, str], int]], int]:
        told: list[JobResult[tuple[int, str], int]] = []
        pool = WorkerPool(mixed_handler, n_workers, queue_size=queue_size, on_result=told.append)
        if road != "submit":
            results = await pool.run(jobs if road == "list" else jobs_stream())
            assert sorted(told, key=lambda result: result.job) == results
            return results, len(told)
        quiet = WorkerPool(mixed_handler, n_workers, queue_size=queue_size)
        async with quiet:
            for job in jobs:
                await quiet.submit(job)
            return await quiet.drain(), len(jobs)

    results, told = run_virtual(scenario())
    assert jobs == [result.job for result in results]
    assert len(jobs) == told
    want = {
        "error": ValueError,
        "late error": ValueError,
        "cancelled": asyncio.CancelledError,
        "exit": SystemExit,
    }
    assert [want.get(kind) for kind in kinds] == [kind_of(result) for result in results]
    assert all(result.value == result.job[0] for result in results if result.error is None)


def test_a_pool_may_run_again_on_another_loop() -> None:
    """Nothing of the first loop is left in it."""
    pool = WorkerPool(times_ten)
    assert [result.value for result in asyncio.run(pool.run([1]))] == [10]
    assert [result.value for result in asyncio.run(pool.run(stream(2)))] == [20]


async def test_misuse_is_refused_with_a_sentence() -> None:
    """Each mistake is named where it is made."""
    pool = WorkerPool(times_ten)
    with pytest.raises(RuntimeError, match="enter it with 'async with'"):
        pool.submit_nowait(1)
    async with pool:
        with pytest.raises(RuntimeError, match="already running"):
            await pool.run([1])
    with pytest.raises(ValueError, match="at least 1 worker"):
        WorkerPool(times_ten, 0)
    with pytest.raises(ValueError, match="allowed is 1 or more"):
        WorkerPool(times_ten, queue_size=0)
    with pytest.raises(TypeError, match="on_result is a coroutine function"):
        WorkerPool(times_ten, on_result=times_ten)  # type: ignore[arg-type]
