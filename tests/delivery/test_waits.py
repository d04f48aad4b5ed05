"""What waits for its next try when the clock that set its time turns out to have been ahead."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from pathlib import Path

import pytest

from feedback_app.delivery.health import ChannelHealth
from feedback_app.delivery.retry import Backoff
from feedback_app.delivery.waits import pull_in
from feedback_app.settings.schema import DeliverySettings
from feedback_app.store import daemons, outbox, ratings
from feedback_app.store.sqlite.store import SqliteStore
from tests.making import NOW, incoming, message
from tests.running import DEADLINE, business, daemon, rows, sent

HOUR = 3_600_000
DAYS = 3 * 24 * HOUR
POLICY = DeliverySettings()


async def waiting(store: SqliteStore, *, until: int, channel: str = "email") -> None:
    """Put a message and a rating into the ledger that wait until then."""
    await store.write(partial(outbox.enqueue, entries=[message(channel=channel)], now=until))
    await store.write(partial(ratings.take_in, arrivals=[incoming()], now=NOW))
    await store.write(partial(ratings.record_failure, number=1, error="broken", retry_at=until))


def times(store: SqliteStore) -> list[tuple[int]]:
    """Return when the message and the rating are due."""
    return rows(store.path, "SELECT next_attempt_at FROM message UNION ALL SELECT retry_at FROM feedback")


async def test_what_a_clock_set_back_left_days_ahead_is_due_now(
    store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    """Messages and ratings; said once, with their number."""
    await waiting(store, until=NOW + DAYS)
    assert await pull_in(store, POLICY, ["email"], NOW)
    assert times(store) == [(NOW,), (NOW,)]
    assert not await pull_in(store, POLICY, ["email"], NOW)
    (record,) = caplog.records
    assert record.message == "due now: its time was set by a clock that was ahead"
    assert vars(record)["waiting"] == 2


async def test_what_waits_no_longer_than_a_back_off_goes_on_waiting(store: SqliteStore) -> None:
    """Up to the longest one of the settings, and the hour that a far side may ask for."""
    await waiting(store, until=NOW + 2 * HOUR)
    assert not await pull_in(store, DeliverySettings(backoff_maximum="2h"), ["email"], NOW)  # type: ignore[arg-type]
    assert times(store) == [(NOW + 2 * HOUR,)] * 2
    assert await pull_in(store, POLICY, ["email"], NOW)


def test_a_channel_that_is_down_is_probed_though_the_clock_was_set_back() -> None:
    """The pause before the probe was reckoned by the clock of before."""
    health = ChannelHealth(Backoff(60, 200))
    health.failed("email", 1, "535", NOW)
    assert health.allowance(64, NOW - DAYS) == (1, None)
    assert health.allowance(64, NOW)[0] == 0


async def test_a_clock_set_back_while_no_daemon_ran_is_noticed_at_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What the wrong time left waiting is delivered at once, and the log says why."""
    config = business(tmp_path)
    async with SqliteStore(tmp_path / "feedback.db") as store:
        late = message(channel="chat", customer=None)
        await store.write(partial(outbox.enqueue, entries=[late], now=NOW + DAYS))
        await store.write(partial(daemons.register, boot_id="b", host="h", pid=1, now=NOW + DAYS))
    with caplog.at_level(logging.WARNING):
        await asyncio.wait_for(daemon(config, clock=lambda: NOW).run(drain=True), DEADLINE)
    assert sent(tmp_path) == [late[1].id]
    said = {record.message: vars(record) for record in caplog.records}
    assert said["the clock was set back while no daemon ran"]["seconds"] == DAYS / 1000


async def test_the_newest_daemon_is_the_one_started_last_whatever_the_clock_said(store: SqliteStore) -> None:
    """One that ran in 2106 does not stay the newest for eighty years."""
    for boot_id, now in (("ahead", 4_300_000_000_000), ("right", NOW)):
        await store.write(partial(daemons.register, boot_id=boot_id, host="h", pid=1, now=now))
    last = await store.read(daemons.last)
    assert last is not None
    assert last["boot_id"] == "right"
