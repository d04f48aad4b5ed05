"""What people change while a daemon, or another person, changes the same row."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import psycopg
import pytest

from feedback_app.model import DeliveryReceipt, Outcome
from feedback_app.store import low_ratings, message_queries, outbox, outcomes, ratings, receipts
from feedback_app.store.message_queries import Change
from feedback_app.store.receipts import Noted
from feedback_app.store.store import Store
from tests.making import NOW, incoming, message
from tests.postgres import ask, do, store_on
from tests.running import until

WAITING = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[Store]:
    """Open an empty ledger."""
    async with store_on(postgres_url) as opened:
        yield opened


@asynccontextmanager
async def _first(url: str, change: str) -> AsyncIterator[None]:
    """Change a row first: the block begins before that is committed and ends once somebody waits for it."""
    async with await psycopg.AsyncConnection.connect(url.replace("+psycopg", "")) as other:
        await other.execute(change.encode())
        yield
        await until(lambda: ask(url, WAITING))


async def _meanwhile(url: str, change: str, store: Store, unit: Callable[..., Any]) -> Any:
    """Run a unit beside a change that is committed between its look and its own change."""
    async with asyncio.TaskGroup() as tasks, _first(url, change):
        running = tasks.create_task(store.write(unit))
    return running.result()


@pytest.mark.parametrize("command", [message_queries.retry, message_queries.cancel])
async def test_a_message_that_is_claimed_meanwhile_is_left_to_the_daemon(
    store: Store, postgres_url: str, command: Callable[..., Change]
) -> None:
    """Queued again in mid-send it would be sent twice; cancelled it would be told as never sent."""
    await store.write(partial(outbox.enqueue, entries=[message(1)], now=NOW))
    claim = "UPDATE message SET state = 'sending', lease_owner = 'b'"
    change = await _meanwhile(postgres_url, claim, store, partial(command, number=1, now=NOW))
    assert change == Change(before="sending", done=False)
    assert ask(postgres_url, "SELECT state, lease_owner FROM message") == [("sending", "b")]


async def test_of_many_those_that_are_claimed_meanwhile_are_left_to_the_daemon(
    store: Store, postgres_url: str
) -> None:
    """Somebody else retried it just before; the others are retried, and the command goes on behind all of them."""
    entries = [message(number) for number in (1, 2)]
    await store.write(partial(outbox.enqueue, entries=entries, now=NOW))
    do(postgres_url, "UPDATE message SET state = 'dead'")
    claim = "UPDATE message SET state = 'sending', lease_owner = 'b' WHERE id = 2"
    retry = partial(message_queries.retry_some, state="dead", after=0, limit=9, now=NOW)
    assert await _meanwhile(postgres_url, claim, store, retry) == (1, 2)
    states = "SELECT state FROM message ORDER BY id"
    assert ask(postgres_url, states) == [("queued",), ("sending",)]


async def test_two_people_at_one_low_rating_lose_no_note(store: Store, postgres_url: str) -> None:
    """And the second one does not acknowledge what the first has resolved."""
    await store.write(partial(ratings.take_in, arrivals=[incoming(rating=1)], now=NOW))
    (claimed,) = await store.read(partial(ratings.claim_fresh, after=0, limit=1))
    low = Outcome(feedback=claimed.feedback, ended="low", analysis={}, keep_low=True)
    await store.write(partial(outcomes.commit, outcomes=[low], now=NOW))
    first = """UPDATE low_rating SET notes = '[{"at": 1, "by": "ada", "text": "called"}]', owner = 'ada'"""
    step = low_ratings.Step(by="bob", note="wrote")
    await _meanwhile(postgres_url, first, store, partial(low_ratings.take, number=1, step=step, now=NOW))
    case = await store.read(partial(low_ratings.get, number=1))
    assert case is not None
    assert [one.text for one in case.notes] == ["called", "wrote"]


async def test_a_bounce_that_two_read_at_once_ends_the_message_once(store: Store, postgres_url: str) -> None:
    """The first let the next channel have it; the second must not end what goes out there."""
    await store.write(partial(outbox.enqueue, entries=[message(1)], now=NOW))
    do(postgres_url, "UPDATE message SET state = 'sent', settled_at = 1")
    found = await store.read(partial(receipts.addressed, number=1))
    assert found is not None
    bounced = DeliveryReceipt(message_id=found.message.id, state="failed", detail="550 no")
    note = partial(receipts.note, found=found, receipt=bounced, now=NOW, instead=None)
    handed_on = "UPDATE message SET state = 'queued', channel = 'sms', recipient = '+49151'"
    assert await _meanwhile(postgres_url, handed_on, store, note) is Noted.KNOWN
    assert ask(postgres_url, "SELECT state, receipt FROM message") == [("queued", None)]
    assert ask(postgres_url, "SELECT count(*) FROM delivery_attempt") == [(0,)]
