"""A coroutine's steps are timed, and nothing else about it changes."""

from __future__ import annotations

import asyncio
import time

import pytest

from feedback_app.concurrency.bounded import bounded
from feedback_app.concurrency.stepwise import Stepwise


async def test_the_longest_step_counts_and_not_the_time_in_between() -> None:
    """A blocking step is seen, a long wait is none."""

    async def blocking() -> str:
        await asyncio.sleep(0.4)
        time.sleep(0.02)  # noqa: ASYNC251 - what is to be noticed
        await asyncio.sleep(0.4)
        return "done"

    steps = Stepwise(blocking())
    assert await bounded(steps, 5) == "done"
    assert 0.02 <= steps.longest < 0.4


async def test_errors_and_values_pass_both_ways() -> None:
    """What is raised comes out, what is thrown in arrives."""

    async def raising() -> None:
        await asyncio.sleep(0)
        raise KeyError("here")

    with pytest.raises(KeyError, match="here"):
        await asyncio.create_task(Stepwise(raising()))

    async def waiting() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "cancelled"
        return "never"

    task = asyncio.create_task(Stepwise(waiting()))
    await asyncio.sleep(0)
    task.cancel()
    assert await task == "cancelled"


async def test_it_is_timed_out_like_any_other() -> None:
    """And closed."""
    ended = asyncio.Event()

    async def hanging() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(TimeoutError):
        await bounded(Stepwise(hanging()), 0.01)
    assert ended.is_set()
