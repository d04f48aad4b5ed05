"""The loop watch: a handler that blocks is noticed within a second and named; an idle loop is left alone."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
import time

import pytest

from feedback_app.concurrency import LoopWatch, Stall

DEADLINE = 5.0  # seconds


class Reports:
    """An on_stall that tells the blocked handler that it has been seen."""

    def __init__(self) -> None:
        self.stalls: list[Stall] = []
        self.told = threading.Event()

    def __call__(self, stall: Stall) -> None:
        """Take the report."""
        self.stalls.append(stall)
        self.told.set()


def block_until(told: threading.Event) -> float:
    """Block the loop as bad code does; return for how long."""
    begun = time.monotonic()
    assert told.wait(DEADLINE), "the stall was not noticed"
    return time.monotonic() - begun


async def test_a_blocking_handler_is_noticed_within_a_second_and_named() -> None:
    """With the default threshold: the task, the innermost frame and the way there."""
    reports = Reports()

    async def handler() -> float:
        await asyncio.sleep(0)
        return block_until(reports.told)

    with LoopWatch(reports):
        seconds = await asyncio.create_task(handler(), name="mail-3")
    assert seconds < 1
    (stall,) = reports.stalls
    assert stall.task_name == "mail-3"
    assert (stall.file, stall.function) == (threading.__file__, "wait")
    assert stall.line > 0
    assert 0.5 <= stall.seconds <= seconds
    assert "in handler" in stall.stack
    assert "in block_until" in stall.stack
    assert "run_forever" not in stall.stack


async def test_a_blocking_callback_has_no_task_to_name() -> None:
    """The frames tell enough."""
    reports = Reports()
    done = asyncio.Event()

    def callback() -> None:
        block_until(reports.told)
        done.set()

    with LoopWatch(reports, threshold=0.05):
        asyncio.get_running_loop().call_soon(callback)
        await done.wait()
    assert reports.stalls[0].task_name is None
    assert "in callback" in reports.stalls[0].stack


async def test_a_handler_that_blocks_in_a_selector_is_not_taken_for_the_loop() -> None:
    """subprocess.run waits in a selector as the loop does."""
    reports = Reports()
    with LoopWatch(reports, threshold=0.05):
        code = "import time; time.sleep(0.4)"
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)  # noqa: ASYNC221
    assert "communicate" in reports.stalls[0].stack


async def test_each_stall_is_reported_once() -> None:
    """A long one once, and the next one again."""
    reports = Reports()
    with LoopWatch(reports, threshold=0.05):
        for stalls in (1, 2):
            block_until(reports.told)
            threading.Event().wait(0.3)
            assert len(reports.stalls) == stalls
            reports.told.clear()
            await asyncio.sleep(0.1)
    assert len(reports.stalls) == 2


async def test_a_busy_loop_that_turns_is_not_reported() -> None:
    """Much work in small pieces is no stall."""
    reports = Reports()
    with LoopWatch(reports, threshold=0.1):
        until = time.monotonic() + 0.5
        while time.monotonic() < until:  # noqa: ASYNC110 - this is the work
            await asyncio.sleep(0)
    assert reports.stalls == []


async def test_the_task_is_described_as_the_owner_likes() -> None:
    """The plugin's name, for instance."""
    reports = Reports()
    with LoopWatch(reports, threshold=0.05, describe=lambda task: f"plugin of {task.get_name()}"):

        async def handler() -> None:
            block_until(reports.told)

        await asyncio.create_task(handler(), name="sms-1")
    assert reports.stalls[0].task_name == "plugin of sms-1"


async def test_a_report_that_fails_does_not_end_the_watch(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged and the next stall is noticed as well."""
    reports = Reports()

    def fail(stall: Stall) -> None:
        reports(stall)
        raise OSError("nobody listens")

    with LoopWatch(fail, threshold=0.05), caplog.at_level(logging.ERROR):
        for _ in range(2):
            block_until(reports.told)
            await asyncio.sleep(0.1)
            reports.told.clear()
    assert len(reports.stalls) == 2
    assert caplog.text.count("a stall could not be reported") == 2


def test_an_idle_loop_is_not_woken() -> None:
    """The watch looks, twice per threshold, and the loop sleeps on."""

    async def scenario() -> tuple[int, int]:
        looks = 0

        class Counting(LoopWatch):
            def _look(self, loop: asyncio.AbstractEventLoop, thread_id: int) -> None:
                nonlocal looks
                looks += 1
                super()._look(loop, thread_id)
                if looks == 5:
                    loop.call_soon_threadsafe(seen.set)

        seen = asyncio.Event()
        with Counting(print, threshold=0.04):
            await asyncio.sleep(0)
            before = turns[0]
            await seen.wait()
        return looks, turns[0] - before

    turns = [0]

    class CountingLoop(asyncio.SelectorEventLoop):
        def _run_once(self) -> None:
            turns[0] += 1
            super()._run_once()  # type: ignore[misc]

    with asyncio.Runner(loop_factory=CountingLoop) as runner:
        looks, woken = runner.run(scenario())
    assert looks >= 5
    assert woken <= 3


def test_a_watch_survives_its_loop() -> None:
    """When the loop is closed first, the watch looks at nothing until it is stopped."""
    watch = LoopWatch(print, threshold=0.01)

    async def scenario() -> None:
        watch.start()

    asyncio.run(scenario())
    thread = watch._thread
    assert thread is not None
    thread.join(0.05)
    assert thread.is_alive()
    watch.stop()
    watch.stop()
    assert not thread.is_alive()


def test_misuse_is_refused_with_a_sentence() -> None:
    """Outside a loop there is nothing to watch."""
    with pytest.raises(RuntimeError, match="no running event loop"):
        LoopWatch(print).start()
    with pytest.raises(ValueError, match="must be a positive number"):
        LoopWatch(print, threshold=0)
    LoopWatch(print).stop()
