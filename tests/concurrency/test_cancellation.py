"""Who cancelled: somebody else, or nobody."""

from __future__ import annotations

import asyncio

from feedback_app.concurrency.cancellation import was_cancelled


async def test_a_cancellation_by_somebody_else_is_told_from_an_error_of_ones_own() -> None:
    """Raising CancelledError, or awaiting something cancelled, is not being cancelled."""
    answers: list[bool] = []

    async def work() -> None:
        gone = asyncio.get_running_loop().create_future()
        gone.cancel()
        try:
            await gone
        except asyncio.CancelledError:
            answers.append(was_cancelled())
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            answers.append(was_cancelled())

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    await task
    assert answers == [False, True]


async def test_a_time_out_that_is_over_is_no_cancellation() -> None:
    """asyncio.timeout cancels the task for a moment and takes it back."""
    try:
        async with asyncio.timeout(0):
            await asyncio.Event().wait()
    except TimeoutError:
        assert not was_cancelled()


def test_outside_a_loop_callback_nothing_was_cancelled() -> None:
    """A callback of the loop has no task."""

    async def ask() -> bool:
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(lambda: answer.set_result(was_cancelled()))
        return await answer

    assert asyncio.run(ask()) is False
