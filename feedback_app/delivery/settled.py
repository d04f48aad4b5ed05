"""Which messages have ended, for those who want to hear of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from feedback_app.model import Message, Settled
from feedback_app.store import ends, outbox

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from feedback_app.model import Milliseconds
    from feedback_app.store.outbox import Attempt, ClaimedMessage

OnSettled: TypeAlias = Callable[[Sequence[tuple[Message, Settled]]], None]  # must not block


def ended_by(
    connection: Connection, tried: Sequence[tuple[ClaimedMessage, Attempt]]
) -> list[tuple[Message, Settled]]:
    """Return the messages that these tries, recorded in this transaction, have brought to their ends.

    Asked of the ledger, because a lost lease records nothing, the next channel may have a message now, and what a
    receipt has told of is dead although it was sent.
    """
    ended = ends.of(connection, [attempt.number for _, attempt in tried])
    return [
        (
            claimed.message,
            Settled(
                state=end.state,
                at=end.at,
                provider=attempt.provider,
                provider_id=attempt.provider_id,
                reason=end.reason,
            ),
        )
        for claimed, attempt in tried
        if (end := ended.get(attempt.number)) is not None and end.at == attempt.ended_at
    ]


def opted_out(suppressed: Sequence[ClaimedMessage], now: Milliseconds) -> list[tuple[Message, Settled]]:
    """Return how the messages ended that were claimed and whose customers have opted out."""
    end = Settled(state="suppressed", at=now, reason=outbox.OPTED_OUT)
    return [(one.message, end) for one in suppressed]


def suppressed(claimed: ClaimedMessage, now: Milliseconds) -> Attempt:
    """Return how a message ends to whose address nothing is sent any more."""
    return outbox.Attempt(
        number=claimed.number,
        outcome="suppressed",
        state="suppressed",
        provider="",
        owner=claimed.owner,
        started_at=now,
        ended_at=now,
        counted=False,
        error=f"nothing is sent to this address any more: {claimed.refusal}",
    )
