"""The outbox: claims, outcomes, recovery."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import pytest
from sqlalchemy import Connection

from feedback_app.model import Customer, DeliveryReceipt, Feedback, Outcome
from feedback_app.store import (
    customers,
    message_queries,
    outbox,
    outcomes,
    ratings,
    receipts,
    recovery,
    status,
)
from feedback_app.store.outbox import Attempt, Lease
from feedback_app.store.sqlite.store import SqliteStore
from feedback_app.store.store import Store
from tests.making import NOW, incoming, message

LEASE = Lease("boot-1", NOW + 30_000)


def _row(connection: Connection, number: int = 1) -> dict[str, Any]:
    found = connection.exec_driver_sql(f"SELECT * FROM message WHERE id = {number}")
    return dict(found.mappings().one())


async def _queue(store: Store, *numbers: int, channel: str = "email") -> None:
    entries = [message(number, channel=channel) for number in numbers]
    await store.write(partial(outbox.enqueue, entries=entries, now=NOW))


async def _claim(store: Store, *, limit: int = 10, channel: str = "email") -> list[outbox.ClaimedMessage]:
    return await store.write(partial(outbox.claim, channel=channel, lease=LEASE, now=NOW, limit=limit))


def _attempt(number: int = 1, **changes: Any) -> Attempt:
    facts: dict[str, Any] = {
        "number": number,
        "outcome": "sent",
        "state": "sent",
        "provider": "p",
        "owner": "boot-1",
        "started_at": NOW,
        "ended_at": NOW + 9,
        **changes,
    }
    return Attempt(**facts)


async def test_a_message_is_claimed_once(store: Store) -> None:
    """Two claims never get the same message, and the oldest come first."""
    await _queue(store, 1, 2, 3)
    first, second = await _claim(store, limit=2), await _claim(store)
    assert [one.number for one in first] == [1, 2]
    assert [one.number for one in second] == [3]
    assert first[0].message.id == "thanks.1.ledger"


async def test_the_same_dedupe_key_is_queued_once(store: Store) -> None:
    """A changed preference cannot thank twice: the key is per rating, whatever the channel."""
    await _queue(store, 1, channel="email")
    await _queue(store, 1, channel="sms")
    counts = await store.read(status.counts)
    assert counts["messages"]["queued"] == 1


async def test_who_opted_out_meanwhile_is_suppressed_when_the_message_leaves(store: Store) -> None:
    """The opt-out is checked again in the claim; a report has no customer and goes."""
    await store.write(partial(customers.put, customers=[Customer(id="c1")], now=NOW))
    await _queue(store, 1)
    await store.write(partial(customers.set_opted_out, customer_id="c1", when=NOW))
    assert await _claim(store) == []
    row = await store.read(_row)
    assert (row["state"], row["error"]) == ("suppressed", "the customer opted out")


async def test_a_claim_that_is_run_again_tells_only_what_it_did_then(store: Store) -> None:
    """Rolled back the first time, and another daemon was quicker before the second: nobody was suppressed by it."""
    await store.write(partial(customers.put, customers=[Customer(id="c1")], now=NOW))
    await store.write(partial(customers.set_opted_out, customer_id="c1", when=NOW))
    await _queue(store, 1)
    told: list[outbox.ClaimedMessage] = []
    claim = partial(outbox.claim, channel="email", lease=LEASE, now=NOW, limit=1, suppressed=told)

    def broken_off(connection: Connection) -> None:
        claim(connection)
        raise ConnectionError("broken off")

    with pytest.raises(ConnectionError, match="broken off"):
        await store.write(broken_off)
    assert len(told) == 1
    await _claim(store)
    await store.write(claim)
    assert told == []


async def test_an_outcome_is_recorded_with_its_attempt(store: Store) -> None:
    """The message gets its state, the provider's id, and a line in its history."""
    await _queue(store, 1)
    await _claim(store)
    done = [_attempt(provider_id="SM1")]
    assert await store.write(partial(outbox.settle, attempts=done)) == 1
    row = await store.read(_row)
    assert (row["state"], row["attempts"], row["provider_id"], row["settled_at"]) == (
        "sent",
        1,
        "SM1",
        NOW + 9,
    )
    history = await store.read(
        lambda connection: connection.exec_driver_sql("SELECT outcome FROM delivery_attempt").scalars().all()
    )
    assert history == ["sent"]


