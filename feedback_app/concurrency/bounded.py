"""Await what is not trusted to end: in a task of its own, for a limited time, whatever it does."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from types import CoroutineType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

Value = TypeVar("Value")

_GRACE = 1.0  # seconds that what was cancelled has to clean up

# What ignores even GeneratorExit, by name. Kept, because freeing it runs it once more, and after the end of the loop
# it may never come back; a program leaves such behind by `os._exit`.
unending: list[tuple[str, object]] = []

_SENTENCE = "did not end within {:g} s of being cancelled{}"


class Abandoned(TimeoutError):
    """It did not end when it was cancelled; the text says where it waited, and nothing of what it worked on."""


async def bounded(
    coroutine: Coroutine[Any, Any, Value],
    seconds: float | None,
    *,
    grace: float = _GRACE,
    name: str | None = None,
) -> Value:
    """Return the coroutine's value or raise what it raises, which the loop never sees, be it SystemExit.

    After `seconds` (None: never) it is cancelled and TimeoutError raised. One that has not ended `grace` seconds
    after that is closed by force, so that no task hangs on it, and Abandoned raised. The caller's cancellation is
    passed on in the same way. What the coroutine makes of being cancelled counts, such as a value after all.

    A CancelledError from here is always the caller's: one that comes up in the coroutine by itself becomes a
    RuntimeError. As the task is not the caller's, nothing done to `asyncio.current_task()` reaches the caller.
    """
    loop = asyncio.get_running_loop()
    over: asyncio.Future[None] = loop.create_future()  # it has ended, or its time has
    task = loop.create_task(_outcome(coroutine, over), name=name)
    timer = None if seconds is None else loop.call_later(seconds, _tell, over)
    cancelled = False
    try:
        await over
    except asyncio.CancelledError:
        cancelled = True
    if timer is not None:
        timer.cancel()
    late = not task.done()
    if late:
        place = _place(coroutine)
        if not await _put_down(task, grace):
            raise asyncio.CancelledError if cancelled else Abandoned(_SENTENCE.format(grace, place))
    error, value = task.result() if not task.cancelled() else (asyncio.CancelledError(), None)
    if isinstance(error, asyncio.CancelledError) and not cancelled:
        raise (TimeoutError() if late else RuntimeError("cancelled itself")) from error
    if error is not None:
        raise error
    return value  # type: ignore[return-value] # there is one where there is no error


async def leaving_nothing(main: Coroutine[Any, Any, Value], *, grace: float = _GRACE) -> Value:
    """Await `main`, then end what other tasks the loop has; for the coroutine that a loop is run for.

    `asyncio.run` waits for ever for a task that swallows its cancellation, and for a thread of the default executor
    that does not end; after this it does not. The interpreter still does.
    """
    asyncio.get_running_loop().set_default_executor(
        _Impatient(thread_name_prefix="asyncio")
    )  # as its own is called
    try:
        return await main
    finally:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*(_put_down(one, grace) for one in others))
        await asyncio.sleep(0)  # the turn in which those end that were closed
        for one in others:
            if not one.done():
                unending.append((one.get_name(), one))
                asyncio._unregister_task(one)  # noqa: SLF001 - documented: asyncio.run no longer knows of it


class _Impatient(ThreadPoolExecutor):
    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait=False, cancel_futures=True)


async def _outcome(
    coroutine: Coroutine[Any, Any, Value], over: asyncio.Future[None]
) -> tuple[BaseException | None, Value | None]:
    """Return (error, value): an error raised in a task may end its loop."""
    try:
        return None, await coroutine
    except BaseException as error:  # noqa: BLE001 - raised again where it belongs
        return error, None
    finally:
        _tell(over)  # sooner than a callback of the task would


def _tell(over: asyncio.Future[None]) -> None:
    if not over.done():
        over.set_result(None)


async def _put_down(task: asyncio.Task[Any], grace: float) -> bool:
    """Cancel a task and say whether it ended in `grace` seconds; if not, its coroutine is run no further."""
    task.cancel()
    await asyncio.wait([task], timeout=grace)
    if task.done():
        return True
    task.add_done_callback(_hear)
    waiting = _waiting(task.get_coro())
    with contextlib.suppress(BaseException):  # whatever it says to that
        task.get_coro().close()
    unending.extend((one.__qualname__, one) for one in waiting if one.cr_frame is not None)
    task.cancel()  # wakes it, and it finds itself at its end
    return False


def _hear(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()  # else asyncio complains that nobody asked


def _waiting(coroutine: object) -> list[CoroutineType[Any, Any, Any]]:
    """Return the coroutines of which each waits for the next."""
    found = []
    while isinstance(coroutine, CoroutineType):
        found.append(coroutine)
        coroutine = coroutine.cr_await
    return found


def _place(coroutine: object) -> str:
    frame = getattr(coroutine, "cr_frame", None)
    return f", at {frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else ""
