"""What a provider is given at most: by the second and by the day, by all daemons, over restarts."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from feedback_app.model import Milliseconds
from feedback_app.settings.retention import RetentionSettings
from feedback_app.store import limits, outbox
from feedback_app.store.limits import Allowance, Limit
from feedback_app.store.outbox import Attempt, Lease
from feedback_app.store.store import Store
from feedback_app.trimming import Trimmer
from tests.making import NOW, message

DAY = 86_400_000
HOUR = 3_600_000
MINUTE = 60_000
FAST = Limit(provider="p", channel="email", per_second=10)
FEW = Limit(provider="p", channel="email", per_day=5)


def _take(connection: Connection, limit: Limit, room: int, now: Milliseconds) -> Allowance:
    allowed = limits.allowance(connection, limit, room, now)
    limits.claimed(connection, limit, allowed.count, now)
    return allowed


def _sent(count: int, at: Milliseconds) -> list[Attempt]:
    return [
        Attempt(
            number=number, outcome="sent", state="sent", provider="p", owner="b", started_at=at, ended_at=at
        )
        for number in range(count)
    ]


async def test_a_seconds_worth_may_go_at_once_then_one_at_a_time(store: Store) -> None:
    """Ten a second: ten now, then one each 100 ms; what was not used is not saved beyond a second."""
    take = partial(_take, limit=FAST, room=100)
    assert await store.write(partial(take, now=NOW)) == Allowance(count=10, again_at=NOW - 900)
    assert await store.write(partial(take, now=NOW)) == Allowance(count=0, again_at=NOW + 100)
    assert (await store.write(partial(take, now=NOW + 250))).count == 2
    assert (await store.write(partial(take, now=NOW + 60_000))).count == 10


async def test_a_clock_that_was_set_back_waits_for_a_second_at_most(store: Store) -> None:
    """The row may hold a moment that lies days ahead."""
    await store.write(partial(_take, limit=FAST, room=1, now=NOW + DAY))
    waiting = await store.write(partial(_take, limit=FAST, room=1, now=NOW))
    assert waiting.count == 0
    assert waiting.again_at <= NOW + 1000


async def test_a_days_worth_counts_what_left_and_what_is_leaving(store: Store) -> None:
    """Five a day: two left, two are being sent, so one more may go; the rest waits until the first is a day old."""
    await store.write(partial(outbox.enqueue, entries=[message(one) for one in range(1, 5)], now=NOW))
    lease = Lease("b", NOW + 30_000, "p")
    await store.write(partial(outbox.claim, channel="email", lease=lease, now=NOW, limit=2))
    await store.write(partial(limits.settled, limit=FEW, attempts=_sent(2, NOW)))
    assert (await store.write(partial(_take, limit=FEW, room=100, now=NOW))).count == 1
    await store.write(partial(limits.settled, limit=FEW, attempts=_sent(1, NOW + MINUTE)))
    full = await store.write(partial(_take, limit=FEW, room=100, now=NOW + MINUTE))
    assert full == Allowance(count=0, again_at=(NOW // MINUTE + 1) * MINUTE + DAY)
    assert (await store.write(partial(_take, limit=FEW, room=100, now=full.again_at - 1))).count == 0
    assert (await store.write(partial(_take, limit=FEW, room=100, now=full.again_at))).count == 2


@pytest.mark.parametrize("order", [1, -1], ids=["before", "after"])
async def test_a_clock_that_was_ahead_uses_up_no_later_day_and_frees_none(store: Store, order: int) -> None:
    """What ended in ten years' time does not count today; what a clock that is not wrong noted does, in any order."""
    for count, at in [(5, NOW + 3_650 * DAY), (1, NOW + 59 * MINUTE)][::order]:
        await store.write(partial(limits.settled, limit=FEW, attempts=_sent(count, at)))
    assert await store.read(partial(limits.used, provider="p", now=NOW)) == 1
    assert (await store.write(partial(_take, limit=FEW, room=100, now=NOW))).count == 4


async def test_a_days_count_outlasts_a_clock_that_is_ahead_for_a_day_and_is_forgotten_in_the_end(
    store: Store,
) -> None:
    """By the time that is believed, and where nothing is to be kept for a time only."""
    wall, watch = NOW, 0.0
    trimmer = Trimmer(store, RetentionSettings(), clock=lambda: wall, stopwatch=lambda: watch)

    async def let_go_on(hours: int) -> Counter[str]:
        nonlocal wall, watch
        wall, watch = wall + hours * HOUR, watch + hours * 3600
        return (await trimmer.run(asyncio.Event())).deleted

    await let_go_on(0)
    await store.write(partial(limits.settled, limit=FEW, attempts=_sent(5, NOW)))
    wall += 3_650 * DAY
    for _look in range(23):
        assert not await let_go_on(1)
    wall -= 3_650 * DAY
    assert await store.read(partial(limits.used, provider="p", now=wall)) == 5
    assert await let_go_on(31 * 24) == Counter(tries=1)


async def test_daemons_that_ask_at_the_same_moment_share_the_limit(store: Store) -> None:
    """However many ask, ten of them get one each."""
    asked = [store.write(partial(_take, limit=FAST, room=1, now=NOW)) for _ in range(30)]
    assert sum(one.count for one in await asyncio.gather(*asked)) == 10


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3_000)), max_size=40),
    rate=st.integers(1, 50),
)
async def test_no_second_ever_sees_more_than_twice_the_rate(
    sqlite_store: Store, steps: list[tuple[int, int]], rate: int
) -> None:
    """A burst of one second's worth and what comes in during that second: the algorithm's bound."""
    limit = Limit(provider=f"p{rate}-{hash(tuple(steps))}", channel="email", per_second=rate)
    now, given_at = NOW, []
    for room, pause in steps:
        now += pause
        allowed = await sqlite_store.write(partial(_take, limit=limit, room=room, now=now))
        assert allowed.count <= room
        given_at += [now] * allowed.count
    for begin in given_at:
        assert sum(begin <= one < begin + 1000 for one in given_at) <= 2 * rate


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.tuples(st.integers(1, 3), st.integers(0, 30)), max_size=40),
    rate=st.one_of(st.integers(1, 500), st.floats(0.1, 500)),
)
@example(steps=[(1, 1)] * 100, rate=400)
@example(steps=[(1, 1)] * 200, rate=150)
async def test_no_time_sees_more_than_the_rate_and_a_burst(
    sqlite_store: Store, steps: list[tuple[int, int]], rate: float
) -> None:
    """However they are claimed, one by one too: what is rounded is rounded to the later moment."""
    limit = Limit(provider=f"p{rate}-{hash(tuple(steps))}", channel="email", per_second=rate)
    now, given_at = NOW, []
    for room, pause in [(1000, 0), *steps]:
        now += pause
        allowed = await sqlite_store.write(partial(_take, limit=limit, room=room, now=now))
        given_at += [now] * allowed.count
    for first, begin in enumerate(given_at):
        for count, end in enumerate(given_at[first:], 1):
            assert count <= max(1, rate) + rate * (end - begin) / 1000 + 1e-6
