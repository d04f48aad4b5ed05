"""A channel that is down is probed by one message at a time."""

from __future__ import annotations

import logging

import pytest

from feedback_app.delivery.health import ChannelHealth
from feedback_app.delivery.retry import Backoff
from tests.making import NOW

PAUSES = Backoff(60, 200, draw=lambda: 0.0)  # 30, 60, 100, 100, … seconds


def test_a_channel_that_works_gives_all_the_room_there_is() -> None:
    """Up from the beginning."""
    assert ChannelHealth(PAUSES).allowance(64, NOW) == (64, None)


def test_a_channel_that_is_down_is_probed_by_one_message_after_a_pause(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No claim before the pause is over, then one; others that were claimed go back; logged once."""
    health = ChannelHealth(PAUSES)
    with caplog.at_level(logging.INFO):
        for number in range(5):
            health.failed("email", number, f"535 ({number})", NOW)
    assert health.allowance(64, NOW) == (0, 30)
    assert health.allowance(64, NOW + 30_000) == (1, None)
    health.claimed(8)
    assert health.allowance(64, NOW + 30_000) == (0, None)
    assert not health.refuses(8)
    assert health.refuses(9)
    assert [record.message for record in caplog.records] == ["channel down"]


def test_a_probe_that_succeeds_opens_the_channel(caplog: pytest.LogCaptureFixture) -> None:
    """One line says that it is up again."""
    health = ChannelHealth(PAUSES)
    health.failed("email", 1, "535", NOW)
    health.claimed(8)
    caplog.clear()
    with caplog.at_level(logging.INFO):
        health.works("email")
        health.works("email")
    assert health.allowance(64, NOW) == (64, None)
    assert [record.message for record in caplog.records] == ["channel up again"]


def test_a_probe_that_says_nothing_is_followed_by_another() -> None:
    """A temporary failure of the probe leaves the channel down and starts another pause."""
    health = ChannelHealth(PAUSES)
    health.failed("email", 1, "535", NOW)
    health.claimed(8)
    health.unclear(8, NOW + 40_000)
    assert health.allowance(64, NOW + 40_000) == (0, 60)
    assert health.allowance(64, NOW + 100_000) == (1, None)


def test_a_probe_that_was_not_tried_is_followed_by_another() -> None:
    """Else the channel would wait for ever for the end of a probe that went back; other messages tell nothing."""
    health = ChannelHealth(PAUSES)
    health.failed("email", 1, "535", NOW)
    health.claimed(8)
    health.unclear(9, NOW + 40_000)
    assert health.allowance(64, NOW + 40_000) == (0, None)
    health.unclear(8, NOW + 40_000)
    assert health.allowance(64, NOW + 100_000) == (1, None)


def test_the_pauses_grow_while_a_channel_stays_down_and_begin_anew_later() -> None:
    """A server that is away for a day is not asked every half minute."""
    health = ChannelHealth(PAUSES)
    for _ in range(2):
        now = NOW
        waits = []
        health.failed("email", 1, "refused", now)
        for _ in range(5):
            _, wait = health.allowance(64, now)
            assert wait is not None
            waits.append(wait)
            now += int(wait * 1000)
            health.claimed(8)
            health.failed("email", 8, "refused", now)
        assert waits == [30, 60, 100, 100, 100]
        health.works("email")
