"""Call something whenever a schedule says so, until stopped."""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, Protocol, get_args

from feedback_app.concurrency.cancellation import was_cancelled
from feedback_app.concurrency.schedule import EPOCH, Schedule
from feedback_app.concurrency.wakeup import Wakeup

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

Missed = Literal["coalesce", "skip"]

_RECHECK = timedelta(seconds=30)  # a suspended machine, or a clock that is set, is noticed within this time
_SET_BACK = timedelta(hours=1)  # a wall clock that goes back further than this was wrong before


class Clock(Protocol):
    """Where a Ticker reads the time."""

    def now(self) -> datetime:
        """Return the wall clock's time, aware and in UTC."""

    def monotonic(self) -> float:
        """Return the seconds of a clock that is never set."""


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        """Return the wall clock's time, aware and in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the seconds of a clock that is never set."""
        return time.monotonic()


class Ticker:
    """Calls `callback(**kwargs)` at each tick: `await Ticker(Every(seconds=3), work, size=10).run()`.

    `callback` may be a coroutine function or a plain one; a plain one runs on the event loop and must not
    block (wrap what does in `asyncio.to_thread`). The names `name`, `missed` and `clock` are the ticker's own
    and cannot be the callback's keyword arguments; use functools.partial for such.

    A tick never overlaps another. What the callback raises is logged with the ticker's name, SystemExit
    included, and the next tick comes as planned. Ticks do not drift: each is due by the schedule, not by when
    the last one ended. Ticks that could not be on time, because the callback took long, the loop was blocked
    or the machine slept, are `missed`: with "coalesce" they are made up for by one call as soon as possible,
    with "skip" by none (a tick counts as missed when it is over 30 s late or when the one after it is due as
    well).

    A wall-clock schedule looks at the clock at least every 30 s, so that a clock that is set and a suspended
    machine delay a tick by no more. When the clock goes back by up to an hour no tick is repeated; by more,
    it is taken to have been wrong before, that is logged and the schedule goes on from the new time.
    """

    def __init__(
        self,
        schedule: Schedule,
        callback: Callable[..., object],
        /,
        *,
        name: str = "ticker",
        missed: Missed = "coalesce",
        clock: Clock | None = None,
        **kwargs: object,
    ) -> None:
        if not hasattr(schedule, "next_after"):
            raise TypeError(f"schedule is {schedule!r}: pass Every(seconds=...) or Cron(line, timezone)")
        if missed not in get_args(Missed):
            raise ValueError(f"missed={missed!r}: allowed are {' and '.join(map(repr, get_args(Missed)))}")
        self._schedule = schedule
        self._callback = callback
        self._kwargs = kwargs
        self._name = name
        self._missed = missed
        self._clock = clock or SystemClock()
        self._wakeup = Wakeup()
        self._stopped = False
        self._running = False
        self._begun = 0.0

    async def run(self) -> None:
        """Tick until stopped. Raises RuntimeError when it runs already."""
        if self._running:
            raise RuntimeError(f"ticker {self._name!r} is already running")
        self._running = True
        try:
            await self._run()
        finally:
            self._running = False

    def stop(self) -> None:
        """Let `run` return, at once when it waits and after the callback when that is under way.

        Thread-safe, idempotent, for good; before `run` it lets that return at once. To interrupt the callback
        too, cancel the task of `run`.
        """
        self._stopped = True
        self._wakeup.set()

    async def _run(self) -> None:
        self._begun = self._clock.monotonic()
        seen = self._moment()
        due = self._schedule.next_after(seen)
        while not self._stopped:
            moment = self._moment()
            if moment < seen - _SET_BACK:
                logger.warning("ticker %s: the clock was set back, going on from the new time", self._name)
                due = self._schedule.next_after(moment)
            seen = moment
            if moment < due:
                await self._wakeup.wait(self._pause(due - moment))
            else:
                due = await self._tick(due, moment)

    async def _tick(self, due: datetime, moment: datetime) -> datetime:
        """Serve the tick of `due` (and those missed up to `moment`); return when the next is due."""
        if self._missed == "coalesce":
            await self._call()
            return self._schedule.next_after(moment)
        if moment - due <= _RECHECK and moment < self._schedule.next_after(due):
            await self._call()
        return self._schedule.next_after(max(self._moment(), moment))

    async def _call(self) -> None:
        try:
            answer = self._callback(**self._kwargs)
            if inspect.isawaitable(answer):
                await answer
        except (Exception, SystemExit, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and was_cancelled():
                raise
            logger.exception("ticker %s: the callback failed, the next tick will come", self._name)

    def _moment(self) -> datetime:
        if self._schedule.wall_clock:
            return self._clock.now()
        return EPOCH + timedelta(seconds=self._clock.monotonic() - self._begun)

    def _pause(self, left: timedelta) -> float:
        return (min(left, _RECHECK) if self._schedule.wall_clock else left).total_seconds()
