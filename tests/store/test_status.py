"""What status and metrics ask of either ledger."""

from __future__ import annotations

from functools import partial

from feedback_app.model import Outcome
from feedback_app.store import outbox, outcomes, ratings, status
from feedback_app.store.store import Store
from tests.making import NOW, incoming, message


async def test_a_ledger_with_nothing_in_it(store: Store) -> None:
    """All is there, and zero."""
    gauges = await store.read(status.gauges)
    assert gauges == {
        "oldest_rating": None,
        "channels": {},
        "received": 0,
        "ratings_dead": 0,
        "held": 0,
        "messages_dead": 0,
        "low_ratings_open": 0,
        "reports": {},
    }
    overview = await store.read(status.overview)
    assert overview.keys() == {"schema", "suppressed_addresses", "dead_letters", "reports"}


async def test_what_waits_and_what_it_takes(store: Store) -> None:
    """A rating processed as low, one that waits, two messages of which one is dead."""
    await store.write(partial(ratings.take_in, arrivals=[incoming("r1", rating=1), incoming("r2")], now=NOW))
    (first, _) = await store.read(partial(ratings.claim_numbers, numbers=[1, 2]))
    outcome = Outcome(feedback=first.feedback, ended="low", analysis={}, keep_low=True)
    await store.write(partial(outcomes.commit, outcomes=[outcome], now=NOW, owners=[first.owner]))
    await store.write(partial(outbox.enqueue, entries=[message(1), message(2)], now=NOW))
    lease = outbox.Lease("boot", NOW + 1)
    (claimed,) = await store.write(partial(outbox.claim, channel="email", lease=lease, now=NOW, limit=1))
    dead = outbox.Attempt(
        number=claimed.number,
        outcome="permanent",
        state="dead",
        provider="p",
        owner="boot",
        started_at=NOW,
        ended_at=NOW,
    )
    await store.write(partial(outbox.settle, attempts=[dead]))

    gauges = await store.read(status.gauges)
    assert (gauges["received"], gauges["messages_dead"], gauges["held"]) == (1, 1, 0)
    assert gauges["low_ratings_open"] == 1
    assert gauges["oldest_rating"] == NOW
    assert gauges["channels"] == {"email": {"queued": 1, "oldest": NOW, "next_attempt": NOW}}
    assert ((await store.room()).ledger) > 0
    assert sum(one.sizes.total for one in store.writers.values()) >= 5
