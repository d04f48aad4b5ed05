"""What the tests of all channels that speak HTTP share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feedback_app import ChannelDown, OutcomeUnknown, PermanentFailure, TemporaryFailure

if TYPE_CHECKING:
    from feedback_app import Message, Notifier, Receipt


def answer(status: str, body: bytes = b"", *headers: str) -> bytes:
    """Return an answer with these headers and the right length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


async def outcome_of(
    one: Notifier, wanted: Message
) -> Receipt | ChannelDown | OutcomeUnknown | PermanentFailure | TemporaryFailure:
    """Send and return the receipt or the error."""
    try:
        return await one.send(wanted)
    except (ChannelDown, OutcomeUnknown, PermanentFailure, TemporaryFailure) as error:
        return error
