"""A text message that is ready to leave: to a number that can be dialled, without controls, not too long."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from feedback_app import PermanentFailure
from feedback_app.plugins._sms_segments import segments

if TYPE_CHECKING:
    from feedback_app import Message

MOST_SEGMENTS = 3  # each is paid for

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")  # ITU-T E.164: a country code and at most 15 digits in all
_UNWANTED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sms:
    """One text message."""

    message_id: str  # of the message, the same at every attempt
    sender: str
    recipient: str  # E.164
    text: str
    encoding: Literal["GSM-7", "UCS-2"]
    segments: int


def is_e164(number: str) -> bool:
    """Say whether `number` is an international number such as +4915112345678."""
    return _E164.fullmatch(number) is not None


def compose(message: Message, sender: str) -> Sms:
    """Return the text message. Raises PermanentFailure when it cannot be sent in this form."""
    if not is_e164(message.recipient):
        raise PermanentFailure("the recipient is not an international number such as +4915112345678")
    text = _clean(message.text)
    if not text:
        raise PermanentFailure("the text is empty")
    size = segments(text)
    if size.parts > MOST_SEGMENTS:
        raise PermanentFailure(
            f"the text takes {size.parts} segments of {size.encoding}, at most {MOST_SEGMENTS} are sent"
        )
    return Sms(
        message_id=message.id,
        sender=sender,
        recipient=message.recipient,
        text=text,
        encoding=size.encoding,
        segments=size.parts,
    )


def _clean(text: str) -> str:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    return _UNWANTED.sub("", lines).strip()
