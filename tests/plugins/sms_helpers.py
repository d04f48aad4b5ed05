"""What the tests of the channel `sms` share."""

from __future__ import annotations

from feedback_app import Message

NUMBER = "+4915112345678"


def message(text: str = "Thank you!", recipient: str = NUMBER, number: int = 1) -> Message:
    """Return a thank-you by text message."""
    return Message(id=f"thanks-{number}", purpose="thanks", channel="sms", recipient=recipient, text=text)
