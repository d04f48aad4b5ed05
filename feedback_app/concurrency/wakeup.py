"""The monitor for an event loop: tasks sleep until any thread says that there is something to look at."""

from __future__ import annotations

import asyncio
import contextlib
import threading


class Wakeup:
    """A signal that clears itself: `set` from any thread, `wait` in a task.

    It carries no data. Who waits looks at the shared state, finds nothing to do, waits, and looks again. No
    wake-up is lost: a `set` with nobody waiting lets the next `wait` return at once. Many `set` before the
    waiter runs are one, and cost the loop one callback.

    Several tasks may wait: a `set` wakes all that wait at that moment (the monitor's notify-all), because
    only they can tell whose turn it is. All waiters of one moment must belong to one event loop.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._set = False
        self._waiters: list[asyncio.Future[bool]] = []

    def set(self) -> None:
        """Wake who waits, or the next who comes. Thread-safe, never blocks, allowed at any time.

        But not in a handler of `signal.signal`, which interrupts the loop in its sleep: there, call it by
        `loop.call_soon_threadsafe`.
        """
        with self._lock:
            if self._set:
                return  # the callback that is under way serves this one too
            self._set = True
            loop = self._waiters[0].get_loop() if self._waiters else None
        if loop is None:
            return
        if asyncio._get_running_loop() is loop:  # noqa: SLF001 - exported for event loops; None off theirs
            loop.call_soon(self._release)  # without the two system calls that wake a sleeping loop
            return
        with contextlib.suppress(RuntimeError):  # the loop has just been closed: nobody waits any more
            loop.call_soon_threadsafe(self._release)

    async def wait(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109 - a bool is the answer here
        """Sleep until `set`, at most `timeout` seconds; True when woken, False when the time was up."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[bool] = loop.create_future()
        with self._lock:
            was_set = self._set
            self._waiters.append(waiter)
        if was_set:
            self._release()
        timer = None if timeout is None else loop.call_later(timeout, _expire, waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.result():
                self.set()  # it had been woken: the next one looks instead
            raise
        finally:
            if timer is not None:
                timer.cancel()
            with self._lock:
                self._waiters.remove(waiter)

    def _release(self) -> None:
        with self._lock:
            waiters = [waiter for waiter in self._waiters if not waiter.done()]  # late or cancelled ones are
            if not self._set or not waiters:
                return  # a waiter came in between and took it, or it is kept for the next
            self._set = False
        for waiter in waiters:
            waiter.set_result(True)


def _expire(waiter: asyncio.Future[bool]) -> None:
    if not waiter.done():
        waiter.set_result(False)
