"""A fixed number of workers compete for jobs; an idle one takes the next (list scheduling).

The workers are tasks that live as long as the pool and share one queue; no task is made per job. Idle workers
sleep on a future each, and every job that is put into the queue wakes one of them.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Generic, NamedTuple, Self, TypeVar, cast

from feedback_app.concurrency.cancellation import was_cancelled

if TYPE_CHECKING:
    from types import TracebackType

Job = TypeVar("Job")
Value = TypeVar("Value")

logger = logging.getLogger(__name__)

_BURST = 64  # jobs that a worker may do in a row without letting the loop turn, should its handler never wait


class JobResult(NamedTuple, Generic[Job, Value]):
    """How one job ended: `error` is None, or it is what the handler raised and `value` is None."""

    job: Job
    value: Value | None
    error: BaseException | None


class WorkerPool(Generic[Job, Value]):
    """Runs `handler` (a coroutine function of one job) for many jobs, at most `n_workers` at a time.

    A list, or a stream that ends: `results = await WorkerPool(handler).run(jobs)`.
    A live stream: `async with WorkerPool(handler) as pool: await pool.submit(job)`.

    Every accepted job is reported exactly once, as a JobResult: `run` and `drain` return the results in the
    order of the jobs; `on_result` is called as each job ends, and with it `drain` returns an empty list, so
    that an endless stream costs no memory. An exception of `on_result` is logged and ends nothing.

    What a handler raises is its job's result and touches no worker and no neighbour. That includes SystemExit
    (a job must not end the program) and a CancelledError of the handler's own making. Another BaseException,
    such as KeyboardInterrupt, is reported as well, but then stops the pool and is raised to its owner.
    Somebody else's cancelling a worker's task stops the pool.

    `queue_size` (default: twice `n_workers`) bounds the jobs that wait for a worker. Leaving `async with`
    waits for the jobs; leaving it by an exception or a cancellation stops the pool at once. A pool may be run
    several times, one after the other. Everything belongs to the event loop's thread.
    """

    def __init__(
        self,
        handler: Callable[[Job], Awaitable[Value]],
        n_workers: int = 3,
        *,
        queue_size: int | None = None,
        on_result: Callable[[JobResult[Job, Value]], object] | None = None,
        name: str = "worker",
    ) -> None:
        if n_workers < 1:
            raise ValueError(f"n_workers is {n_workers}: a pool needs at least 1 worker")
        if queue_size is not None and queue_size < 1:
            raise ValueError(f"queue_size is {queue_size}: allowed is 1 or more, or None for 2 per worker")
        if inspect.iscoroutinefunction(on_result):
            raise TypeError("on_result is a coroutine function: nobody would await it, pass a plain function")
        self._handler = handler
        self._n_workers = n_workers
        self._queue_size = queue_size or 2 * n_workers
        self._on_result = on_result
        self._name = name
        self._queue: deque[tuple[int, Job]] = deque()  # with each job's place in the results
        self._results: list[JobResult[Job, Value] | None] = []
        self._keep_results = on_result is None
        self._idle: list[asyncio.Future[None]] = []  # one bell for each worker that sleeps
        self._submitters: deque[asyncio.Future[None]] = deque()  # wait for room in the queue
        self._busy = 0
        self._quiet = asyncio.Event()  # set when the last job has ended, cleared by who waits for it
        self._group = asyncio.TaskGroup()
        self._tasks: list[asyncio.Task[object]] = []
        self._running = False
        self._stopped = False

    @property
    def in_flight(self) -> int:
        """How many jobs are being worked on now."""
        return self._busy

    @property
    def waiting(self) -> int:
        """How many accepted jobs no worker has taken yet."""
        return len(self._queue)

    async def run(self, jobs: Iterable[Job] | AsyncIterable[Job]) -> list[JobResult[Job, Value]]:
        """Work through `jobs` and return their results in the order of the jobs.

        A plain iterable is read to its end first, an async one as workers become free. Raises what the
        iterable raises. When the pool is stopped, jobs that did not run are reported with a CancelledError,
        and an async iterable is read no further.
        """
        source = jobs if isinstance(jobs, AsyncIterable) else list(jobs)
        async with self:
            self._keep_results = True
            if isinstance(source, list):
                self._load(source)
            elif not self._stopped:
                await self._feed(source)
        return self._take_results()

    async def submit(self, job: Job) -> None:
        """Accept a job; waits while the queue is full. Raises RuntimeError when the pool is not running."""
        self._check_running()
        while len(self._queue) >= self._queue_size:
            room = asyncio.get_running_loop().create_future()
            self._submitters.append(room)
            try:
                await room
            except asyncio.CancelledError:
                if room.done() and not room.cancelled():
                    self._admit_submitter()  # the room that this one was given goes to the next
                raise
            self._check_running()
        self._put(job)

    def submit_nowait(self, job: Job) -> None:
        """Accept a job at once. Raises asyncio.QueueFull, or RuntimeError when the pool is not running."""
        self._check_running()
        if len(self._queue) >= self._queue_size:
            raise asyncio.QueueFull(f"{len(self._queue)} jobs wait in {self._name!r}, no more may")
        self._put(job)

    async def drain(self) -> list[JobResult[Job, Value]]:
        """Wait until no job is left; return the results since the last drain, in the order of submission."""
        await self._until_quiet()
        return self._take_results()

    def stop(self) -> None:
        """End at once and for good: what waits or runs is cancelled and reported with a CancelledError.

        Idempotent, allowed before the start. `drain` and leaving the pool wait for what still cleans up.
        """
        if self._stopped:
            return
        self._stopped = True
        self._cancel_waiting()
        self._quiet.set()  # who waits looks again: there may be no worker left to say so
        self._end_tasks()
        while self._submitters:
            self._admit_submitter()  # each finds the pool stopped and raises

    async def __aenter__(self) -> Self:
        if self._running:
            raise RuntimeError(f"pool {self._name!r} is already running")
        self._results, self._idle, self._keep_results = [], [], self._on_result is None
        self._quiet, self._group = asyncio.Event(), asyncio.TaskGroup()  # this run may have another loop
        await self._group.__aenter__()
        self._running = True
        if not self._stopped:
            for number in range(1, self._n_workers + 1):
                self._tasks.append(self._group.create_task(self._work(), name=f"{self._name}-{number}"))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                await self._until_quiet()
            else:
                self.stop()
        except BaseException:
            self.stop()
            raise
        finally:
            self._running = False
            self._end_tasks()
            await self._group.__aexit__(None, None, None)

    def _check_running(self) -> None:
        if self._stopped:
            raise RuntimeError(f"pool {self._name!r} is stopped and takes no more jobs")
        if not self._running:
            raise RuntimeError(f"pool {self._name!r} is not running: enter it with 'async with' first")

    def _put(self, job: Job) -> None:
        self._queue.append((len(self._results), job))
        if self._keep_results:
            self._results.append(None)
        if self._idle:
            self._idle.pop().set_result(None)

    def _load(self, jobs: list[Job]) -> None:
        """Queue a whole list before the workers begin; its own length bounds it."""
        self._results = [None] * len(jobs)
        self._queue.extend(enumerate(jobs))
        if self._stopped:
            self._cancel_waiting()

    async def _feed(self, jobs: AsyncIterable[Job]) -> None:
        """Submit from a task that `stop` can cancel, so that a silent stream does not hold the pool up."""

        async def feed() -> Exception | None:
            try:
                async for job in jobs:
                    await self.submit(job)
            except Exception as error:  # noqa: BLE001 - raised below, bare, not as the task group's
                return error
            return None

        feeder = self._group.create_task(feed(), name=f"{self._name}-feeder")
        self._tasks.append(feeder)
        await asyncio.wait([feeder])
        error = None if feeder.cancelled() else feeder.result()
        if error is not None and not self._stopped:
            raise error

    def _admit_submitter(self) -> None:
        while self._submitters:
            room = self._submitters.popleft()
            if not room.done():
                room.set_result(None)
                return

    async def _work(self) -> None:
        try:
            while True:
                await self._work_off()
                if self._stopped:
                    return  # the job swallowed the cancellation, and it comes only once
                if self._queue:
                    await asyncio.sleep(0)  # a handler that never waits must not starve the program
                else:
                    bell: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._idle.append(bell)
                    await bell
        except BaseException:
            if self._running:  # not the end of the pool, but somebody's cancel or a KeyboardInterrupt
                self.stop()
            raise

    async def _work_off(self) -> None:
        """Take jobs until none is left, at most a burst of them."""
        queue, handler, report = self._queue, self._handler, self._report
        self._busy += 1
        try:
            for _ in range(_BURST):
                if not queue:
                    break
                place, job = queue.popleft()
                if self._submitters:
                    self._admit_submitter()
                try:
                    value = await handler(job)
                except (Exception, SystemExit) as error:  # noqa: BLE001 - it is the job's result
                    report(place, JobResult(job, None, error))
                except BaseException as error:
                    report(place, JobResult(job, None, error))
                    if not isinstance(error, asyncio.CancelledError) or was_cancelled():
                        raise
                else:
                    # Past the generated constructor, which takes three times as long: this is the hot line.
                    report(place, tuple.__new__(JobResult, (job, value, None)))
        finally:
            self._busy -= 1
            if not self._busy and not queue:
                self._quiet.set()

    def _report(self, place: int, result: JobResult[Job, Value]) -> None:
        if self._keep_results:
            self._results[place] = result
        if self._on_result is not None:
            try:
                self._on_result(result)
            except Exception:
                logger.exception("pool %s: on_result failed, the pool goes on", self._name)

    def _cancel_waiting(self) -> None:
        while self._queue:
            place, job = self._queue.popleft()
            self._report(place, JobResult(job, None, asyncio.CancelledError("the pool was stopped")))

    async def _until_quiet(self) -> None:
        while self._queue or self._busy:
            self._quiet.clear()
            await self._quiet.wait()

    def _take_results(self) -> list[JobResult[Job, Value]]:
        results, self._results = self._results, []
        return cast("list[JobResult[Job, Value]]", results)  # nothing is open, so every place is filled

    def _end_tasks(self) -> None:
        while self._tasks:  # each is cancelled once: a second time would cut a job's clean-up short
            self._tasks.pop().cancel()
