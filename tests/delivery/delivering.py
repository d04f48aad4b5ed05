"""Runs a channel's delivery on a real ledger, by a clock that the test sets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial

from feedback_app.delivery.dispatcher import Dispatcher
from feedback_app.store import outbox
from feedback_app.store.sqlite.store import SqliteStore
from tests.making import NOW, message
from tests.running import DEADLINE


class Clock:
    """A clock that the test sets, in milliseconds."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        """Return the moment."""
        return self.now


@contextlib.asynccontextmanager
async def delivering(one: Dispatcher) -> AsyncIterator[None]:
    """Run it while the block lasts."""
    task = asyncio.create_task(one.conveyor.run())
    try:
        yield
    finally:
        one.conveyor.stop()
        await asyncio.wait_for(task, DEADLINE)


async def queue(store: SqliteStore, count: int) -> None:
    """Put so many messages into the outbox."""
    entries = [message(number, customer=None) for number in range(1, count + 1)]
    await store.write(partial(outbox.enqueue, entries=entries, now=NOW))
