"""A channel with several providers: who gets a message when the first is down, or refuses it."""

from __future__ import annotations

import logging
from functools import partial

import pytest

from feedback_app import ChannelDown, PermanentFailure, TemporaryFailure
from feedback_app.store import outbox, suppressions
from feedback_app.store.sqlite.store import SqliteStore
from tests.delivery.delivering import Clock, delivering, queue
from tests.delivery.providers import Fake, deliver, idle, tries_of, with_providers
from tests.making import NOW, message


async def _rows(store: SqliteStore) -> list[tuple[str, str | None, int]]:
    """Return (state, provider, attempts) of each message."""
    found = await store.read(
        lambda connection: connection.exec_driver_sql(
            "SELECT state, provider, attempts FROM message ORDER BY id"
        ).all()
    )
    return [tuple(one) for one in found]


async def _suppressed(store: SqliteStore) -> list[str]:
    """Return the addresses that nothing is sent to."""
    return [one.address for one in await store.read(partial(suppressions.page, after=None, limit=9))]


async def test_while_the_first_provider_is_down_the_next_one_serves(
    store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    """One message finds it down and costs no attempt; all leave by the second, and nothing waits."""
    await queue(store, 20)
    first, second = Fake(ChannelDown("535 wrong password")), Fake()
    one = with_providers(store, first, second)
    with caplog.at_level(logging.INFO):
        await deliver(one)
    assert await _rows(store) == [("sent", "b", 1)] * 20
    assert len(first.given) == 1
    assert sorted(second.given) == sorted(message(number)[1].id for number in range(1, 21))
    assert [record.message for record in caplog.records] == ["provider down"]
    assert caplog.records[0].__dict__["provider"] == "a"
    assert (one.reason, list(one.down)) == ("", ["a"])


async def test_the_first_provider_is_probed_and_used_again(store: SqliteStore) -> None:
    """After the pause one message asks; once that left, all go by it."""
    clock = Clock()
    first, second = Fake(ChannelDown("454")), Fake()
    one = with_providers(store, first, second, clock=clock)
    await queue(store, 2)
    async with delivering(one):
        await idle(one)
        first.answer = None
        clock.now += 400_000
        entries = [message(number, customer=None) for number in range(3, 9)]
        await store.write(partial(outbox.enqueue, entries=entries, now=clock.now))
        await idle(one)
        providers = {number: provider for number, provider, _ in await tries_of(store)}
        assert providers[3] == "a"  # the probe
        assert not one.down
        await store.write(partial(outbox.enqueue, entries=[message(9, customer=None)], now=clock.now))
        await idle(one)
    assert (await tries_of(store))[-1] == (9, "a", "sent")


async def test_what_one_refuses_for_good_the_next_is_given(store: SqliteStore) -> None:
    """At once, in the same turn; both tries are recorded, one attempt is counted."""
    await queue(store, 1)
    await deliver(with_providers(store, Fake(PermanentFailure("not our country")), Fake()))
    assert await tries_of(store) == [(1, "a", "permanent"), (1, "b", "sent")]
    assert await _rows(store) == [("sent", "b", 1)]


async def test_what_all_refuse_is_dead(store: SqliteStore) -> None:
    """Each was asked once."""
    await queue(store, 1)
    await deliver(with_providers(store, Fake(PermanentFailure("no")), Fake(PermanentFailure("no, too"))))
    assert await tries_of(store) == [(1, "a", "permanent"), (1, "b", "permanent")]
    assert [state for state, *_ in await _rows(store)] == ["dead"]


async def test_a_refused_message_waits_for_a_provider_that_is_down(store: SqliteStore) -> None:
    """It is not given up while somebody has not been asked."""
    clock = Clock()
    await queue(store, 1)
    spare = Fake(ChannelDown("away"))
    one = with_providers(store, Fake(PermanentFailure("no")), spare, clock=clock)
    async with delivering(one):
        await idle(one)
        assert await tries_of(store) == [(1, "a", "permanent"), (1, "b", "channel_down")]
        assert await _rows(store) == [("queued", "b", 0)]
        spare.answer = None
        clock.now += 15_000
        await idle(one)
    assert [(state, provider) for state, provider, _ in await _rows(store)] == [("sent", "b")]


async def test_an_address_that_one_provider_calls_bad_is_not_suppressed_while_another_is_waited_for(
    store: SqliteStore,
) -> None:
    """The one that is waited for may reach it, and is given the message when it is up. What nobody reaches is bad."""
    clock = Clock()
    first, spare = Fake(PermanentFailure("no such number", bad_address=True)), Fake(ChannelDown("away"))
    one = with_providers(store, first, spare, clock=clock)
    async with delivering(one):
        await queue(store, 2)  # the second one is refused when the spare is known to be down
        await idle(one)
        assert [state for state, *_ in await _rows(store)] == ["queued"] * 2
        assert await _suppressed(store) == []
        spare.answer = None
        clock.now += 90_000
        await idle(one)
    assert [state for state, *_ in await _rows(store)] == ["sent"] * 2
    await store.write(partial(outbox.enqueue, entries=[message(3, customer=None)], now=NOW))
    await deliver(with_providers(store, first))
    assert len(await _suppressed(store)) == 1


async def test_a_temporary_failure_stays_with_its_provider(store: SqliteStore) -> None:
    """The next try is later, by the same one: it may have its reasons, and the others are not asked in vain."""
    await queue(store, 1)
    spare = Fake()
    await deliver(with_providers(store, Fake(TemporaryFailure("450")), spare))
    assert spare.given == []
    assert [state for state, *_ in await _rows(store)] == ["queued"]


async def test_a_spare_provider_is_given_no_more_than_its_limit(store: SqliteStore) -> None:
    """Of five refused messages two may go by it today, the others wait."""
    await queue(store, 5)
    spare = Fake()
    await deliver(with_providers(store, Fake(PermanentFailure("no")), spare, per_day=2))
    assert len(spare.given) == 2
    assert sorted(state for state, *_ in await _rows(store)) == ["queued"] * 3 + ["sent"] * 2


async def test_a_channel_is_down_when_all_its_providers_are(store: SqliteStore) -> None:
    """The reason names each."""
    await queue(store, 3)
    one = with_providers(store, Fake(ChannelDown("535")), Fake(ChannelDown("no route")))
    await deliver(one)
    assert one.reason == "a: 535; b: no route"
    assert one.down_since == NOW
    assert [state for state, *_ in await _rows(store)] == ["queued"] * 3