async def test_a_late_worker_cannot_change_what_it_lost(store: Store) -> None:
    """An outcome of another boot's lease is refused."""
    await _queue(store, 1)
    await _claim(store)
    assert await store.write(partial(outbox.settle, attempts=[_attempt(owner="boot-0")])) == 0
    row = await store.read(_row)
    assert row["state"] == "sending"


async def test_a_temporary_failure_waits_until_its_time(store: Store) -> None:
    """Not claimed before it is due; `next_due` tells when that is."""
    await _queue(store, 1)
    await _claim(store)
    failed = _attempt(outcome="temporary", state="queued", next_attempt_at=NOW + 60_000, error="450")
    await store.write(partial(outbox.settle, attempts=[failed]))
    assert await _claim(store) == []
    assert await store.read(partial(outbox.next_due, channel="email")) == NOW + 60_000
    (again,) = await store.write(
        partial(outbox.claim, channel="email", lease=LEASE, now=NOW + 60_000, limit=1)
    )
    assert again.message.attempt == 2


async def test_a_message_that_may_have_left_is_in_doubt_until_a_person_decides(store: Store) -> None:
    """The claim says why; nothing else ends the doubt, and a person's word holds until it may have left once more."""
    await _queue(store, 1)

    async def fails(outcome: str, error: str) -> str | None:
        (claimed,) = await _claim(store)
        failed = _attempt(outcome=outcome, state="queued", next_attempt_at=NOW, error=error)
        await store.write(partial(outbox.settle, attempts=[failed]))
        return claimed.doubt

    assert await fails("temporary", "450") is None
    assert await fails("unknown", "broke off") is None
    assert await fails("temporary", "451") == "broke off"
    assert await fails("channel_down", "away") == "451"
    await store.write(partial(message_queries.retry, number=1, now=NOW))
    assert await fails("temporary", "452") is None
    assert await fails("bug", "misread") is None
    assert await fails("temporary", "453") == "misread"
    row = await store.read(_row)
    assert row["maybe_sent_at"] == NOW + 9


@pytest.mark.parametrize("end", ["sent", "unknown", "temporary", "permanent", "given back", "crashed"])
@pytest.mark.parametrize(
    ("said", "state", "error"), [("delivered", "sent", None), ("failed", "dead", "no number")]
)
async def test_a_last_word_that_comes_while_a_message_is_being_sent_ends_it(
    store: Store, said: Literal["delivered", "failed"], state: str, error: str | None, end: str
) -> None:
    """A gateway's word may come before its answer, and that may be lost; however the sending ends, the word stands."""
    await _queue(store, 1)
    await _claim(store)
    receipt = DeliveryReceipt(message_id="thanks.1.ledger", state=said, detail="no number")

    def hear(connection: Connection) -> receipts.Noted:
        found = receipts.addressed(connection, 1)
        assert found is not None
        return receipts.note(connection, found, receipt, NOW + 5, None)

    assert await store.write(hear) is receipts.Noted.NEW
    if end == "given back":
        await store.write(partial(outbox.release, numbers=[1], owner="boot-1"))
    elif end == "crashed":
        await store.write(partial(recovery.recover, now=NOW + 20))
    else:
        states = {"sent": "sent", "unknown": "held", "temporary": "queued", "permanent": "dead"}
        lost = _attempt(outcome=end, state=states[end], error="who knows")
        await store.write(partial(outbox.settle, attempts=[lost]))
    row = await store.read(_row)
    assert (row["state"], row["settled_at"], row["error"]) == (state, NOW + 5, error)
    assert (row["lease_owner"], row["may_leave_at"]) == (None, None)
    assert await store.write(hear) is receipts.Noted.KNOWN


