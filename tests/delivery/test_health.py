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
    health.probes(8)
    assert health.allowance(64, NOW + 30_000) == (0, None)
    assert not health.refuses(8)
    assert health.refuses(9)
    assert [record.message for record in caplog.records] == ["channel down"]


def test_a_probe_that_succeeds_opens_the_channel(caplog: pytest.LogCaptureFixture) -> None:
    """One line says that it is up again."""
    health = ChannelHealth(PAUSES)
    health.failed("email", 1, "535", NOW)
    health.probes(8)
    caplog.clear()
    with caplog.at_level(logging.INFO):
        health.works("email", NOW)
        health.works("email", NOW)
    assert health.allowance(64, NOW) == (64, None)
    assert [record.message for record in caplog.records] == ["channel up again"]


def test_a_probe_that_says_nothing_is_followed_by_another() -> None:
    """A temporary failure of the probe leaves the channel down and starts another pause."""
    health = ChannelHealth(PAUSES)
    health.failed("email", 1, "535", NOW)
    health.probes(8)
    health.unclear(8, NOW + 40_000)
    assert health.allowance(64, NOW + 40_000) == (0, 60)
    assert health.allowance(64, NOW + 100_000) == (1, None)


def test_a_probe_that_was_not_tried_is_followed_by_another() -> None:
    """Else the channel would wait for ever for the end of a probe that went back; other messages tell nothing."""
    health = ChannelHealth(PAUSES)
    health.failed("email", 1, "535", NOW)
    health.probes(8)
    health.unclear(9, NOW + 40_000)
    assert health.allowance(64, NOW + 40_000) == (0, None)
    health.unclear(8, NOW + 40_000)
    assert health.allowance(64, NOW + 100_000) == (1, None)


def _fail_by_fault(health: ChannelHealth, numbers: range) -> None:
    for number in numbers:
        health.faulty("email", number, "mailer", "TypeError at mailer.py:12", NOW)


def test_a_plugin_that_fails_on_message_after_message_is_suspended(caplog: pytest.LogCaptureFixture) -> None:
    """The fifth one in a row takes the channel down, with the reason; it is probed like any other that is down."""
    health = ChannelHealth(PAUSES)
    _fail_by_fault(health, range(4))
    assert not health.down
    with caplog.at_level(logging.INFO):
        _fail_by_fault(health, range(4, 20))
    assert (health.suspended, health.down_since) == (True, NOW)
    assert health.reason == "suspended: 5 failures in a row of plugin mailer: TypeError at mailer.py:12"
    assert health.allowance(64, NOW) == (0, 30)
    assert [record.message for record in caplog.records] == ["channel down"]
    health.works("email", NOW)
    assert (health.suspended, health.down) == (False, False)


def test_one_message_that_fails_again_and_again_suspends_nothing() -> None:
    """It may itself be the culprit, and so may a few among many that are sent."""
    health = ChannelHealth(PAUSES)
    for _ in range(20):
        _fail_by_fault(health, range(1))
    assert not health.down
    health.works("email", NOW)
    for first in range(0, 80, 4):
        _fail_by_fault(health, range(first, first + 4))
        assert not health.down
        health.works("email", NOW)


def test_a_suspended_plugin_that_says_that_its_channel_is_down_is_believed() -> None:
    """Then its faults are counted anew."""
    health = ChannelHealth(PAUSES)
    _fail_by_fault(health, range(5))
    health.probes(8)
    health.failed("email", 8, "535", NOW)
    assert (health.suspended, health.down, health.reason) == (False, True, "535")
    _fail_by_fault(health, range(4))
    assert not health.suspended


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
            health.probes(8)
            health.failed("email", 8, "refused", now)
        assert waits == [30, 60, 100, 100, 100]
        health.works("email", NOW)
