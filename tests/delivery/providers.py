"""A channel with several providers, a, b, …, whose answers the test sets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from feedback_app import Message, Notifier, Receipt
from feedback_app.delivery.dispatcher import Dispatcher
from feedback_app.delivery.lease import Alone
from feedback_app.delivery.provider import DeliveryPolicy, Provider
from feedback_app.delivery.retry import Backoff
from feedback_app.store.limits import Limit
from feedback_app.store.sqlite.store import SqliteStore
from tests.delivery.delivering import Clock, delivering
from tests.running import DEADLINE


class Fake(Notifier):
    """A provider that notes what it is given, and answers as it is told."""

    channel = "email"
    timeout = 5.0
    on_unknown = "resend"

    def __init__(self, answer: Exception | None = None) -> None:
        self.answer = answer
        self.given: list[str] = []

    async def send(self, message: Message) -> Receipt:
        """Note it, and answer."""
        self.given.append(message.id)
        if self.answer is not None:
            raise self.answer
        return Receipt(provider_id="p")


def with_providers(
    store: SqliteStore, *notifiers: Fake, clock: Callable[[], int] | None = None, per_day: int = 0
) -> Dispatcher:
    """Return one with providers a, b, …; `per_day` limits the last."""
    clock = clock or Clock()
    policy = DeliveryPolicy(workers=1, max_attempts=3, backoff=Backoff(30, 3600, draw=lambda: 0.0))
    providers = [
        Provider(
            notifier,
            limit=Limit(provider=name, channel="email", per_day=per_day if notifier is notifiers[-1] else 0),
            policy=policy,
            clock=clock,
            is_sole=False,
        )
        for name, notifier in zip("abc", notifiers, strict=False)
    ]
    return Dispatcher(store, "email", providers, policy=policy, lease=Alone("boot"), clock=clock)


async def deliver(one: Dispatcher) -> None:
    """Deliver until there is nothing to do."""
    async with delivering(one):
        await idle(one)


async def idle(one: Dispatcher) -> None:
    """Wake it, and wait until there is nothing to do."""
    one.conveyor.wake()
    await asyncio.wait_for(one.conveyor.idle(), DEADLINE)


async def tries_of(store: SqliteStore) -> list[tuple[int, str, str]]:
    """Return (message, provider, outcome) of each try, in order."""
    found = await store.read(
        lambda connection: connection.exec_driver_sql(
            "SELECT message_number, provider, outcome FROM delivery_attempt ORDER BY id"
        ).all()
    )
    return [tuple(one) for one in found]
