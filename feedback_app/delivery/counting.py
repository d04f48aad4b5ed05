"""What is counted, and what is logged, of tries of messages."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import TYPE_CHECKING

from feedback_app.errors import fault_site
from feedback_app.store.outbox import UNTRIED
from feedback_app.tally import HANDED_ON, Tally, Try

if TYPE_CHECKING:
    from collections.abc import Sequence

    from feedback_app.concurrency import JobResult
    from feedback_app.delivery.dispatcher import Given
    from feedback_app.store.outbox import Attempt, ClaimedMessage

log = logging.getLogger(__name__)


def about_message(claimed: ClaimedMessage, channel: str) -> dict[str, object]:
    """Return the fields by which a line of the log says which message it is about."""
    message = claimed.message
    return {
        "message_number": claimed.number,
        "message_id": message.id,
        "feedback": message.feedback_id,
        "attempt": message.attempt,
        "channel": channel,
    }


def count(tally: Tally, channel: str, tried: Sequence[tuple[ClaimedMessage, Attempt]]) -> None:
    """Count tries of a channel that are recorded."""
    delivered = tally.deliveries[channel]
    tries: Counter[tuple[str, str, str]] = Counter()  # by provider, outcome, state
    for claimed, last in tried:
        for one in last.before:
            tries[one.provider, one.outcome, HANDED_ON] += 1
            tally.sends[channel, one.provider].add((one.ended_at - one.started_at) / 1000)
        state = "queued" if last.instead else last.state
        tries[last.provider, last.outcome, state] += 1
        if last.outcome not in UNTRIED:
            tally.sends[channel, last.provider].add((last.ended_at - last.started_at) / 1000)
        if state == "sent":
            delivered.add((last.ended_at - claimed.created_at) / 1000)
    for kind, times in tries.items():
        tally.tries[Try(channel, *kind)] += times


def say_broken_off(results: Sequence[JobResult[Given, Attempt | None]], channel: str) -> None:
    """Log what went wrong around a plugin, in our own code."""
    for one in results:
        if one.error is not None and not isinstance(one.error, asyncio.CancelledError):
            which = about_message(one.job.claimed, channel)
            log.error("delivery broke off", extra={**which, "fault": fault_site(one.error)})