async def test_what_is_told_to_have_failed_while_it_is_being_sent_goes_by_the_next_channel(
    store: Store,
) -> None:
    """And the sending's end changes nothing there."""
    await _queue(store, 1)
    await _claim(store)
    receipt = DeliveryReceipt(message_id="thanks.1.ledger", state="failed")

    def hear(connection: Connection) -> None:
        found = receipts.addressed(connection, 1)
        assert found is not None
        receipts.note(connection, found, receipt, NOW + 5, message(1, channel="sms")[1])

    await store.write(hear)
    await store.write(partial(outbox.settle, attempts=[_attempt()]))
    row = await store.read(_row)
    assert (row["state"], row["channel"], row["receipt"]) == ("queued", "sms", None)


async def test_of_two_copies_one_that_arrived_is_enough(store: Store) -> None:
    """The failure of the first may be told before the arrival of the second, and after it."""
    await _queue(store, 1)

    def hear(connection: Connection, said: Literal["delivered", "failed"]) -> tuple[receipts.Noted, str]:
        found = receipts.addressed(connection, 1)
        assert found is not None
        receipt = DeliveryReceipt(message_id="thanks.1.ledger", state=said, provider_id=said)
        return receipts.note(connection, found, receipt, NOW, None), _row(connection)["state"]

    assert await store.write(partial(hear, said="failed")) == (receipts.Noted.NEW, "dead")
    assert await store.write(partial(hear, said="delivered")) == (receipts.Noted.NEW, "sent")
    assert await store.write(partial(hear, said="failed")) == (receipts.Noted.KNOWN, "sent")


async def test_released_messages_are_as_before(store: Store) -> None:
    """What was claimed and not tried costs nothing."""
    await _queue(store, 1)
    before = await store.read(_row)
    await _claim(store)
    await store.write(partial(outbox.release, numbers=[1], owner="boot-1"))
    assert await store.read(_row) == before


async def test_outcomes_of_many_ratings_become_true_together(store: Store) -> None:
    """Processed, low rating and message are one commit; the same outcome again changes nothing."""
    await store.write(partial(ratings.take_in, arrivals=[incoming("r1"), incoming("r2", rating=1)], now=NOW))
    good, low = await store.read(partial(ratings.claim_fresh, after=0, limit=2))
    (_, thanks) = message(1, feedback=1)
    decided = [
        Outcome(
            feedback=good.feedback, ended="thanked", analysis={"a": 1}, keep_low=False, messages=(thanks,)
        ),
        Outcome(feedback=low.feedback, ended="low", analysis={}, keep_low=True),
    ]
    for _ in range(2):
        await store.write(partial(outcomes.commit, outcomes=decided, now=NOW))
    counts = await store.read(status.counts)
    assert counts["feedback"] == {"received": 0, "processed": 2, "dead": 0}
    assert counts["low_ratings"] == {"open": 1, "acknowledged": 0, "resolved": 0}
    assert counts["messages"]["queued"] == 1
    assert await store.read(status.endings) == {"low": 1, "thanked": 1}


async def test_claiming_messages_uses_the_partial_index(sqlite_store: SqliteStore) -> None:
    """The plan finds due messages without reading the history."""

    def plan(connection: Connection) -> str:
        rows = connection.exec_driver_sql(
            "EXPLAIN QUERY PLAN " + outbox._CLAIM_ALL.texts["sqlite"], ("b", 1, "p", None, "email", NOW, 10)
        )
        return "; ".join(row.detail for row in rows)

    found = await sqlite_store.write(plan)
    assert "ix_message_due" in found
    assert "SCAN message" not in found
    assert "SCAN customer" not in found


def test_a_feedback_shows_no_more_than_it_must() -> None:
    """The model's data cannot be changed by a plugin that gets it."""
    with pytest.raises(AttributeError):
        Feedback(rating=5).rating = 1  # type: ignore[misc]
