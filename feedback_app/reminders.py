"""Says once an hour what is still down, and how much waits for it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from feedback_app.logs.outage import REMIND
from feedback_app.store import status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from feedback_app.clock import Clock
    from feedback_app.delivery.dispatcher import Dispatcher
    from feedback_app.intake.sourcing import Sourcing
    from feedback_app.model import Milliseconds
    from feedback_app.store.store import Store

log = logging.getLogger(__name__)


class Reminders:
    """`look` is called now and then; that something went down or is back is said by itself."""

    def __init__(
        self,
        store: Store,
        dispatchers: Sequence[Dispatcher],
        sourcings: Sequence[Sourcing],
        *,
        clock: Clock,
    ) -> None:
        self._store = store
        self._dispatchers = dispatchers
        self._sourcings = sourcings
        self._clock = clock
        self._said: dict[
            tuple[str, str], Milliseconds
        ] = {}  # when it was spoken of last, by channel and plugin

    async def look(self) -> None:
        """Say what has been down for another hour. Raises Busy."""
        now = self._clock()
        down = self._down()
        due = [one for one in down if now - self._said.get(one, down[one]) >= REMIND * 1000]
        waiting = await self._waiting() if any(channel for channel, _ in due) else {}
        self._said = {one: now if one in due else self._said.get(one, since) for one, since in down.items()}
        for one in self._sourcings:
            if ("", one.name) in due:
                log.warning(
                    "source still down",
                    extra={
                        "source": one.name,
                        "seconds": (now - down["", one.name]) // 1000,
                        "waiting": one.condition.lag,
                    },
                )
        of = {one.channel: one for one in self._dispatchers}
        for channel, provider in due:
            if channel:
                is_sole = len(of[channel].providers) == 1
                log.warning(
                    "channel still down" if is_sole else "provider still down",
                    extra={
                        "channel": channel,
                        **({} if is_sole else {"provider": provider}),
                        "seconds": (now - down[channel, provider]) // 1000,
                        "waiting": waiting.get(channel, {}).get("queued", 0),
                    },
                )

    def _down(self) -> dict[tuple[str, str], Milliseconds]:
        """Return since when what is down, the sources under no channel."""
        channels = {
            (one.channel, name): provider.health.down_since or 0
            for one in self._dispatchers
            for name, provider in one.down.items()
        }
        sources = {
            ("", one.name): one.condition.down_since
            for one in self._sourcings
            if one.condition.down_since is not None
        }
        return {**channels, **sources}

    async def _waiting(self) -> dict[str, Any]:
        """Return what waits in the ledger, by channel."""
        found = await self._store.read(status.waiting)
        queues: dict[str, Any] = found["channels"]
        return queues
