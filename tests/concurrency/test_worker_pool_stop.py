"""The worker pool is stopped, left or cancelled: every job is reported, and nobody waits for ever."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_app.concurrency import JobResult, WorkerPool
from tests.concurrency.pool_jobs import DEADLINE, Gate, kind_of, times_ten
from tests.concurrency.virtual_time import run_virtual

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def test_a_keyboard_interrupt_stops_the_pool_and_is_raised() -> None:
    """It is the user's wish and not the job's end, so it is not kept as a result only."""
    reported: list[type[BaseException] | None] = []

    async def handle(job: int) -> None:
        if job == 1:
            raise KeyboardInterrupt
        await asyncio.Event().wait()

    pool = WorkerPool(handle, 2, on_result=lambda result: reported.append(kind_of(result)))
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(pool.run([0, 1, 2]))
    assert {asyncio.CancelledError: 2, KeyboardInterrupt: 1} == {
        kind: reported.count(kind) for kind in reported
    }


@given(stop_after=st.integers(0, 12), n_jobs=st.integers(0, 12), live=st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_stopped_pool_still_reports_every_job_once(stop_after: int, n_jobs: int, live: bool) -> None:
    """Whenever stop() comes, each accepted job ends as a value or as cancelled, in order."""

    async def handle(job: int) -> int:
        if job == stop_after:
            pool.stop()
        await asyncio.sleep(1)
        return job

    async def submit_all() -> None:
        for job in range(n_jobs):
            with suppress(RuntimeError):
                await pool.submit(job)
                accepted.append(job)

    async def scenario() -> list[JobResult[int, int]]:
        if not live:
            accepted.extend(range(n_jobs))
            return await pool.run(range(n_jobs))
        async with pool:
            await submit_all()
            return await pool.drain()

    accepted: list[int] = []
    pool = WorkerPool(handle, 2, queue_size=3)
    results = run_virtual(scenario())
    assert accepted == [result.job for result in results]
    assert {None, asyncio.CancelledError} >= {kind_of(result) for result in results}


async def test_stop_cancels_what_runs_and_what_waits() -> None:
    """Both are reported as cancelled; stopping twice is stopping once."""
    gate = Gate()
    async with WorkerPool(gate, 2, queue_size=4) as pool:
        for job in range(4):
            await pool.submit(job)
        await gate.has_taken(2)
        pool.stop()
        pool.stop()
        async with asyncio.timeout(DEADLINE):
            results = await pool.drain()
        with pytest.raises(RuntimeError, match="stopped"):
            await pool.submit(9)
    assert [result.job for result in results] == [0, 1, 2, 3]
    assert {asyncio.CancelledError} == {kind_of(result) for result in results}


async def test_stop_before_a_woken_worker_runs_ends_the_pool() -> None:
    """The job that no worker has taken yet is reported as cancelled, and nobody waits for it for ever."""
    results: list[JobResult[int, int]] = []
    pool = WorkerPool(Gate(), 2, on_result=results.append)

    async def work() -> None:
        async with pool:
            await asyncio.sleep(0)  # the workers go to sleep
            asyncio.get_running_loop().call_soon(pool.stop)  # runs before the worker that the job wakes
            await pool.submit(1)

    await asyncio.wait_for(work(), DEADLINE)
    assert [type(one.error) for one in results] == [asyncio.CancelledError]


async def test_stop_sends_waiting_submitters_away() -> None:
    """A submitter that waits for room learns that there will be none."""
    gate = Gate()
    async with WorkerPool(gate, 1, queue_size=1) as pool:
        await pool.submit(0)
        await gate.has_taken(1)
        await pool.submit(1)
        late = [asyncio.create_task(pool.submit(job)) for job in (2, 3)]
        await asyncio.sleep(0)
        pool.stop()
        done, _ = await asyncio.wait(late, timeout=DEADLINE)
        assert ["stopped" in str(task.exception()) for task in done] == [True, True]


async def test_stop_ends_the_wait_for_a_silent_stream() -> None:
    """A run does not hang on a stream that has nothing to say."""
    taken = asyncio.Event()

    async def silent() -> AsyncIterator[int]:
        yield 1
        taken.set()
        await asyncio.Event().wait()

    pool = WorkerPool(times_ten)
    run = asyncio.create_task(pool.run(silent()))
    async with asyncio.timeout(DEADLINE):
        await taken.wait()
        pool.stop()
        assert [result.job for result in await run] == [1]


async def test_stop_is_allowed_before_the_start() -> None:
    """Then every job is reported as cancelled and none runs."""
    gate = Gate()
    pool = WorkerPool(gate)
    pool.stop()
    async with asyncio.timeout(DEADLINE):
        results = await pool.run([1, 2])
    assert [(1, asyncio.CancelledError), (2, asyncio.CancelledError)] == [
        (r.job, kind_of(r)) for r in results
    ]
    assert gate.taken == []


@pytest.mark.parametrize("ending", ["returns", "raises"])
async def test_a_job_that_swallows_the_cancel_does_not_hold_the_pool(ending: str) -> None:
    """What it returned or raised is its result, and its worker ends all the same."""
    started = asyncio.Event()

    async def stubborn(job: int) -> str:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)  # a clean-up that waits is cancelled once only
            if ending == "raises":
                raise ValueError("closing failed") from None
        return "cleaned up"

    async with asyncio.timeout(DEADLINE):
        async with WorkerPool(stubborn, 1) as pool:
            await pool.submit(0)
            await started.wait()
            pool.stop()
        (result,) = await pool.drain()
    assert (
        (result.value, None) == ("cleaned up", None) if ending == "returns" else kind_of(result) is ValueError
    )


async def test_leaving_by_an_exception_stops_at_once() -> None:
    """The jobs are cancelled and reported, and no worker is left behind."""
    told: list[type[BaseException] | None] = []
    gate = Gate()
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the block is what is left
        async with WorkerPool(gate, 2, on_result=lambda result: told.append(kind_of(result))) as pool:
            for job in range(3):
                await pool.submit(job)
            await gate.has_taken(2)
            raise ZeroDivisionError
    assert [asyncio.CancelledError] * 3 == told
    assert {asyncio.current_task()} == asyncio.all_tasks()


async def test_cancelling_a_run_cancels_its_jobs() -> None:
    """The caller's cancellation reaches the jobs and comes out again."""
    gate = Gate()
    run = asyncio.create_task(WorkerPool(gate, 2).run(range(5)))
    await gate.has_taken(2)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert {asyncio.current_task()} == asyncio.all_tasks()


async def test_somebody_elses_cancelling_a_worker_stops_the_pool() -> None:
    """A pool with a worker less would work on more slowly and tell nobody."""
    gate = Gate()
    async with WorkerPool(gate, 2, name="mill") as pool:
        await pool.submit(1)
        await gate.has_taken(1)
        (worker,) = (task for task in asyncio.all_tasks() if task.get_name() == "mill-2")
        worker.cancel()
        async with asyncio.timeout(DEADLINE):
            results = await pool.drain()
    assert [asyncio.CancelledError] == [kind_of(result) for result in results]
