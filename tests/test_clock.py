"""Clocks that are set, seen beside a stop-watch that is not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from feedback_app.clock import BUILT, JUMP, Jumps
from tests.making import NOW


class Hands:
    """A wall clock and a stop-watch that the test moves."""

    def __init__(self) -> None:
        self.wall = NOW
        self.watch = 0.0

    def go_on(self, seconds: float, *, set_by: float = 0.0) -> None:
        """Let time pass, and set the wall clock."""
        self.watch += seconds
        self.wall += round((seconds + set_by) * 1000)


@pytest.mark.parametrize("set_by", [259_200, -259_200, -1_700_000_000, 2_500_000_000])
def test_a_clock_that_is_set_is_noticed_once(set_by: float) -> None:
    """However much time passed beside it; a negative jump is one back."""
    hands = Hands()
    jumps = Jumps(lambda: hands.wall, lambda: hands.watch)
    hands.go_on(10, set_by=set_by)
    assert jumps.latest() == pytest.approx(set_by)
    hands.go_on(10)
    assert jumps.latest() == pytest.approx(0)


def test_a_clock_that_is_slewed_for_years_never_jumped() -> None:
    """A time server slews by half a millisecond a second, a smeared leap second by less."""
    hands = Hands()
    jumps = Jumps(lambda: hands.wall, lambda: hands.watch)
    for _ in range(10_000):
        hands.go_on(3600, set_by=3600 * 0.0005)
        assert abs(jumps.latest()) < JUMP / 100


def test_a_clock_is_wrong_that_shows_a_time_before_this_program_was_written() -> None:
    """The year of its first version."""
    assert datetime.fromtimestamp(BUILT / 1000, UTC) == datetime(2026, 1, 1, tzinfo=UTC)
