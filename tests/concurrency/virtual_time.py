"""An event loop whose clock jumps to the next timer instead of waiting, so that a day takes no time."""

from __future__ import annotations

import asyncio
import selectors
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")

_STUCK = 10.0  # seconds of real time after which a loop without timers and events is taken to be stuck


class _JumpingSelector(selectors.DefaultSelector):
    """Never sleeps while there is a timer: it moves the loop's clock to it."""

    loop: VirtualTimeLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready, or move the clock on."""
        self.loop.turns += 1
        events = super().select(0)
        if events or timeout == 0:
            return events
        if timeout is None:
            events = super().select(_STUCK)
            assert events, "nothing is scheduled and nothing happens"
            return events
        self.loop.seconds += timeout
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A real loop but for its clock."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.turns = 0
        selector = _JumpingSelector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        """Return the seconds that timers have jumped over."""
        return self.seconds


class VirtualClock:
    """Goes with the loop's clock, but its wall clock can be set."""

    def __init__(self, start: datetime = datetime(2026, 3, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._jumped = timedelta()

    def now(self) -> datetime:
        """Return the wall clock's time."""
        return self._start + self._jumped + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Return the loop's time."""
        return asyncio.get_running_loop().time()

    def jump(self, by: timedelta) -> None:
        """Set the wall clock forward or back, as a suspended machine or an operator does."""
        self._jumped += by


def run_virtual(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a loop with virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(coroutine)
