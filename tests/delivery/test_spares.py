"""A spare provider that is to be asked by a refused message, and then is not: neither of the two is forgotten."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from feedback_app import ChannelDown, Message, Notifier, PermanentFailure, Receipt
from feedback_app.delivery.dispatcher import Dispatcher
from feedback_app.delivery.lease import Alone
from feedback_app.delivery.provider import DeliveryPolicy, Provider
from feedback_app.delivery.retry import Backoff
from feedback_app.store import outbox
from feedback_app.store.limits import Limit
from feedback_app.store.outbox import ClaimedMessage
from feedback_app.store.sqlite.store import SqliteStore
from feedback_app.store.store import Store
from tests.delivery.delivering import Clock, delivering
from tests.delivery.providers import idle
from tests.delivery.test_recording import ask
from tests.making import NOW, message

_POLICY = DeliveryPolicy(workers=1, max_attempts=3, backoff=Backoff(30, 3600, draw=lambda: 0.0))


class _Fake(Notifier):
    channel = "email"

    def __init__(self, answer: Exception) -> None:
        self.answer: Exception | None = answer

    async def send(self, message: Message) -> Receipt:
        if self.answer is not None:
            raise self.answer
        return Receipt()


class _Interrupted(Provider):
    """Something happens just before the marker of a message is written."""

    meanwhile: Callable[[], object] | None = None

    async def mark(self, store: Store, claimed: ClaimedMessage) -> bool:
        if self.meanwhile is not None:
            self.meanwhile()
            self.meanwhile = None
        return await super().mark(store, claimed)


def _locks(ledger: Path) -> None:
    """Another process holds the ledger for a moment."""
    other = sqlite3.connect(ledger, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    asyncio.get_running_loop().call_later(0.2, other.close)


def _steals(ledger: Path) -> None:
    """Another daemon takes the message over, as from a dead one, and is done with it."""
    with contextlib.closing(sqlite3.connect(ledger)) as other:
        other.execute("UPDATE message SET lease_owner = NULL, state = 'sent' WHERE state = 'sending'")
        other.commit()


@pytest.mark.parametrize(("meanwhile", "state"), [(_locks, "queued"), (_steals, "sent")])
async def test_a_spare_that_was_not_asked_after_all_is_asked_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[Path], None], state: str
) -> None:
    """It is down and was to be probed: its marker cannot be written. What the first one said stands, and counts."""
    monkeypatch.setattr("feedback_app.store.sqlite.engines._COMMON", ("PRAGMA busy_timeout = 50",))
    clock = Clock()
    spare = _Fake(ChannelDown("away"))
    async with SqliteStore(tmp_path / "feedback.db") as store:
        first, second = (
            kind(
                notifier,
                limit=Limit(provider=name, channel="email", per_day=100),
                policy=_POLICY,
                clock=clock,
                is_sole=False,
            )
            for kind, name, notifier in (
                (Provider, "a", _Fake(PermanentFailure("no"))),
                (_Interrupted, "b", spare),
            )
        )
        assert isinstance(second, _Interrupted)
        one = Dispatcher(store, "email", [first, second], policy=_POLICY, lease=Alone("boot"), clock=clock)
        async with delivering(one):
            await store.write(partial(outbox.enqueue, entries=[message(1, customer=None)], now=NOW))
            await idle(one)
            assert second.health.down
            second.meanwhile = partial(meanwhile, store.path)
            spare.answer = None
            clock.now += 15_000
            await idle(one)
            assert ask(store.path, "SELECT provider, outcome FROM delivery_attempt ORDER BY id") == [
                ("a", "permanent"),
                ("b", "channel_down"),
                ("a", "permanent"),
            ]
            assert ask(
                store.path, "SELECT provider, sum(tries) FROM tries_by_minute GROUP BY 1 ORDER BY 1"
            ) == [
                ("a", 2),
                ("b", 1),
            ]
            assert ask(store.path, "SELECT state, attempts FROM message") == [(state, 0)]
            clock.now += 300_000
            await store.write(partial(outbox.enqueue, entries=[message(2, customer=None)], now=clock.now))
            await idle(one)
        assert not second.health.down
        assert ask(store.path, "SELECT DISTINCT state FROM message") == [("sent",)]
