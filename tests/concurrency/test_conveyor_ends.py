"""How a conveyor ends: stopped, aborted or failed, each claimed job has its result."""

from __future__ import annotations

import asyncio

import pytest

from feedback_app.concurrency import Claim
from tests.concurrency.conveyor_work import DEADLINE, Work, conveyor_of


async def test_stopping_finishes_what_is_in_flight_and_claims_no_more() -> None:
    """Everything claimed is committed before `run` returns."""
    work = Work(range(100))
    work.gate.clear()
    conveyor = conveyor_of(work, max_in_flight=8)
    task = asyncio.create_task(conveyor.run())
    await asyncio.wait_for(work.begin_changed.wait(), DEADLINE)
    conveyor.stop()
    conveyor.stop()
    work.gate.set()
    await asyncio.wait_for(task, DEADLINE)
    assert sorted(one.job for one in work.results) == list(range(8))
    assert len(work.waiting) == 92


async def test_aborting_commits_what_was_cancelled_as_such() -> None:
    """Each claimed job has its result, a CancelledError, so that its owner can give it back."""
    work = Work(range(100))
    work.gate.clear()
    conveyor = conveyor_of(work, n_workers=2, max_in_flight=8)
    task = asyncio.create_task(conveyor.run())
    await asyncio.wait_for(work.begin_changed.wait(), DEADLINE)
    conveyor.abort()
    await asyncio.wait_for(task, DEADLINE)
    assert sorted(one.job for one in work.results) == list(range(8))
    assert all(isinstance(one.error, asyncio.CancelledError) for one in work.results)


async def test_stopped_before_the_start_it_returns_at_once() -> None:
    """Nothing is claimed."""
    work = Work([1])
    conveyor = conveyor_of(work)
    conveyor.stop()
    await asyncio.wait_for(conveyor.run(), DEADLINE)
    assert list(work.waiting) == [1]


@pytest.mark.parametrize("part", ["claim", "commit"])
async def test_a_failure_of_claim_or_commit_ends_the_run(part: str) -> None:
    """It is raised to whoever runs the conveyor; no task is left behind."""
    work = Work([1, 2, 3])

    async def fail(_argument: object) -> Claim[int]:
        raise OSError("the disk is gone")

    setattr(work, part, fail)
    with pytest.raises(BaseExceptionGroup) as failure:
        await asyncio.wait_for(conveyor_of(work).run(), DEADLINE)
    assert failure.group_contains(OSError, match="the disk is gone")
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
