"""A daemon that was taken for dead, and goes on under a new id."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from feedback_app.errors import StorageFull
from feedback_app.presence import Presence
from feedback_app.store.store import Store
from tests.making import NOW
from tests.postgres import ask, do, store_on
from tests.running import DEADLINE, until


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[Store]:
    """Open an empty ledger."""
    async with store_on(postgres_url) as opened:
        yield opened


async def test_a_new_id_is_used_only_once_it_is_in_the_ledger(store: Store, postgres_url: str) -> None:
    """What is claimed under an id that nobody knows would be nobody's after a kill just then."""
    one = Presence(store, boot_id="a", clock=lambda: NOW)
    await one.sign_on()
    do(postgres_url, "UPDATE daemon SET fenced_at = 1")
    do(
        postgres_url,
        "CREATE FUNCTION halt() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NEW; END';"
        "CREATE TRIGGER halt BEFORE INSERT ON daemon FOR EACH ROW EXECUTE FUNCTION halt()",
    )
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as holding:
        holding.execute("SELECT pg_advisory_xact_lock(1)")
        beating = asyncio.create_task(one.beat({}, {}))
        await until(lambda: ask(postgres_url, "SELECT 1 FROM pg_locks WHERE NOT granted"))
        assert one.owner == "a"
    await asyncio.wait_for(beating, DEADLINE)
    assert one.owner == "a.2"
    assert one.holds("a.2")


async def test_a_fenced_presence_holds_nothing_before_it_has_its_new_id(
    store: Store, postgres_url: str
) -> None:
    """Its messages are due for others by then, however young its last heartbeat is by its own watch."""
    one = Presence(store, boot_id="a", clock=lambda: NOW, stopwatch=lambda: 100.0)
    await one.sign_on()
    do(
        postgres_url,
        "UPDATE daemon SET fenced_at = 1;"
        "CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN RAISE disk_full; END';"
        "CREATE TRIGGER fill BEFORE INSERT ON daemon FOR EACH ROW EXECUTE FUNCTION fill()",
    )
    with pytest.raises(StorageFull):
        await one.beat({}, {})
    assert not one.holds("a")
    do(postgres_url, "DROP TRIGGER fill ON daemon")
    await one.beat({}, {})
    assert one.holds("a.3")


async def test_two_heartbeats_at_once_take_one_new_id(store: Store, postgres_url: str) -> None:
    """The second goes by what the first has found: an id that nobody uses would be among the living for a while."""
    one = Presence(store, boot_id="a", clock=lambda: NOW)
    await one.sign_on()
    do(postgres_url, "UPDATE daemon SET fenced_at = 1")
    await asyncio.gather(one.beat({}, {}), one.beat({}, {}))
    assert one.owner == "a.2"
    assert ask(postgres_url, "SELECT boot_id FROM daemon WHERE fenced_at IS NULL") == [("a.2",)]
