"""Whatever a coroutine does, who awaits it within bounds goes on."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from typing import Any

import pytest

from feedback_app.concurrency import bounded as module
from feedback_app.concurrency.bounded import Abandoned, bounded, leaving_nothing

SHORT = 0.02  # seconds
LONG = 60.0
DEADLINE = 5.0


@pytest.fixture(autouse=True)
def _freed() -> Iterator[None]:
    """Free what a test left behind within a loop, where it can be."""
    yield
    with asyncio.Runner() as runner:
        runner.run(_free())


async def _free() -> None:
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    module.unending.clear()
    gc.collect()
    sys.unraisablehook = hook


async def _deaf() -> None:
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(LONG)


async def _deaf_to_all() -> None:
    while True:
        with suppress(BaseException):
            await asyncio.sleep(LONG)


async def _waits_for_a_task_of_its_own() -> None:
    await asyncio.create_task(_deaf_to_all(), name="inner")


async def test_a_value_comes_back() -> None:
    """At once, and no task stays."""

    async def work() -> int:
        return 3

    assert await bounded(work(), LONG) == 3
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize(
    "error",
    [
        ValueError(1),
        SystemExit(3),
        KeyboardInterrupt(),
        GeneratorExit(),
        BaseException("odd"),
        ExceptionGroup("both", [ValueError()]),
        BaseExceptionGroup("both", [SystemExit()]),
        StopAsyncIteration(),
    ],
    ids=repr,
)
async def test_whatever_it_raises_comes_back_and_ends_no_loop(error: BaseException) -> None:
    """A task that raises SystemExit or KeyboardInterrupt would end the loop that runs it."""

    async def work() -> None:
        await asyncio.sleep(0)
        raise error

    with pytest.raises(type(error)) as caught:
        await bounded(work(), LONG)
    assert caught.value is error


async def test_a_late_one_is_cancelled() -> None:
    """And what it makes of that counts: nothing, an error, a value."""

    async def make(what: object) -> object:
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            if isinstance(what, Exception):
                raise what from None
            if what is None:
                raise
        return what

    with pytest.raises(TimeoutError) as late:
        await bounded(make(None), SHORT)
    assert not isinstance(late.value, Abandoned)
    with pytest.raises(LookupError):
        await bounded(make(LookupError()), SHORT)
    assert await bounded(make(5), SHORT) == 5


@pytest.mark.parametrize("deaf", [_deaf, _deaf_to_all, _waits_for_a_task_of_its_own])
def test_one_that_swallows_its_cancellation_is_abandoned(
    deaf: Callable[[], Coroutine[Any, Any, None]],
) -> None:
    """Soon, with the place where it waits."""

    async def main() -> None:
        with pytest.raises(Abandoned, match=rf"within 0.02 s of being cancelled, at {__file__}:\d+"):
            await asyncio.wait_for(bounded(deaf(), SHORT, grace=SHORT), DEADLINE)

    asyncio.run(leaving_nothing(main(), grace=SHORT))


async def test_an_abandoned_one_leaves_no_task() -> None:
    """Though it goes on for ever by itself, nobody runs it any more."""
    with pytest.raises(Abandoned):
        await bounded(_deaf_to_all(), SHORT, grace=SHORT)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert {name for name, _ in module.unending} == {"_deaf_to_all"}


async def test_the_callers_cancellation_is_passed_on() -> None:
    """To the coroutine, which may clean up; and to one that is deaf, without waiting for it."""
    cleaned = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(LONG)
        finally:
            cleaned.set()

    for coroutine in (work(), _deaf()):
        caller = asyncio.create_task(bounded(coroutine, None, grace=SHORT))
        await asyncio.sleep(0.001)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(caller, DEADLINE)
    assert cleaned.is_set()


async def test_one_that_cancels_its_task_does_not_reach_the_caller() -> None:
    """`current_task()` is not the caller's, and the CancelledError is told from the caller's own."""

    async def cancel_and_return() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()

    async def cancel_and_wait() -> None:
        await cancel_and_return()
        await asyncio.sleep(LONG)

    async def raise_it() -> None:
        raise asyncio.CancelledError

    for work in (cancel_and_return, cancel_and_wait, raise_it):
        with pytest.raises(RuntimeError, match="cancelled itself"):
            await bounded(work(), LONG)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


def test_a_loop_ends_though_tasks_and_threads_do_not() -> None:
    """`asyncio.run` would wait for ever for the deaf ones and for the executor's thread."""
    blocked = threading.Event()
    ended: list[str] = []

    async def polite() -> None:
        try:
            await asyncio.sleep(LONG)
        finally:
            ended.append("polite")

    async def main() -> int:
        for one in (polite, _deaf, _deaf_to_all):
            asyncio.create_task(one(), name=one.__name__)  # noqa: RUF006 - left behind on purpose
        asyncio.get_running_loop().run_in_executor(None, blocked.wait)
        await asyncio.sleep(0)
        return 4

    try:
        assert asyncio.run(leaving_nothing(main(), grace=SHORT)) == 4
    finally:
        blocked.set()
    assert ended == ["polite"]
    assert {name for name, _ in module.unending} == {"_deaf_to_all"}
