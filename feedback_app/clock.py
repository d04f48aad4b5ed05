"""The one place where the program asks what time it is; everything else is handed a clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeAlias

from feedback_app.model import Milliseconds

Clock: TypeAlias = Callable[[], Milliseconds]


def now_ms() -> Milliseconds:
    """Return the wall clock."""
    return time.time_ns() // 1_000_000
