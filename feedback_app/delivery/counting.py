"""What is counted, and what is logged, of tries of messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feedback_app.tally import HANDED_ON, Tally, Try

if TYPE_CHECKING:
    from collections.abc import Sequence

    from feedback_app.store.outbox import Attempt, ClaimedMessage


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
    for claimed, last in tried:
        for one in last.before:
            _count_one(tally, channel, one, HANDED_ON)
        state = "queued" if last.instead else last.state
        _count_one(tally, channel, last, state)
        if state == "sent":
            tally.deliveries[channel].add((last.ended_at - claimed.created_at) / 1000)


def _count_one(tally: Tally, channel: str, one: Attempt, state: str) -> None:
    tally.tries[Try(channel, one.provider, one.outcome, state)] += 1
    if one.outcome != "suppressed":
        tally.sends[channel, one.provider].add((one.ended_at - one.started_at) / 1000)
