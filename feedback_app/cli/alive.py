"""`feedback-app status --check`: is the daemon alive? For the health checks of containers."""

from __future__ import annotations

import socket
from functools import partial
from typing import TYPE_CHECKING

from feedback_app.clock import now_ms
from feedback_app.errors import FeedbackAppError

if TYPE_CHECKING:
    from feedback_app.store.store import Store

_LONGEST = 60_000  # milliseconds between two heartbeats; there is to be one every 10 seconds


async def must_be_alive(store: Store) -> None:
    """Raise FeedbackAppError with one line unless a daemon runs and its heartbeat is young.

    Where daemons share the ledger, one on this machine (in this container) is meant.
    """
    from feedback_app.store import health

    host = socket.gethostname() if store.shared else None
    where = f" on {host}" if host else ""
    if await store.running_daemon() is None:
        raise FeedbackAppError(f"no daemon runs{where}")
    silent = await store.read(partial(health.silence, host=host, now=now_ms()))
    if silent is None:
        raise FeedbackAppError(f"no daemon runs{where} yet: none has signed on")
    if silent > _LONGEST:
        raise FeedbackAppError(
            f"the daemon{where} was last heard of {silent // 1000} s ago, at most 60 are well"
        )
