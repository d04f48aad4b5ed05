"""What a dead daemon left in mid-send: each row says by itself whether it may have left."""

from __future__ import annotations

from functools import partial

import pytest
from sqlalchemy import Connection

from feedback_app.model import Customer
from feedback_app.store import customers, message_queries, outbox, recovery
from feedback_app.store.outbox import Attempt, Lease
from feedback_app.store.sqlite.store import SqliteStore
from feedback_app.store.store import Store
from tests.making import NOW, message


async def _claim(store: Store, *, marks: bool) -> None:
    lease = Lease("dead", NOW + 30_000, "p", marks)
    await store.write(partial(outbox.claim, channel="email", lease=lease, now=NOW, limit=9))


async def _row(store: Store) -> tuple[object, ...]:
    """Return (state, attempts, next_attempt_at, maybe_sent_at, may_leave_at) of the one message."""
    query = "SELECT state, attempts, next_attempt_at, maybe_sent_at, may_leave_at FROM message"
    return tuple(await store.read(lambda connection: connection.exec_driver_sql(query).one()))


@pytest.mark.parametrize(
    ("marks", "marked", "wanted"),
    [
        (False, False, ("queued", 0, NOW + 5, NOW + 5, None)),  # it may have left at any moment
        (True, False, ("queued", 0, NOW + 5, None, None)),  # it surely did not leave
        (True, True, ("held", 0, NOW, NOW + 1, None)),  # it may have left, and must not double
    ],
)
async def test_a_crash_leaves_no_message_that_may_have_left_without_a_mark(
    store: Store, *, marks: bool, marked: bool, wanted: tuple[object, ...]
) -> None:
    """Queued again, without counting an attempt, or held; whatever plugins the next daemon has."""
    await store.write(partial(outbox.enqueue, entries=[message(1)], now=NOW))
    await _claim(store, marks=marks)
    if marked:
        assert await store.write(partial(outbox.mark_may_leave, number=1, owner="dead", now=NOW + 1))
    recovered = await store.write(partial(recovery.recover, now=NOW + 5))
    assert recovered == ((0, 1) if marked else (1, 0))
    assert await _row(store) == wanted


async def test_what_may_have_left_in_a_crash_is_in_doubt(store: Store) -> None:
    """Also where a person had decided about the copy before: this is another one. The next claim says by whom."""
    await store.write(partial(outbox.enqueue, entries=[message(1)], now=NOW))
    lease = Lease("dead", NOW + 30_000, "p")
    claim = partial(outbox.claim, channel="email", lease=lease, now=NOW, limit=1)
    for _ in range(2):
        assert [one.doubt for one in await store.write(claim)] == [None]
        await store.write(partial(recovery.recover, now=NOW))
        (again,) = await store.write(claim)
        assert again.doubt == "the program ended while sending by p: it may have left"
        await store.write(partial(outbox.release, numbers=[1], owner="dead"))
        await store.write(partial(message_queries.retry, number=1, now=NOW))


@pytest.mark.parametrize(
    ("marks", "spare_marks", "marked", "wanted"),
    [
        (
            True,
            False,
            False,
            ("queued", 0, NOW + 5, NOW + 5, None),
        ),  # the mark was of the one that refused it
        (True, True, False, ("queued", 0, NOW + 5, None, None)),  # the spare had not begun
        (True, True, True, ("held", 0, NOW, NOW + 2, None)),
        (False, True, False, ("queued", 0, NOW + 5, None, None)),  # refused by one, not begun by the other
        (False, True, True, ("held", 0, NOW, NOW + 2, None)),
    ],
)
async def test_what_was_handed_on_is_as_if_claimed_by_the_spare(
    store: Store, *, marks: bool, spare_marks: bool, marked: bool, wanted: tuple[object, ...]
) -> None:
    """The first one refused it, so only the spare's rule says what a crash leaves."""
    await store.write(partial(outbox.enqueue, entries=[message(1)], now=NOW))
    await _claim(store, marks=marks)
    if marks:
        await store.write(partial(outbox.mark_may_leave, number=1, owner="dead", now=NOW + 1))
    to_spare = partial(outbox.hand_on, number=1, owner="dead", provider="b", marks=spare_marks)
    assert await store.write(to_spare)
    if marked:
        await store.write(partial(outbox.mark_may_leave, number=1, owner="dead", now=NOW + 2))
    await store.write(partial(recovery.recover, now=NOW + 5))
    assert await _row(store) == wanted


@pytest.mark.parametrize("marks", [True, False])
async def test_what_was_claimed_in_vain_keeps_no_mark(store: Store, *, marks: bool) -> None:
    """Given back, queued again after a failure, or suppressed: the next claim says anew what may leave when."""
    await store.write(partial(customers.put, customers=[Customer(id="c1")], now=NOW))
    await store.write(partial(outbox.enqueue, entries=[message(1)], now=NOW))
    await _claim(store, marks=marks)
    await store.write(partial(outbox.release, numbers=[1], owner="dead"))
    assert await _row(store) == ("queued", 0, NOW, None, None)
    await _claim(store, marks=marks)
    failed = Attempt(
        number=1,
        outcome="temporary",
        state="queued",
        provider="p",
        owner="dead",
        started_at=NOW,
        ended_at=NOW,
        next_attempt_at=NOW,
    )
    await store.write(partial(outbox.settle, attempts=[failed]))
    assert await _row(store) == ("queued", 1, NOW, None, None)
    await store.write(partial(customers.set_opted_out, customer_id="c1", when=NOW))
    await _claim(store, marks=marks)
    assert await _row(store) == ("suppressed", 1, NOW, None, None)


async def test_recovering_reads_only_what_is_stuck(sqlite_store: SqliteStore) -> None:
    """A start does not read the whole history of messages."""

    def plans(connection: Connection) -> list[str]:
        hold = connection.exec_driver_sql("EXPLAIN QUERY PLAN " + recovery._HOLD_ALL.texts["sqlite"])
        queue = connection.exec_driver_sql(
            "EXPLAIN QUERY PLAN " + recovery._REQUEUE_ALL.texts["sqlite"], (NOW, NOW)
        )
        return ["; ".join(row.detail for row in found) for found in (hold, queue)]

    for plan in await sqlite_store.write(plans):
        assert "ix_message_stuck" in plan
        assert "SCAN message" not in plan
