"""Producer, workers, completer."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_app.concurrency import Claim, Conveyor, JobResult
from tests.concurrency.virtual_time import run_virtual

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


def _conveyor(
    work: Work, *, n_workers: int = 3, max_in_flight: int = 8, linger: float = 0.0
) -> Conveyor[int, int]:
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
async def _running(conveyor: Conveyor[int, int]) -> AsyncIterator[None]:
    task = asyncio.create_task(conveyor.run())
    try:
        yield
    finally:
        conveyor.stop()
        await asyncio.wait_for(task, DEADLINE)


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
        conveyor = _conveyor(work, n_workers=workers, max_in_flight=room, linger=linger)
        async with _running(conveyor):
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
    conveyor = _conveyor(work, n_workers=2, max_in_flight=8)
    async with _running(conveyor):
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
    conveyor = _conveyor(work, n_workers=8, max_in_flight=8)
    async with _running(conveyor):
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
        conveyor = _conveyor(work, n_workers=8, max_in_flight=8, linger=linger)
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
    conveyor = _conveyor(work)
    async with _running(conveyor):
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
    conveyor = _conveyor(work)
    async with _running(conveyor):
        await asyncio.wait_for(conveyor.idle(), DEADLINE)
        work.waiting.append(1)
        await asyncio.wait_for(work.begin_changed.wait(), DEADLINE)


async def test_stopping_finishes_what_is_in_flight_and_claims_no_more() -> None:
    """Everything claimed is committed before `run` returns."""
    work = Work(range(100))
    work.gate.clear()
    conveyor = _conveyor(work, max_in_flight=8)
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
    conveyor = _conveyor(work, n_workers=2, max_in_flight=8)
    task = asyncio.create_task(conveyor.run())
    await asyncio.wait_for(work.begin_changed.wait(), DEADLINE)
    conveyor.abort()
    await asyncio.wait_for(task, DEADLINE)
    assert sorted(one.job for one in work.results) == list(range(8))
    assert all(isinstance(one.error, asyncio.CancelledError) for one in work.results)


async def test_stopped_before_the_start_it_returns_at_once() -> None:
    """Nothing is claimed."""
    work = Work([1])
    conveyor = _conveyor(work)
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
        await asyncio.wait_for(_conveyor(work).run(), DEADLINE)
    assert failure.group_contains(OSError, match="the disk is gone")
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


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
    async with _running(conveyor):
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
    async with _running(conveyor):
        await asyncio.wait_for(conveyor.idle(), DEADLINE)
        assert [one.value for one in work.results] == [14]
