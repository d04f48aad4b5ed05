"""A channel that is down is probed by one message at a time."""

from __future__ import annotations

import logging

import pytest

from feedback_app.delivery.health import ChannelHealth
from tests.making import NOW


def test_a_channel_that_works_gives_all_the_room_there_is() -> None:
    """Up from the beginning."""
    assert ChannelHealth(30).allowance(64, NOW) == (64, None)


def test_a_channel_that_is_down_is_probed_by_one_message_after_a_pause(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No claim before the pause is over, then one; others that were claimed go back; logged once."""
    health = ChannelHealth(30)
    with caplog.at_level(logging.INFO):
        for number in range(5):
            health.failed("email", f"535 ({number})", NOW)
    assert health.allowance(64, NOW) == (0, 30)
    assert health.allowance(64, NOW + 30_000) == (1, None)
    health.claimed(8)
    assert health.allowance(64, NOW + 30_000) == (0, None)
    assert not health.refuses(8)
    assert health.refuses(9)
    assert [record.message for record in caplog.records] == ["channel down"]


def test_a_probe_that_succeeds_opens_the_channel(caplog: pytest.LogCaptureFixture) -> None:
    """One line says that it is up again."""
    health = ChannelHealth(30)
    health.failed("email", "535", NOW)
    health.claimed(8)
    caplog.clear()
    with caplog.at_level(logging.INFO):
        health.works("email")
        health.works("email")
    assert health.allowance(64, NOW) == (64, None)
    assert [record.message for record in caplog.records] == ["channel up again"]


def test_a_probe_that_says_nothing_is_followed_by_another() -> None:
    """A temporary failure of the probe leaves the channel down and starts the pause anew."""
    health = ChannelHealth(30)
    health.failed("email", "535", NOW)
    health.claimed(8)
    health.unclear(NOW + 40_000)
    assert health.allowance(64, NOW + 40_000) == (0, 30)
    assert health.allowance(64, NOW + 70_000) == (1, None)
