"""Threads for what blocks: a disk that is gone, a table that is locked."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from feedback_app import SourceDown

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_HANGING = 4  # calls that were given up and still hang, after which no more are made


class OwnThreads:
    """One for each call of a source.

    In the threads of the event loop such calls would, tried again and again, in time hold up all of them, and with
    them every look-up of a host's name: every other source and every notifier.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._threads: list[threading.Thread] = []

    async def run(self, work: Callable[..., T], *arguments: object) -> T:
        """Return what the call returns, raise what it raises. Raises SourceDown while too many hang."""
        self._threads = [one for one in self._threads if one.is_alive()]
        if len(self._threads) >= _HANGING:
            raise SourceDown(f"{_HANGING} calls hang, on a disk or a database that does not answer")
        answer: Future[T] = Future()
        # A daemon: the program does not wait for it in the end.
        thread = threading.Thread(
            target=_call, args=(answer, partial(work, *arguments)), name=f"source-{self._name}", daemon=True
        )
        self._threads.append(thread)
        thread.start()
        return await asyncio.wrap_future(answer)


def _call(answer: Future[T], work: Callable[[], T]) -> None:
    if not answer.set_running_or_notify_cancel():
        return
    try:
        answer.set_result(work())
    except BaseException as error:  # noqa: BLE001 - raised where it is awaited
        answer.set_exception(error)
