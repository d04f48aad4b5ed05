"""What a failed try means, and when the next one comes."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_app import (
    ChannelDown,
    Message,
    Notifier,
    OutcomeUnknown,
    PermanentFailure,
    Receipt,
    TemporaryFailure,
)
from feedback_app.concurrency.bounded import Abandoned
from feedback_app.delivery.retry import Backoff, Verdict, judge


class _Notifier(Notifier):
    channel = "test"

    def __init__(self, on_unknown: Literal["resend", "hold"] = "resend") -> None:
        self.on_unknown = on_unknown

    async def send(self, message: Message) -> Receipt:
        raise AssertionError("not called")


@given(attempt=st.integers(1, 500), draw=st.floats(0, 1, exclude_max=True), initial=st.floats(0.001, 60))
def test_the_wait_doubles_within_its_bounds(attempt: int, draw: float, initial: float) -> None:
    """Between half of and the whole exponential wait, never above the maximum."""
    delay = Backoff(initial, 3600, draw=lambda: draw).delay(attempt)
    full = min(3600, initial * 2.0 ** min(attempt - 1, 60))
    assert full / 2 <= delay <= full


def _judge(
    error: BaseException,
    *,
    attempt: int = 1,
    on_unknown: Literal["resend", "hold"] = "resend",
    suspended: bool = False,
) -> Verdict:
    return judge(
        error,
        attempt=attempt,
        max_attempts=3,
        backoff=Backoff(30, 3600, draw=lambda: 0.0),
        notifier=_Notifier(on_unknown),
        suspended=suspended,
    )


@pytest.mark.parametrize(
    ("error", "wanted"),
    [
        (TemporaryFailure("450"), Verdict(outcome="temporary", state="queued", delay=15)),
        (PermanentFailure("550"), Verdict(outcome="permanent", state="dead")),
        (ChannelDown("535"), Verdict(outcome="channel_down", state="queued", counted=False)),
        (OutcomeUnknown("cut"), Verdict(outcome="unknown", state="queued", delay=15)),
        (TimeoutError(), Verdict(outcome="unknown", state="queued", delay=15, fault=True)),
        (Abandoned("hangs"), Verdict(outcome="unknown", state="queued", delay=15, fault=True)),
        (ValueError("bug"), Verdict(outcome="bug", state="queued", delay=15, fault=True)),
        (SystemExit(3), Verdict(outcome="bug", state="queued", delay=15, fault=True)),
    ],
)
def test_each_kind_of_failure_is_told_apart(error: BaseException, wanted: Verdict) -> None:
    """Temporary, permanent, channel down, unknown, and bugs of the plugin."""
    assert _judge(error) == wanted


@pytest.mark.parametrize(
    ("error", "outcome", "fault"),
    [
        (OutcomeUnknown("cut"), "unknown", False),
        (TimeoutError(), "unknown", True),
        (ValueError("bug"), "bug", True),
        (SystemExit(3), "bug", True),
    ],
)
@pytest.mark.parametrize("suspended", [True, False])
def test_what_may_have_left_is_held_where_it_must_not_double(
    error: BaseException, outcome: Literal["unknown", "bug"], *, fault: bool, suspended: bool
) -> None:
    """Neither sent again nor counted as dead: a person decides. A bug may come up behind the last byte, too."""
    verdict = _judge(error, attempt=3, on_unknown="hold", suspended=suspended)
    assert verdict == Verdict(outcome=outcome, state="held", fault=fault)


@pytest.mark.parametrize("error", [TemporaryFailure("450"), OutcomeUnknown("cut"), ValueError("bug")])
def test_the_last_allowed_attempt_ends_as_a_dead_letter(error: Exception) -> None:
    """After `max_attempts` nothing is tried again; a channel that is down never uses up attempts."""
    assert _judge(error, attempt=3).state == "dead"
    assert _judge(ChannelDown("535"), attempt=99).state == "queued"


@pytest.mark.parametrize("error", [ValueError("bug"), Abandoned("hangs")])
def test_a_probe_pays_nothing_for_the_faults_of_a_suspended_plugin(error: Exception) -> None:
    """Else one innocent message after the other would end as dead; what may have left is held all the same."""
    verdict = _judge(error, attempt=3, suspended=True)
    assert (verdict.state, verdict.counted) == ("queued", False)
    assert _judge(TemporaryFailure("450"), attempt=3, suspended=True).state == "dead"
    assert _judge(Abandoned("hangs"), on_unknown="hold", suspended=True).state == "held"


@pytest.mark.parametrize(("wish", "wanted"), [(1, 15), (300, 300), (10_000_000, 3600), (-5, 15), (None, 15)])
def test_the_far_sides_wish_is_kept_within_reason(wish: float | None, wanted: float) -> None:
    """Never sooner than the back-off, never later than an hour; also where it may have left and is sent again."""
    assert _judge(TemporaryFailure("429", retry_after=wish)).delay == wanted
    assert _judge(OutcomeUnknown("503", retry_after=wish)).delay == wanted


@pytest.mark.parametrize(
    ("wish", "wanted"), [("120", 120), ("in a minute", 15), (float("nan"), 15), ([], 15), (10**400, 15)]
)
def test_a_wish_that_is_no_number_does_no_harm(wish: Any, wanted: float) -> None:
    """A plugin may hand a header over as it came."""
    assert _judge(TemporaryFailure("429", retry_after=wish)).delay == wanted
