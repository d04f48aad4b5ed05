"""A coroutine in a thread: results and errors come out, nothing is left behind."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING

import pytest

from feedback_app.concurrency import CoroutineThread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

DEADLINE = 5.0  # seconds


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """Every test ends with the threads it began with."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(DEADLINE)
    assert set(threading.enumerate()) <= before


async def forever() -> None:
    """Wait until cancelled."""
    await asyncio.Event().wait()


def test_the_value_reaches_the_caller() -> None:
    """With the arguments given, in a thread with the name given, on a loop that is closed afterwards."""

    async def work(base: int, *, times: int) -> tuple[int, str]:
        await asyncio.sleep(0)
        return base * times, threading.current_thread().name

    runner = CoroutineThread(work, 7, times=6, name="side")
    runner.start()
    assert runner.result(DEADLINE) == (42, "side")
    assert runner.done()
    assert runner.loop.is_closed()
    runner.stop()


@pytest.mark.parametrize("error", [ValueError("bad"), SystemExit(3), KeyboardInterrupt()])
def test_the_exception_reaches_the_caller(error: BaseException) -> None:
    """Of whatever kind."""

    async def fail() -> None:
        raise error

    runner = CoroutineThread(fail)
    runner.start()
    with pytest.raises(type(error)) as caught:
        runner.result(DEADLINE)
    assert caught.value is error
    runner.stop()


def test_a_result_that_is_late_is_a_time_out() -> None:
    """The coroutine goes on all the same."""
    with CoroutineThread(forever) as runner:
        with pytest.raises(TimeoutError):
            runner.result(0.01)
        assert not runner.done()


def test_stop_cancels_and_waits_for_the_clean_up() -> None:
    """Tasks, asynchronous generators and the executor are gone when it returns, and the loop is closed."""
    closed: list[str] = []

    async def generate() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            closed.append("generator")

    async def background() -> None:
        try:
            await forever()
        finally:
            closed.append("task")

    async def work() -> None:
        numbers = generate()
        tasks.append(asyncio.create_task(background()))
        await asyncio.to_thread(lambda: None)
        async for _ in numbers:
            started.set()
            try:
                await forever()
            finally:
                await asyncio.sleep(0)
                closed.append("coroutine")

    tasks: list[asyncio.Task[None]] = []
    started = threading.Event()
    runner = CoroutineThread(work)
    runner.start()
    assert started.wait(DEADLINE)
    runner.stop(DEADLINE)
    runner.stop(DEADLINE)
    assert set(closed) == {"coroutine", "task", "generator"}
    assert runner.loop.is_closed()
    with pytest.raises(CancelledError):
        runner.result(0)


def test_stop_may_come_from_any_thread_and_from_many_at_once() -> None:
    """It is one cancellation, and everyone returns when the thread has ended."""
    runner = CoroutineThread(forever)
    runner.start()
    stoppers = [threading.Thread(target=runner.stop, args=[DEADLINE]) for _ in range(10)]
    for stopper in stoppers:
        stopper.start()
    for stopper in stoppers:
        stopper.join(DEADLINE)
    assert not any(stopper.is_alive() for stopper in stoppers)
    assert runner.loop.is_closed()


def test_the_coroutine_may_stop_its_own_thread() -> None:
    """It is cancelled and does not wait for itself."""

    async def work() -> None:
        runner.stop()
        await forever()

    runner = CoroutineThread(work)
    runner.start()
    with pytest.raises(CancelledError):
        runner.result(DEADLINE)


def test_a_coroutine_that_does_not_end_is_told_of() -> None:
    """Stop gives up after its time; the thread ends when the coroutine does."""
    release = threading.Event()

    async def stubborn() -> None:
        release.wait(DEADLINE)

    runner = CoroutineThread(stubborn, name="mule")
    runner.start()
    with pytest.raises(TimeoutError, match=r"'mule' did not end within 0\.01 seconds"):
        runner.stop(0.01)
    release.set()
    runner.stop(DEADLINE)


def test_stop_is_allowed_before_the_start() -> None:
    """Then nothing ever runs."""
    runner = CoroutineThread(forever)
    runner.stop()
    runner.stop()
    with pytest.raises(RuntimeError, match="was stopped before it was started"):
        runner.start()
    with pytest.raises(CancelledError):
        runner.result(0)


def test_stop_after_the_end_is_nothing() -> None:
    """The value is still there."""

    async def work() -> int:
        return 1

    runner = CoroutineThread(work)
    runner.start()
    assert runner.result(DEADLINE) == 1
    runner.stop()
    assert runner.result(0) == 1


def test_other_threads_reach_the_loop() -> None:
    """By the loop that is there as soon as start has returned."""

    async def answer() -> str:
        return threading.current_thread().name

    with CoroutineThread(forever, name="side") as runner:
        assert asyncio.run_coroutine_threadsafe(answer(), runner.loop).result(DEADLINE) == "side"


def test_a_failure_that_nobody_asked_for_comes_out_of_the_with_block() -> None:
    """It is not lost; but who has dealt with it is not told twice."""

    async def fail() -> None:
        raise ValueError("bad")

    def use(*, ask: bool) -> None:
        with CoroutineThread(fail) as runner:
            if ask:
                with pytest.raises(ValueError, match="bad"):
                    runner.result(DEADLINE)
            else:
                runner._outcome.exception(DEADLINE)

    with pytest.raises(ValueError, match="bad"):
        use(ask=False)
    use(ask=True)


def test_the_loop_is_made_by_the_factory() -> None:
    """And a factory that fails makes start fail."""
    loop = asyncio.SelectorEventLoop()
    with CoroutineThread(forever, loop_factory=lambda: loop) as runner:
        assert runner.loop is loop

    def fail() -> asyncio.AbstractEventLoop:
        raise OSError("no more file descriptors")

    broken = CoroutineThread(forever, loop_factory=fail)
    with pytest.raises(OSError, match="no more file descriptors"):
        broken.start()
    broken.stop(DEADLINE)


def test_before_the_start_there_is_no_loop() -> None:
    """And one start is enough."""
    runner = CoroutineThread(forever, name="side")
    with pytest.raises(RuntimeError, match=r"'side' has no event loop yet: call start\(\) first"):
        _ = runner.loop
    with runner, pytest.raises(RuntimeError, match="threads can only be started once"):
        runner.start()
