"""The one place where the program asks what time it is; everything else is handed a clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeAlias

from feedback_app.model import Milliseconds

Clock: TypeAlias = Callable[[], Milliseconds]

BUILT: Milliseconds = 1_767_225_600_000  # 2026-01-01T00:00Z; a clock that shows less was never set
JUMP = 3600.0  # seconds; a clock that is set by more was wrong, before or now


def now_ms() -> Milliseconds:
    """Return the wall clock."""
    return time.time_ns() // 1_000_000


class Jumps:
    """Notices that the wall clock was set, or that the machine slept, by a stop-watch that runs beside it.

    Slewing, by which a time server puts clocks right, moves a clock by half a millisecond a second at most: between
    two looks that is nothing.
    """

    def __init__(self, clock: Clock, stopwatch: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stopwatch = stopwatch  # seconds since any moment
        self._offset = self._measured()

    def latest(self) -> float:
        """Return by how many seconds the wall clock went ahead (or, negative, back) of the time since the last call."""
        before, self._offset = self._offset, self._measured()
        return self._offset - before

    def _measured(self) -> float:
        return self._clock() / 1000 - self._stopwatch()
