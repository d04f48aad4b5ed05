"""Delivery without a daemon: a command sends the due messages of one purpose and is done."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from feedback_app import assembly
from feedback_app.clock import now_ms
from feedback_app.concurrency import Every, Ticker
from feedback_app.errors import Busy, Unreachable, what_ended
from feedback_app.plugin_host import Observers
from feedback_app.presence import Presence
from feedback_app.store.ledger import ledger_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from feedback_app.delivery.dispatcher import Dispatcher
    from feedback_app.settings import Settings
    from feedback_app.store.store import Store


class Delivery(NamedTuple):
    """What delivers at the moment."""

    store: Store
    dispatchers: Sequence[Dispatcher]
    finish: Callable[[], Awaitable[None]]  # take nothing more and return when what is being sent has ended

    def wake(self) -> None:
        """Say that something was put into the outbox."""
        for one in self.dispatchers:
            one.conveyor.wake()

    @property
    def in_flight(self) -> int:
        """How many messages are being sent."""
        return sum(one.conveyor.in_flight for one in self.dispatchers)

    async def idle(self) -> None:
        """Wait until nothing is due."""
        for one in self.dispatchers:
            await one.conveyor.idle()


async def deliver_now(settings: Settings, purpose: str) -> Counter[str] | None:
    """Deliver what is due of one purpose; returns how many tries ended in which state.

    None where a daemon was started meanwhile, which does it. Raises BadConfig for plugins that are not fit.
    """
    async with delivering(settings, purpose) as delivery:
        if delivery is None:
            return None
        await delivery.idle()
    return sum((one.counts for one in delivery.dispatchers), Counter())


@asynccontextmanager
async def delivering(
    settings: Settings, purpose: str, channel: str | None = None
) -> AsyncIterator[Delivery | None]:
    """Deliver messages of one purpose, by one channel where it is given, until the block ends.

    What is being sent then is finished. Enters with None where a daemon runs. Raises as `deliver_now` does.
    """
    host = assembly.load_plugins(settings)
    serving = host
    if channel is not None:  # the others are not even opened
        serving = replace(host, notifiers={channel: host.notifiers[channel]})
    async with AsyncExitStack() as stack:
        try:
            store = await stack.enter_async_context(ledger_of(settings).open("daemon"))
        except Unreachable:
            raise
        except Busy:
            store = None
        if store is None:
            yield None
            return
        observers = Observers(host)
        stack.push_async_callback(observers.close)
        await assembly.open_notifiers(stack, serving)
        await assembly.recover(store, host, settings, now_ms())
        presence = await stack.enter_async_context(
            Presence(store, boot_id=secrets.token_hex(8), clock=now_ms)
        )
        if store.shared:
            await presence.sign_on()
        dispatchers = assembly.dispatchers_of(
            settings,
            serving,
            store,
            lease=presence,
            clock=now_ms,
            purpose=purpose,
            on_settled=observers.tell_all,
        )

        async def beat() -> None:
            if store.shared:
                await presence.beat({}, {})

        heartbeat = Ticker(Every(seconds=presence.heartbeat), beat, name="heartbeat")
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(heartbeat.run(), name="heartbeat")
                working = [
                    tasks.create_task(one.conveyor.run(), name=one.conveyor.name) for one in dispatchers
                ]

                async def finish() -> None:
                    for one in dispatchers:
                        one.conveyor.stop()
                    await asyncio.gather(*working)

                yield Delivery(store, dispatchers, finish)
                await finish()
                heartbeat.stop()
        except BaseExceptionGroup as group:
            raise what_ended(group) from group
