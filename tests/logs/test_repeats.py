"""How often the same is said."""

from __future__ import annotations

import logging
import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_app.logs.outage import REMIND, Outage
from feedback_app.logs.repeats import MOST, WINDOW, Repeats

LOG = logging.getLogger("feedback_app.test")
_STEPS = st.lists(
    st.tuples(st.floats(0, 30), st.sampled_from("ab"), st.sampled_from(["email", "sms"])), max_size=200
)


def _record(event: str, channel: str, level: int = logging.WARNING) -> logging.LogRecord:
    return logging.makeLogRecord({"name": "x", "msg": event, "levelno": level, "channel": channel})


@given(_STEPS)
def test_every_line_is_said_or_counted_and_few_are_said(steps: list[tuple[float, str, str]]) -> None:
    """Whatever comes when: at most ten of a kind from the first one on within a minute, none is lost."""
    repeats, now = Repeats(), 0.0
    said: dict[tuple[str, str], list[float]] = {}
    counted: Counter[tuple[str, str]] = Counter()

    def sum_up(until: float) -> None:
        for one in repeats.ended(until):
            counted[one.like, one.channel] += one.count  # type: ignore[attr-defined]

    for pause, event, channel in steps:
        now += pause
        sum_up(now)
        if repeats.passes(_record(event, channel), now):
            said.setdefault((event, channel), []).append(now)
    sum_up(math.inf)

    assert repeats.oldest is None
    asked = Counter((event, channel) for _, event, channel in steps)
    assert asked == Counter({kind: len(times) for kind, times in said.items()}) + counted
    for times in said.values():
        windows: list[list[float]] = []
        for at in times:
            if not windows or at - windows[-1][0] >= WINDOW:
                windows.append([])
            windows[-1].append(at)
        assert all(len(one) <= MOST for one in windows)


def test_what_is_below_a_warning_passes() -> None:
    """It is asked for, such as what SIGUSR1 has said, or said once."""
    repeats = Repeats()
    assert all(repeats.passes(_record("task", "", logging.INFO), 0.0) for _ in range(10 * MOST))


def test_an_outage_is_said_at_its_ends_and_hourly(caplog: pytest.LogCaptureFixture) -> None:
    """Asked every second for two and a half hours, then well, then away once more."""
    seconds = iter(range(10_000))
    one = Outage(LOG, away="away", still="still away", back="back", stopwatch=lambda: next(seconds))
    with caplog.at_level(logging.INFO, "feedback_app.test"):
        one.over()
        for _ in range(int(2.5 * REMIND)):
            one.met(reason="locked")
        one.over()
        one.over()
        one.met(reason="locked")
    said = [(record.message, getattr(record, "seconds", None)) for record in caplog.records]
    assert said == [
        ("away", None),
        ("still away", 3600),
        ("still away", 7200),
        ("back", 9000),
        ("away", None),
    ]
    assert one.lasts


def test_what_fails_and_succeeds_by_turns_is_away(caplog: pytest.LogCaptureFixture) -> None:
    """Until it has succeeded for a while; the time of its trouble is told."""
    now = 0.0
    one = Outage(LOG, away="away", still="still away", back="back", steady=5, stopwatch=lambda: now)
    with caplog.at_level(logging.INFO, "feedback_app.test"):
        for _ in range(50):
            one.met()
            now += 1
            one.over()
            now += 1
        one.over()
        now += 4
        one.over()
    said = [(record.message, getattr(record, "seconds", None)) for record in caplog.records]
    assert said == [("away", None), ("back", 99)]
