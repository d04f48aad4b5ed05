"""When to try again, and what a failed try means for its message. Pure."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from feedback_app.errors import ChannelDown, OutcomeUnknown, PermanentFailure, TemporaryFailure
from feedback_app.store.outbox import MAY_HAVE_LEFT

if TYPE_CHECKING:
    from collections.abc import Callable

    from feedback_app.contracts import Notifier
    from feedback_app.store.outbox import AttemptOutcome, NextState

_LONGEST_WISH = 3600.0  # seconds; a far side that asks for more is asked again sooner


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential with jitter: the k-th wait is drawn from the upper half of `initial` × 2^(k-1), capped.

    The upper half, because a wait near zero helps nobody; drawn, because customers of one failed server would
    otherwise all come back in the same second (AWS Architecture Blog, "Exponential Backoff And Jitter", 2015).
    """

    initial: float  # seconds
    maximum: float  # seconds
    draw: Callable[[], float] = random.random  # from [0, 1)

    def delay(self, attempt: int) -> float:
        """Return the seconds to wait after the `attempt`-th failure, counted from 1."""
        full = min(self.maximum, self.initial * 2.0 ** min(attempt - 1, 60))
        return full * (0.5 + 0.5 * self.draw())


def longest_wait(backoff_maximum: float) -> int:
    """Return the milliseconds than which nothing waits longer for its next try."""
    return int(max(backoff_maximum, _LONGEST_WISH) * 1000)


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What a failed try means."""

    outcome: AttemptOutcome
    state: NextState
    counted: bool = True  # uses up one of the allowed attempts
    delay: float = 0.0  # seconds until the next one, for queued
    fault: bool = False  # of the plugin itself: no answer that it may give


def judge(
    error: BaseException,
    *,
    attempt: int,
    max_attempts: int,
    backoff: Backoff,
    notifier: Notifier,
    suspended: bool = False,
) -> Verdict:
    """Decide what follows from `error` of the `attempt`-th counted try (from 1).

    A message that only probes whether its `suspended` channel works again pays nothing for the plugin's faults.
    """
    fault = not isinstance(error, TemporaryFailure | OutcomeUnknown)
    match error:
        case PermanentFailure():
            return Verdict(outcome="permanent", state="dead")
        case ChannelDown():
            return Verdict(outcome="channel_down", state="queued", counted=False)
        case TemporaryFailure():
            outcome: AttemptOutcome = "temporary"
        case OutcomeUnknown() | TimeoutError():
            outcome = "unknown"
        case _:
            outcome = "bug"
    if outcome in MAY_HAVE_LEFT and notifier.on_unknown == "hold":
        return Verdict(outcome=outcome, state="held", fault=fault)
    if fault and suspended:
        return Verdict(outcome=outcome, state="queued", counted=False, fault=True)
    if attempt >= max_attempts:
        return Verdict(outcome=outcome, state="dead", fault=fault)
    delay = max(backoff.delay(attempt), _wish(error))
    return Verdict(outcome=outcome, state="queued", delay=delay, fault=fault)


def _wish(error: BaseException) -> float:
    """Return the seconds that the far side asks for, 0 where it does not or makes no sense."""
    if not isinstance(error, TemporaryFailure | OutcomeUnknown):
        return 0.0
    try:
        wish = float(error.retry_after or 0.0)
    except (TypeError, ValueError, OverflowError):  # a plugin may hand a header over as it came
        return 0.0
    return min(wish, _LONGEST_WISH) if wish > 0 else 0.0  # NaN is not above 0
