"""What the daemon runs side by side: sources, the pipeline, each channel's delivery."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from feedback_app.store.store import Store

log = logging.getLogger(__name__)


class Part(Protocol):
    """A conveyor or a source: what the daemon runs until it stops."""

    name: str

    @property
    def in_flight(self) -> int:
        """How many it has begun and not ended."""
        ...

    async def run(self) -> None:
        """Work until `stop`."""

    def wake(self) -> None:
        """Say that there may be something to do."""

    def stop(self) -> None:
        """Begin nothing more."""

    def abort(self) -> None:
        """Also end what is under way."""

    async def idle(self) -> None:
        """Wait until there is nothing to do."""

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do."""
        ...


def wake_all(parts: Sequence[Part]) -> None:
    """Tell all that there may be something to do."""
    for one in parts:
        one.wake()


async def drained(parts: Sequence[Part]) -> None:
    """Wait until nothing is due: first the sources, which fill the inbox, then the pipeline, which fills the outbox.

    A channel may fill another one's that was idle already.
    """
    while not all(one.is_idle for one in parts):
        for one in parts:
            await one.idle()


async def end(
    store: Store,
    parts: Sequence[Part],
    working: Sequence[asyncio.Task[None]],
    grace: float,
) -> None:
    """Let what is in flight finish within `grace` seconds; the rest is cancelled and given back."""
    for one in parts:
        one.stop()
    _, late = await asyncio.wait(working, timeout=grace)
    if late:
        log.warning("grace is over", extra={"cancelled": sum(one.in_flight for one in parts)})
        for one in parts:
            one.abort()
        store.give_up()
        await asyncio.wait(late)
