"""What is recorded of tries when the ledger is locked or the plugin fails at the wrong moment."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

import pytest
from sqlalchemy import Connection

from feedback_app import ChannelDown, Message, Notifier, Receipt
from feedback_app.delivery.dispatcher import Dispatcher
from feedback_app.delivery.lease import Alone
from feedback_app.delivery.provider import DeliveryPolicy, Provider
from feedback_app.delivery.retry import Backoff
from feedback_app.store import outbox
from feedback_app.store.limits import Limit
from feedback_app.store.sqlite.store import SqliteStore
from tests.making import NOW, message
from tests.running import DEADLINE

Value = TypeVar("Value")


class _Down(Notifier):
    channel = "email"
    on_unknown = "resend"

    async def send(self, message: Message) -> Receipt:
        raise ChannelDown("535 wrong password")


class _Careless(Notifier):
    """Cannot read the answer to what the far side has taken."""

    channel = "email"

    def __init__(self, on_unknown: Literal["resend", "hold"]) -> None:
        self.on_unknown = on_unknown
        self.taken: list[str] = []

    async def send(self, message: Message) -> Receipt:
        self.taken.append(message.id)
        answer: dict[str, str] = {}
        return Receipt(provider_id=answer["id"])


class _LockedAfterATry(SqliteStore):
    """Another process holds the ledger for a moment, from the commit on that brings the first try."""

    was_locked = False

    async def write(self, unit: Callable[[Connection], Value]) -> Value:
        value = await super().write(unit)
        if not self.was_locked and ask(self.path, "SELECT count(*) FROM delivery_attempt") == [(1,)]:
            self.was_locked = True
            other = sqlite3.connect(self.path, isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            asyncio.get_running_loop().call_later(0.2, other.close)
        return value


def ask(ledger: Path, query: str) -> list[tuple[Any, ...]]:
    """Ask the ledger by a connection of its own."""
    with contextlib.closing(sqlite3.connect(ledger)) as connection:
        return connection.execute(query).fetchall()


@contextlib.asynccontextmanager
async def _delivering(store: SqliteStore, notifier: Notifier) -> AsyncIterator[Dispatcher]:
    policy = DeliveryPolicy(workers=1, max_attempts=3, backoff=Backoff(30, 3600))
    limit = Limit(provider="scripted", channel="email", per_day=100)
    provider = Provider(notifier, limit=limit, policy=policy, clock=lambda: NOW)
    one = Dispatcher(store, "email", [provider], policy=policy, lease=Alone("boot"), clock=lambda: NOW)
    task = asyncio.create_task(one.conveyor.run())
    try:
        yield one
    finally:
        one.conveyor.stop()
        await asyncio.wait_for(task, DEADLINE)


async def test_a_ledger_that_is_locked_meanwhile_has_each_try_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One message finds the channel down, the others go back untried; all that is one commit, or none."""
    monkeypatch.setattr("feedback_app.store.sqlite.engines._COMMON", ("PRAGMA busy_timeout = 50",))
    async with _LockedAfterATry(tmp_path / "feedback.db") as store:
        entries = [message(number, customer=None) for number in range(1, 6)]
        await store.write(partial(outbox.enqueue, entries=entries, now=NOW))
        async with _delivering(store, _Down()) as one:
            await asyncio.wait_for(one.conveyor.idle(), DEADLINE)
        assert store.was_locked
    assert ask(store.path, "SELECT message_number, outcome FROM delivery_attempt") == [(1, "channel_down")]
    assert ask(store.path, "SELECT tries FROM tries_by_minute") == [(1,)]
    assert ask(store.path, "SELECT DISTINCT state, lease_owner FROM message") == [("queued", None)]


@pytest.mark.parametrize(("on_unknown", "state"), [("hold", "held"), ("resend", "queued")])
async def test_what_a_plugin_fails_on_by_its_own_fault_may_have_left(
    store: SqliteStore, on_unknown: Literal["resend", "hold"], state: str
) -> None:
    """It is marked, and held where it must not double; nobody knows whether the last byte was out."""
    await store.write(partial(outbox.enqueue, entries=[message(1, customer=None)], now=NOW))
    notifier = _Careless(on_unknown)
    async with _delivering(store, notifier) as one:
        await asyncio.wait_for(one.conveyor.idle(), DEADLINE)
    assert len(notifier.taken) == 1
    assert ask(store.path, "SELECT state, maybe_sent_at, may_leave_at FROM message") == [(state, NOW, None)]
    assert ask(store.path, "SELECT outcome FROM delivery_attempt") == [("bug",)]
