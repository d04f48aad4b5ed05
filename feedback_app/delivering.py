"""Delivery without a daemon: a command sends the due messages of one purpose and is done."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from feedback_app import assembly
from feedback_app.clock import now_ms
from feedback_app.concurrency import Every, Ticker
from feedback_app.errors import Busy, Unreachable
from feedback_app.plugin_host import Observers
from feedback_app.presence import Presence
from feedback_app.store.ledger import ledger_of

if TYPE_CHECKING:
    from feedback_app.settings import Settings


async def deliver_now(settings: Settings, purpose: str) -> Counter[str] | None:
    """Deliver what is due of one purpose; returns how many tries ended in which state.

    None where a daemon was started meanwhile, which does it. Raises BadConfig for plugins that are not fit.
    """
    host = assembly.load_plugins(settings)
    async with AsyncExitStack() as stack:
        try:
            store = await stack.enter_async_context(ledger_of(settings).open("daemon"))
        except Unreachable:
            raise
        except Busy:
            return None
        observers = Observers(host)
        stack.push_async_callback(observers.close)
        await assembly.open_notifiers(stack, host)
        await assembly.recover(store, host, settings, now_ms())
        presence = await stack.enter_async_context(
            Presence(store, boot_id=secrets.token_hex(8), clock=now_ms)
        )
        if store.shared:
            await presence.sign_on(assembly.resending(host))
        dispatchers = assembly.dispatchers_of(
            settings,
            host,
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
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(heartbeat.run(), name="heartbeat")
            working = [tasks.create_task(one.conveyor.run(), name=one.conveyor.name) for one in dispatchers]
            for one in dispatchers:
                await one.conveyor.idle()
                one.conveyor.stop()
            await asyncio.gather(*working)
            heartbeat.stop()
        return sum((one.counts for one in dispatchers), Counter())
