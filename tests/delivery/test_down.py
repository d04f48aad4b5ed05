"""A channel that is down or suspended: what waits for it, what probes it, and what suspends nothing."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from pathlib import Path

import pytest

from feedback_app import ChannelDown, Message, Receipt
from feedback_app.delivery.provider import Provider
from feedback_app.store.outbox import ClaimedMessage
from feedback_app.store.sqlite.store import SqliteStore
from feedback_app.store.store import Store
from tests.delivery.delivering import Clock, delivering, queue
from tests.delivery.scripted import Scripted, deliver_all, dispatcher, states_in
from tests.running import DEADLINE


async def test_a_channel_that_is_down_burns_no_attempts(
    store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    """A hundred messages wait, one line is logged; one probe opens the channel for all."""
    await queue(store, 100)
    clock = Clock()
    up = False

    async def send(_message: Message) -> Receipt:
        if not up:
            raise ChannelDown("535 wrong password")
        return Receipt()

    notifier = Scripted(send)
    with caplog.at_level(logging.INFO):
        await deliver_all(store, notifier, clock, workers=2)
    tried = len(notifier.given)
    assert await states_in(store) == {"queued": 100}
    assert tried <= 2
    assert [record.message for record in caplog.records] == ["channel down"]

    one = dispatcher(store, notifier, clock)
    async with delivering(one):
        await asyncio.wait_for(one.conveyor.idle(), DEADLINE)
        up = True
        clock.now += 31_000
        one.conveyor.wake()
        while (await states_in(store)) != {"sent": 100}:  # noqa: ASYNC110 - the ledger has no event to wait for
            await asyncio.sleep(0.01)
    attempts = await store.read(
        lambda connection: connection.exec_driver_sql("SELECT max(attempts) FROM message").scalar_one()
    )
    assert attempts == 1


async def test_a_plugin_that_fails_on_every_message_is_suspended_and_burns_few_attempts(
    store: SqliteStore,
) -> None:
    """Five pay for it, the others wait; when it is mended, a probe opens the channel and all are sent."""
    await queue(store, 40)
    clock = Clock()
    mended = False

    async def send(_message: Message) -> Receipt:
        if not mended:
            raise KeyError("template")
        return Receipt()

    one = dispatcher(store, Scripted(send), clock, workers=2)
    async with delivering(one):
        for _ in range(30):  # probes, each of another message, and never one that dies of it
            await asyncio.wait_for(one.conveyor.idle(), DEADLINE)
            clock.now += 301_000
            one.conveyor.wake()
        await asyncio.wait_for(one.conveyor.idle(), DEADLINE)
        assert one.providers[0].health.reason.startswith(
            "suspended: 5 failures in a row of plugin scripted: KeyError at "
        )
        assert await states_in(store) == {"queued": 40}
        assert sum(await _attempts(store)) == 5
        mended = True
        clock.now += 301_000
        one.conveyor.wake()
        while (await states_in(store)) != {"sent": 40}:  # noqa: ASYNC110 - the ledger has no event to wait for
            await asyncio.sleep(0.01)
    assert not one.providers[0].health.down


async def _attempts(store: SqliteStore) -> list[int]:
    query = "SELECT attempts FROM message ORDER BY id"
    return await store.read(lambda connection: list(connection.exec_driver_sql(query).scalars()))


async def test_a_poison_message_ends_as_dead_and_suspends_nothing(store: SqliteStore) -> None:
    """The plugin fails on it each time and sends all others."""
    await queue(store, 30)
    clock = Clock()

    async def send(given: Message) -> Receipt:
        if given.id == "thanks.7.ledger":
            raise KeyError(given.text)
        return Receipt()

    one = dispatcher(store, Scripted(send), clock)
    async with delivering(one):
        for _ in range(3):
            await asyncio.wait_for(one.conveyor.idle(), DEADLINE)
            assert not one.providers[0].health.down
            clock.now += 3_600_000
            one.conveyor.wake()
        await asyncio.wait_for(one.conveyor.idle(), DEADLINE)
    assert await states_in(store) == {"sent": 29, "dead": 1}
    assert (await _attempts(store))[6] == 3


class _Locked(Provider):
    """While it is down, once, the ledger is locked when the marker of a message is to be written."""

    was_locked = False

    async def mark(self, store: Store, claimed: ClaimedMessage) -> bool:
        if self.health.down and not self.was_locked:
            self.was_locked = True
            other = sqlite3.connect(store.name, isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            asyncio.get_running_loop().call_later(0.2, other.close)
        return await super().mark(store, claimed)


async def test_a_probe_that_meets_a_locked_ledger_is_not_the_last_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its marker cannot be written, so it goes back untried and that is said; the next one opens the channel."""
    monkeypatch.setattr("feedback_app.store.sqlite.engines._COMMON", ("PRAGMA busy_timeout = 50",))
    clock = Clock()
    async with SqliteStore(tmp_path / "feedback.db") as store:
        await queue(store, 2)
        answers: list[Exception] = [ChannelDown("535 wrong password")]

        async def send(_message: Message) -> Receipt:
            if answers:
                raise answers.pop()
            return Receipt()

        one = dispatcher(store, Scripted(send, "hold"), clock, kind=_Locked, workers=1)
        async with delivering(one):
            for _ in range(3):
                await asyncio.wait_for(one.conveyor.idle(), DEADLINE)
                clock.now += 31_000
                one.conveyor.wake()
            await asyncio.wait_for(one.conveyor.idle(), DEADLINE)
        assert await states_in(store) == {"sent": 2}
    assert "delivery broke off" in caplog.text
