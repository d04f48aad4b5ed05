"""Tell being cancelled from a CancelledError that came up by itself."""

from __future__ import annotations

import asyncio


def was_cancelled() -> bool:
    """Say whether somebody cancelled the running task.

    False means that a CancelledError was raised by the code itself, or passed on from something it awaited
    that had been cancelled. Whoever swallows a CancelledError must know: swallowing the first kind makes a
    task that cannot be ended, and letting the second kind through lets one piece of work end its worker.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
