"""A channel with one provider, whose `send` is the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from feedback_app import Message, Notifier, Receipt
from feedback_app.delivery.dispatcher import Dispatcher
from feedback_app.delivery.lease import Alone
from feedback_app.delivery.provider import DeliveryPolicy, Provider
from feedback_app.delivery.retry import Backoff
from feedback_app.store import status
from feedback_app.store.limits import Limit
from feedback_app.store.sqlite.store import SqliteStore
from tests.delivery.delivering import delivering
from tests.running import DEADLINE

Send = Callable[[Message], Awaitable[Any]]


class Scripted(Notifier):
    """A notifier that notes what it is given."""

    channel = "email"
    timeout = 5.0

    def __init__(self, send: Send, on_unknown: Literal["resend", "hold"] = "resend") -> None:
        self._send = send
        self.on_unknown = on_unknown
        self.given: list[str] = []

    async def send(self, message: Message) -> Receipt:
        """Note it, and do what the test says."""
        self.given.append(message.id)
        result: Receipt = await self._send(message)
        return result


def dispatcher(
    store: SqliteStore,
    notifier: Notifier,
    clock: Callable[[], int],
    limit: Limit | None = None,
    kind: type[Provider] = Provider,
    **policy: Any,
) -> Dispatcher:
    """Return one whose only provider is this notifier."""
    facts: dict[str, Any] = {"workers": 4, "max_attempts": 3, "backoff": Backoff(30, 3600), **policy}
    how = DeliveryPolicy(**facts)
    limit = limit or Limit(provider="scripted", channel="email")
    provider = kind(notifier, limit=limit, policy=how, clock=clock)
    return Dispatcher(store, "email", [provider], policy=how, lease=Alone("boot"), clock=clock)


async def deliver_all(
    store: SqliteStore,
    notifier: Notifier,
    clock: Callable[[], int],
    limit: Limit | None = None,
    **policy: Any,
) -> Dispatcher:
    """Deliver until there is nothing to do."""
    one = dispatcher(store, notifier, clock, **policy)
    async with delivering(one):
        await asyncio.wait_for(one.conveyor.idle(), DEADLINE)
    return one


async def states_in(store: SqliteStore) -> dict[str, int]:
    """Return how many messages are in which state."""
    counts = await store.read(status.counts)
    return {state: count for state, count in counts["messages"].items() if count}


async def ok(_message: Message) -> Receipt:
    """Take the message."""
    return Receipt(provider_id="p")
