"""Producer, workers, completer: what is claimed is committed once, and an idle conveyor sleeps until there is more."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_app.concurrency import Claim, Conveyor, JobResult
from tests.concurrency.conveyor_work import DEADLINE, Work, conveying, conveyor_of
from tests.concurrency.virtual_time import run_virtual


@given(
    jobs=st.lists(st.integers(-3, 50), max_size=60),
    workers=st.integers(1, 5),
    room=st.integers(1, 20),
    linger=st.sampled_from((0.0, 0.001)),
)
@settings(max_examples=60, deadline=None)
def test_every_job_is_committed_once_whatever_becomes_of_it(
    jobs: list[int], workers: int, room: int, linger: float
) -> None:
    """Good and failing jobs in any mix, with any number of workers: each result exactly once, bounded in flight."""

    async def main() -> Work:
        work = Work(jobs)
        conveyor = conveyor_of(work, n_workers=workers, max_in_flight=room, linger=linger)
        async with conveying(conveyor):
            await asyncio.wait_for(conveyor.idle(), DEADLINE)
            assert conveyor.in_flight == 0
        return work

    work = asyncio.run(main())
    assert sorted(one.job for one in work.results) == sorted(jobs)
    assert all(isinstance(one.error, ValueError) == (one.job < 0) for one in work.results)
    assert all(one.value == 2 * one.job for one in work.results if one.error is None)
    assert all(1 <= asked <= room for asked in work.rooms)


async def test_no_more_is_claimed_than_is_allowed_in_flight() -> None:
    """With the workers stopped, the producer waits."""
    work = Work(range(100))
    work.gate.clear()
    conveyor = conveyor_of(work, n_workers=2, max_in_flight=8)
    async with conveying(conveyor):
        await asyncio.wait_for(work.begin_changed.wait(), DEADLINE)
        for _ in range(20):
            await asyncio.sleep(0)
        assert (conveyor.in_flight, work.begun, len(work.waiting)) == (8, 2, 92)
        work.gate.set()
        await asyncio.wait_for(conveyor.idle(), DEADLINE)
    assert len(work.results) == 100


class Overlapping(Work):
    """Claims and commits take several turns of the loop; `overlaps` are the claims that began during a commit."""

    def __init__(self, jobs: Sequence[int]) -> None:
        super().__init__(jobs)
        self.committing = False
        self.overlaps = 0

    async def claim(self, room: int) -> Claim[int]:
        """See whether a commit is under way."""
        self.overlaps += self.committing
        await _turns(10)
        return await super().claim(room)

    async def commit(self, results: Sequence[JobResult[int, int]]) -> None:
        """Be under way for a while."""
        self.committing = True
        await _turns(10)
        await super().commit(results)
        self.committing = False


async def _turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_the_next_jobs_are_claimed_while_the_last_are_committed() -> None:
    """A backlog that filled the room in one claim would make the two take turns for ever."""
    work = Overlapping(range(40))
    conveyor = conveyor_of(work, n_workers=8, max_in_flight=8)
    async with conveying(conveyor):
        await asyncio.wait_for(conveyor.idle(), DEADLINE)
    assert len(work.results) == 40
    assert work.overlaps >= 4


class TimedWork(Work):
    """A job takes as many seconds as its number; `times` are those of the commits."""

    def __init__(self, jobs: Sequence[int]) -> None:
        super().__init__(jobs)
        self.times: list[float] = []

    async def handle(self, job: int) -> int:
        """Take the time."""
        await asyncio.sleep(job)
        return job

    async def commit(self, results: Sequence[JobResult[int, int]]) -> None:
        """Take note of the time."""
        self.times.append(asyncio.get_running_loop().time())
        await super().commit(results)


@pytest.mark.parametrize(
    ("jobs", "linger", "expected"),
    [
        ([1, 2, 3, 100], 0.0, [(1, [1]), (2, [2]), (3, [3]), (100, [100])]),
        (
            [1, 2, 3, 100],
            5.0,
            [(6, [1, 2, 3]), (100, [100])],
        ),  # nothing else is under way: the last waits for nobody
        ([1, 2, 3, 100, 100, 100, 100, 100], 50.0, [(51, [1, 2, 3]), (100, [100] * 5)]),
        (
            [1, 2, 3, 4, 100, 100, 100, 100],
            50.0,
            [(4, [1, 2, 3, 4]), (100, [100] * 4)],
        ),  # half of what may be in flight
    ],
)
def test_results_wait_a_moment_for_company(
    jobs: list[int], linger: float, expected: list[tuple[int, list[int]]]
) -> None:
    """One commit for what ends within the time, sooner when enough or all has ended."""

    async def main() -> TimedWork:
        work = TimedWork(jobs)
        conveyor = conveyor_of(work, n_workers=8, max_in_flight=8, linger=linger)
        running = asyncio.create_task(conveyor.run())
        await conveyor.idle()
        conveyor.stop()
        await running
        return work

    work = run_virtual(main())
    found = [
        (when, [one.job for one in commit]) for when, commit in zip(work.times, work.commits, strict=True)
    ]
    assert found == expected


async def test_it_sleeps_until_it_is_woken() -> None:
    """An idle conveyor does not ask again and again; a wake-up makes it ask at once."""
    work = Work()
    conveyor = conveyor_of(work)
    async with conveying(conveyor):
        await asyncio.wait_for(conveyor.idle(), DEADLINE)
        asked = len(work.rooms)
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(work.rooms) == asked
        work.waiting.append(7)
        conveyor.wake()
        await asyncio.wait_for(conveyor.idle(), DEADLINE)
    assert [one.value for one in work.results] == [14]


async def test_it_asks_again_when_the_time_has_come() -> None:
    """Without any wake-up, after as long as the claim said."""
    work = Work()
    work.next_in = 0.01
    conveyor = conveyor_of(work)
    async with conveying(conveyor):
        await asyncio.wait_for(conveyor.idle(), DEADLINE)
        work.waiting.append(1)
        await asyncio.wait_for(work.begin_changed.wait(), DEADLINE)


async def test_a_wake_up_during_a_claim_is_not_idleness() -> None:
    """A claim that began before the wake-up may have missed what it was for, so who waits for idleness waits on."""
    work = Work()
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def claim(room: int) -> Claim[int]:
        found = await work.claim(room)
        begun.set()
        await go_on.wait()
        return found

    conveyor = Conveyor(
        "test", claim=claim, handle=work.handle, commit=work.commit, n_workers=1, max_in_flight=8
    )
    async with conveying(conveyor):
        await asyncio.wait_for(begun.wait(), DEADLINE)
        work.waiting.append(7)
        conveyor.wake()
        go_on.set()
        await asyncio.wait_for(conveyor.idle(), DEADLINE)
        assert [one.value for one in work.results] == [14]


async def test_it_is_not_idle_while_more_is_due() -> None:
    """A claim that found nothing but says that more is due now is asked again before anybody hears of idleness."""
    work = Work([7])
    answers = iter([Claim[int]((), 0), Claim[int]((), 0)])

    async def claim(room: int) -> Claim[int]:
        return next(answers, None) or await work.claim(room)

    conveyor = Conveyor(
        "test", claim=claim, handle=work.handle, commit=work.commit, n_workers=1, max_in_flight=8
    )
    async with conveying(conveyor):
        await asyncio.wait_for(conveyor.idle(), DEADLINE)
        assert [one.value for one in work.results] == [14]
