"""A worker pool that is fed while it works: back-pressure, draining, and each end told as it comes."""

from __future__ import annotations

import asyncio
import logging

import pytest

from feedback_app.concurrency import JobResult, WorkerPool
from tests.concurrency.pool_jobs import DEADLINE, Gate, times_ten
from tests.concurrency.virtual_time import VirtualTimeLoop, run_virtual


async def test_no_more_jobs_run_at_once_than_there_are_workers() -> None:
    """Three workers have three jobs in hand, and `in_flight` and `waiting` say so."""
    gate = Gate()
    async with WorkerPool(gate, 3, queue_size=5) as pool:
        for job in range(5):
            await pool.submit(job)
        await gate.has_taken(3)
        assert (pool.in_flight, pool.waiting) == (3, 2)
        gate.open.set()
        assert [result.value for result in await pool.drain()] == [0, 10, 20, 30, 40]
        assert (pool.in_flight, pool.waiting) == (0, 0)


async def test_a_full_queue_holds_the_submitter_back() -> None:
    """Submit waits until a worker takes a job; submit_nowait says that the queue is full."""
    gate = Gate()
    async with WorkerPool(gate, 1, queue_size=2) as pool:
        await pool.submit(0)
        await gate.has_taken(1)
        await pool.submit(1)
        await pool.submit(2)
        with pytest.raises(asyncio.QueueFull):
            pool.submit_nowait(3)
        late = asyncio.create_task(pool.submit(4))
        assert (set(), {late}) == await asyncio.wait([late], timeout=0.02)
        gate.open.set()
        async with asyncio.timeout(DEADLINE):
            await late
        assert [result.job for result in await pool.drain()] == [0, 1, 2, 4]


async def test_a_submitter_that_gives_up_leaves_its_room_to_the_next() -> None:
    """The job of a cancelled submit is not accepted, and nobody waits for ever behind it."""
    gate = Gate()
    async with WorkerPool(gate, 1, queue_size=1) as pool:
        await pool.submit(0)
        await gate.has_taken(1)
        await pool.submit(1)
        first, second = (asyncio.create_task(pool.submit(job)) for job in (2, 3))
        await asyncio.sleep(0)
        pool._queue.clear()  # a worker takes the waiting job and tells the first submitter ...
        pool._results.pop()
        pool._admit_submitter()
        first.cancel()  # ... which is cancelled in that very moment
        async with asyncio.timeout(DEADLINE):
            await second
        gate.open.set()
        assert [result.job for result in await pool.drain()] == [0, 3]
        assert first.cancelled()


async def test_drain_returns_what_ended_since_the_last_one() -> None:
    """No result is handed out twice, and what was left at the end can still be had."""
    async with WorkerPool(times_ten) as pool:
        await pool.submit(1)
        assert [result.value for result in await pool.drain()] == [10]
        await pool.submit(2)
        assert [result.value for result in await pool.drain()] == [20]
        await pool.submit(3)
    assert [result.value for result in await pool.drain()] == [30]


async def test_with_on_result_a_live_pool_keeps_nothing() -> None:
    """Each end is told once, as it comes, and drain has nothing to add."""
    told: list[int | None] = []
    async with WorkerPool(times_ten, on_result=lambda result: told.append(result.value)) as pool:
        for job in range(20):
            await pool.submit(job)
        assert await pool.drain() == []
        assert pool._results == []
    assert [job * 10 for job in range(20)] == sorted(value for value in told if value is not None)


async def test_a_failing_on_result_is_logged_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Telling is not working: the next job runs and is told."""
    told: list[int] = []

    def tell(result: JobResult[int, int]) -> None:
        told.append(result.job)
        raise OSError("nobody listens")

    with caplog.at_level(logging.ERROR):
        results = await WorkerPool(times_ten, 1, on_result=tell, name="mill").run([1, 2])
    assert [1, 2] == told == [result.job for result in results]
    assert caplog.text.count("pool mill: on_result failed") == 2


async def test_leaving_normally_waits_for_the_jobs() -> None:
    """Also when the jobs submit further jobs themselves."""
    done: list[int] = []

    async def countdown(job: int) -> None:
        await asyncio.sleep(0)
        done.append(job)
        if job:
            await pool.submit(job - 1)

    async with WorkerPool(countdown, 1) as pool:
        await pool.submit(3)
    assert done == [3, 2, 1, 0]


async def test_workers_are_named_tasks() -> None:
    """A debugger, a log and the loop watch can tell whose they are."""
    async with WorkerPool(times_ten, 2, name="mill"):
        assert {"mill-1", "mill-2"} <= {task.get_name() for task in asyncio.all_tasks()}


def test_idle_workers_sleep() -> None:
    """An hour without jobs costs the loop no more than the turn that ends it."""

    async def scenario() -> int:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        async with WorkerPool(times_ten, 100) as pool:
            await pool.submit(1)
            await pool.drain()
            before = loop.turns
            await asyncio.sleep(3600)
            return loop.turns - before

    assert run_virtual(scenario()) <= 2


async def test_a_handler_that_never_waits_does_not_starve_the_loop() -> None:
    """Others get their turn while thousands of jobs are worked off."""
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def busy(job: int) -> int:
        return job

    other = asyncio.create_task(turn())
    await WorkerPool(busy).run(range(10_000))
    other.cancel()
    assert turns >= 10_000 // 64 // 3
