"""Ratings that a daemon of a shared ledger died with: whoever is there tries them, to their end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Engine, event

from feedback_app.inbox import SharedInbox
from feedback_app.model import Customer, Feedback, Outcome
from feedback_app.presence import Presence
from feedback_app.processing import Processor
from feedback_app.store import ratings
from feedback_app.store.postgresql import leases
from feedback_app.store.store import Store
from tests.making import NOW, incoming
from tests.postgres import ask, do, store_on
from tests.running import DEADLINE

_STATES = "SELECT state, count(*) FROM feedback GROUP BY state"


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[Store]:
    """Open a ledger with three ratings."""
    async with store_on(postgres_url) as opened:
        arrivals = [incoming(f"r{number}") for number in (1, 2, 3)]
        await opened.write(partial(ratings.take_in, arrivals=arrivals, now=NOW))
        yield opened


@contextlib.asynccontextmanager
async def _processing(
    store: Store,
    presence: Presence,
    decide: Callable[[Feedback, Customer | None], Awaitable[Outcome]],
    now: Callable[[], int] = lambda: NOW,
) -> AsyncIterator[Processor]:
    one = Processor(
        store,
        decide,  # type: ignore[arg-type]
        workers=2,
        clock=now,
        presence=presence,
        on_commit=lambda _count: None,
    )
    task = asyncio.create_task(one.conveyor.run())
    try:
        yield one
    finally:
        one.conveyor.stop()
        await asyncio.wait_for(task, DEADLINE)


async def _done(feedback: Feedback, _customer: Customer | None) -> Outcome:
    return Outcome(feedback=feedback, ended="no_customer", analysis={}, keep_low=False)


@pytest.mark.parametrize("suspicion", [1, 2])
async def test_a_suspect_that_fails_is_tried_five_times_and_dead(
    store: Store, postgres_url: str, suspicion: int
) -> None:
    """As any other, and while nothing else is in hand; it does not wait for the next death or start."""
    now, tries = NOW, 0

    async def fail(_feedback: Feedback, _customer: Customer | None) -> Outcome:
        nonlocal tries
        tries += 1
        raise ValueError("cannot read this one")

    async with Presence(store, boot_id="b", clock=lambda: now) as presence:
        await presence.sign_on()
        do(postgres_url, f"UPDATE feedback SET suspicion = {suspicion}")
        async with _processing(store, presence, fail, lambda: now) as one:
            for _ in range(5):
                await asyncio.wait_for(one.conveyor.idle(), DEADLINE)
                now += 600_000
                one.conveyor.wake()
            await asyncio.wait_for(one.conveyor.idle(), DEADLINE)
    assert (tries, ask(postgres_url, _STATES)) == (15, [("dead", 3)])


async def test_suspects_that_another_daemon_gave_back_are_done(store: Store, postgres_url: str) -> None:
    """It was stopped in order, so nobody was fenced; who runs finds them once there is nothing else."""
    async with Presence(store, boot_id="b", clock=lambda: NOW) as presence:
        await presence.sign_on()
        async with _processing(store, presence, _done) as one:
            await asyncio.wait_for(one.conveyor.idle(), DEADLINE)
            assert not presence.suspicious
            await store.write(partial(ratings.take_in, arrivals=[incoming("r4")], now=NOW))
            do(postgres_url, "UPDATE feedback SET suspicion = 1 WHERE id = 4")
            one.conveyor.wake()
            await asyncio.wait_for(one.conveyor.idle(), DEADLINE)
    assert ask(postgres_url, _STATES) == [("processed", 4)]


async def test_an_idle_daemon_looks_through_what_waits_once(store: Store, postgres_url: str) -> None:
    """New or suspected: one look tells, for after a mass failure there is much to look through."""
    walks: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: Any) -> None:
        if "ORDER BY id + 0" in statement:
            walks.append(statement)

    async with Presence(store, boot_id="b", clock=lambda: NOW) as presence:
        await presence.sign_on()
        presence.suspicious = False
        do(postgres_url, f"UPDATE feedback SET retry_at = {NOW + 60_000}, suspicion = id % 2")
        inbox = SharedInbox(store, lambda: NOW, store.write, presence)
        assert await inbox.claim(9) == ((), 60.0)
        event.listen(Engine, "after_cursor_execute", note)
        try:
            assert await inbox.claim(9) == ((), 60.0)
        finally:
            event.remove(Engine, "after_cursor_execute", note)
    assert len(walks) == 1


async def test_what_is_freed_late_makes_suspicious_too(store: Store, postgres_url: str) -> None:
    """Of a daemon that was fenced at an earlier look, or that had stopped, nobody is fenced any more."""
    async with Presence(store, boot_id="b", clock=lambda: NOW) as presence:
        await presence.sign_on()
        presence.suspicious = False
        await store.write(partial(leases.claim_fresh, owner="gone", limit=9))
        assert await presence.beat({}, {})
        assert presence.suspicious
