"""Call a plain function that may block in a thread of its own, and wait for a limited time only."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Value = TypeVar("Value")


class TookTooLong(TimeoutError):
    """It did not end in time; `thread` is where it goes on."""

    def __init__(self, seconds: float, thread: threading.Thread) -> None:
        super().__init__(f"took longer than {seconds:g} s")
        self.thread = thread


async def aside(function: Callable[[], Value], seconds: float, *, name: str) -> Value:
    """Return what the function returns or raise what it raises, SystemExit too.

    Raises TookTooLong after `seconds`. A CancelledError from here is always the caller's. A
    thread cannot be ended: the function goes on, but keeps neither the loop nor the program from ending.
    """
    loop = asyncio.get_running_loop()
    over: asyncio.Future[tuple[BaseException | None, Value | None]] = loop.create_future()

    def tell(error: BaseException | None, value: Value | None) -> None:
        if not over.done():
            over.set_result((error, value))

    def run() -> None:
        outcome: tuple[BaseException | None, Value | None]
        try:
            outcome = None, function()
        except asyncio.CancelledError as error:
            outcome = RuntimeError(f"cancelled itself: {error}"), None
        except BaseException as error:  # noqa: BLE001 - raised again where it is awaited
            outcome = error, None
        with contextlib.suppress(RuntimeError):  # the loop is closed already
            loop.call_soon_threadsafe(tell, *outcome)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    try:
        async with asyncio.timeout(seconds):
            error, value = await over
    except TimeoutError:
        raise TookTooLong(seconds, thread) from None
    if error is not None:
        raise error
    return value  # type: ignore[return-value] # there is one where there is no error
