"""Daemons that share a ledger: who has what in hand, and what becomes of it when one dies or only sleeps."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import psycopg
import pytest

from feedback_app.model import Customer, Outcome
from feedback_app.presence import Presence
from feedback_app.store import customers, outbox, outcomes, ratings
from feedback_app.store.outbox import Attempt, Lease
from feedback_app.store.postgresql import leases
from feedback_app.store.ratings import Claimed
from feedback_app.store.store import Store
from tests.making import NOW, incoming, message
from tests.postgres import ask, do, store_on
from tests.running import DEADLINE

_OLD = "UPDATE daemon SET heartbeat_at = heartbeat_at - 60000 WHERE boot_id = '{}'"


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[Store]:
    """Open an empty ledger."""
    async with store_on(postgres_url) as opened:
        yield opened


async def _sign_on(store: Store, boot_id: str, process: dict[str, object] | None = None) -> None:
    await store.write(partial(leases.register, boot_id=boot_id, host="h", pid=1, process=process or {}))


async def _take_in(store: Store, count: int) -> None:
    arrivals = [incoming(f"r{number}", customer=f"c{number}") for number in range(1, count + 1)]
    await store.write(partial(ratings.take_in, arrivals=arrivals, now=NOW))


async def _claim(store: Store, owner: str, limit: int = 10) -> list[Claimed]:
    return await store.write(partial(leases.claim_fresh, owner=owner, limit=limit))


async def _take_over(store: Store, boot_id: str = "b", *, gone: bool = False) -> leases.Free:
    return await store.write(
        partial(leases.take_over, boot_id=boot_id, is_gone=lambda _process: gone, now=NOW)
    )


def _numbers(claimed: list[Claimed]) -> list[int]:
    return [one.feedback.number for one in claimed]


async def test_two_daemons_never_get_the_same_rating(store: Store) -> None:
    """Each claim takes the oldest that nobody has, with what is known of the customer."""
    await store.write(partial(customers.put, customers=[Customer(id="c1", name="Ada")], now=NOW))
    await _take_in(store, 5)
    first, second = await _claim(store, "a", 2), await _claim(store, "b")
    assert _numbers(first) == [1, 2]
    assert _numbers(second) == [3, 4, 5]
    assert [one.owner for one in (*first, *second)] == ["a", "a", "b", "b", "b"]
    assert first[0].customer is not None
    assert first[0].customer.name == "Ada"
    assert not await store.read(leases.is_waiting)


async def test_claims_at_the_same_moment_share_out_all(postgres_url: str) -> None:
    """Five daemons at once get each rating once, whatever the order in which the server serves them."""
    async with contextlib.AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(store_on(postgres_url)) for _ in range(5)]
        await _take_in(stores[0], 300)
        found: list[int] = []
        while claimed := await asyncio.gather(*(_claim(one, str(at), 20) for at, one in enumerate(stores))):
            if not any(claimed):
                break
            found += [number for some in claimed for number in _numbers(some)]
    assert sorted(found) == list(range(1, 301))


async def test_what_a_dead_daemon_had_in_hand_is_free_again(store: Store, postgres_url: str) -> None:
    """Its ratings are suspected, its messages due at once, or held where a double must not be."""
    await _sign_on(store, "a")
    await _sign_on(store, "b")
    await _take_in(store, 3)
    await _claim(store, "a", 2)
    entries = [message(1), message(2, channel="sms"), message(3, channel="sms")]
    await store.write(partial(outbox.enqueue, entries=entries, now=NOW))
    for channel in ("email", "sms"):
        lease = Lease("a", NOW + 30_000, marks=channel == "sms")
        await store.write(partial(outbox.claim, channel=channel, lease=lease, now=NOW, limit=9))
    await store.write(partial(outbox.mark_may_leave, number=2, owner="a", now=NOW))
    assert await _take_over(store) == leases.Free([], 0, 0, 0)
    do(postgres_url, _OLD.format("a"))
    assert await _take_over(store) == leases.Free(["a"], 2, 2, 1)
    assert ask(postgres_url, "SELECT id, suspicion, lease_owner FROM feedback ORDER BY id") == [
        (1, 1, None),
        (2, 1, None),
        (3, 0, None),
    ]
    assert ask(postgres_url, "SELECT id, state, maybe_sent_at IS NULL FROM message ORDER BY id") == [
        (1, "queued", False),
        (2, "held", False),
        (3, "queued", True),
    ]


async def test_who_is_provably_gone_is_not_waited_for(store: Store) -> None:
    """The kernel of the same machine knows it before the lease runs out."""
    await _sign_on(store, "a", {"pid": 1})
    await _sign_on(store, "b")
    await _take_in(store, 1)
    await _claim(store, "a")
    assert (await _take_over(store, gone=True)).daemons == ["a"]
    assert await store.read(leases.living) == [1]


async def test_a_daemon_that_only_slept_changes_nothing_any_more(store: Store, postgres_url: str) -> None:
    """Its outcomes, failures and deliveries come too late: somebody else has them."""
    await _sign_on(store, "a")
    await _sign_on(store, "b")
    await _take_in(store, 2)
    late = await _claim(store, "a")
    await store.write(partial(outbox.enqueue, entries=[message(1)], now=NOW))
    await store.write(partial(outbox.claim, channel="email", lease=Lease("a", NOW), now=NOW, limit=1))
    do(postgres_url, _OLD.format("a"))
    await _take_over(store)
    assert not await store.write(partial(leases.beat, boot_id="a", channels={}, sources={}, process={}))
    low = [
        Outcome(feedback=one.feedback, ended="low", analysis={}, keep_low=True, messages=(message(9)[1],))
        for one in late
    ]
    await store.write(partial(outcomes.commit, outcomes=low, now=NOW, owners=["a", "a"]))
    await store.write(partial(ratings.record_failure, number=1, error="late", retry_at=None, owner="a"))
    sent = Attempt(
        number=1, outcome="sent", state="sent", provider="p", owner="a", started_at=NOW, ended_at=NOW
    )
    assert await store.write(partial(outbox.settle, attempts=[sent])) == 0
    assert ask(postgres_url, "SELECT state, ended, attempts FROM feedback") == [("received", None, 0)] * 2
    assert ask(postgres_url, "SELECT count(*) FROM low_rating") == [(0,)]
    assert ask(postgres_url, "SELECT state FROM message") == [("queued",)]


async def test_what_was_claimed_in_the_moment_of_the_fencing_is_freed_later(
    store: Store, postgres_url: str
) -> None:
    """A daemon that wakes between the fencing and its next heartbeat may still claim; the next look frees it."""
    await _sign_on(store, "a")
    await _sign_on(store, "b")
    await _take_in(store, 1)
    do(postgres_url, _OLD.format("a"))
    await _take_over(store)
    await _claim(store, "a")
    assert await _take_over(store) == leases.Free([], 1, 0, 0)


async def test_a_rating_that_kills_daemons_is_tried_in_a_group_then_alone_then_dead(
    store: Store, postgres_url: str
) -> None:
    """Its neighbours come through; nobody has anything else in hand meanwhile, so each death tells."""
    await _take_in(store, 60)
    deaths = 0

    async def die(boot_id: str, claim: Any) -> list[Claimed]:
        nonlocal deaths
        await _sign_on(store, boot_id)
        claimed: list[Claimed] = await claim(boot_id)
        do(postgres_url, _OLD.format(boot_id))
        await _take_over(store, "survivor")
        deaths += 1
        return claimed

    async def suspects(owner: str) -> list[Claimed]:
        return await store.write(partial(leases.claim_suspects, owner=owner, now=NOW))

    async def done(claimed: list[Claimed]) -> None:
        outcome = [
            Outcome(feedback=one.feedback, ended="no_customer", analysis={}, keep_low=False)
            for one in claimed
        ]
        await store.write(
            partial(outcomes.commit, outcomes=outcome, now=NOW, owners=[one.owner for one in claimed])
        )

    await _sign_on(store, "survivor")
    assert len(await die("first", lambda owner: _claim(store, owner, 60))) == 60
    # Number 7 kills whoever works on it.
    while group := await suspects("survivor"):
        if 7 not in _numbers(group):
            await done(group)
            continue
        await store.write(partial(leases.release, owner="survivor", numbers=_numbers(group)))
        claimed = await die(f"victim-{deaths}", suspects)
        assert _numbers(claimed) == _numbers(group)
    assert deaths == 5  # with all, in a group, three times alone
    assert ask(postgres_url, "SELECT id, state FROM feedback WHERE state <> 'processed'") == [(7, "dead")]


async def test_a_presence_that_was_fenced_goes_on_under_a_new_id(store: Store, postgres_url: str) -> None:
    """What it claimed before is not its own any more, and it says so before anything leaves."""
    time = 100.0
    one = Presence(store, boot_id="a", clock=lambda: NOW, stopwatch=lambda: time)
    await one.sign_on()
    assert one.holds("a")
    time += leases.LEASE  # frozen so long, it knows by itself
    assert not one.holds()
    do(postgres_url, _OLD.format("a"))
    await _sign_on(store, "b")
    await _take_over(store)
    await one.beat({}, {})
    assert one.owner == "a.2"
    assert one.holds("a.2")
    assert not one.holds("a")


async def test_a_presence_says_how_it_fares_and_takes_over(store: Store, postgres_url: str) -> None:
    """One heartbeat does both, and tells whether there is something to do now."""
    one = Presence(store, boot_id="b", clock=lambda: NOW)
    await one.sign_on()
    one.suspicious = False
    await _sign_on(store, "a")
    await _take_in(store, 1)
    await _claim(store, "a")
    assert not await one.beat({"email": {"reason": "down"}}, {})
    do(postgres_url, _OLD.format("a"))
    assert await one.beat({"email": {"reason": "down"}}, {})
    assert one.suspicious
    assert ask(postgres_url, "SELECT channels FROM daemon WHERE boot_id = 'b'") == [
        ('{"email": {"reason": "down"}}',)
    ]


async def test_a_daemon_that_froze_in_mid_transaction_stops_nobody(store: Store, postgres_url: str) -> None:
    """Its locks are passed over; and a heartbeat that comes in the last moment saves it."""
    await _sign_on(store, "a")
    await _sign_on(store, "b")
    await _take_in(store, 2)
    await _claim(store, "a")
    do(postgres_url, _OLD.format("a"))
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as frozen:
        frozen.execute("UPDATE daemon SET heartbeat_at = heartbeat_at + 60000 WHERE boot_id = 'a'")
        async with asyncio.timeout(DEADLINE):
            assert await _take_over(store) == leases.Free([], 0, 0, 0)
    assert await _take_over(store) == leases.Free([], 0, 0, 0)
    do(postgres_url, _OLD.format("a"))
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as frozen:
        frozen.execute("SELECT 1 FROM feedback WHERE id = 1 FOR UPDATE")
        async with asyncio.timeout(DEADLINE):
            assert await _take_over(store) == leases.Free(["a"], 1, 0, 0)
    assert await _take_over(store) == leases.Free([], 1, 0, 0)
