"""Mails that say that a mail was not delivered: delivery status notifications (RFC 3464), read from their bytes."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from email.errors import MessageError
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage, Message

LARGEST = 10 * 1024 * 1024  # bytes of a notification; they quote the mail

# Nobody is reached there, whatever is sent (RFC 3463, 3.2 and 3.3): no such mailbox or domain, moved, disabled.
_BAD_ADDRESS = re.compile(r"5\.1\.[0-36]|5\.1\.10|5\.2\.1")
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_ADDRESS_TYPE = re.compile(r"^\s*[\w-]+\s*;\s*")


class Bounce(NamedTuple):
    """What a notification says of one recipient of one mail."""

    message_id: str  # of the mail, without its domain: Message.id
    recipient: str
    state: Literal["delivered", "delayed", "failed"]
    detail: str  # status and the far server's words
    bad_address: bool
    id: str | None  # the notification's own Message-ID


def read(mail: bytes) -> list[Bounce]:
    """Return what a mail says of mails of ours; empty when it is no notification. Raises ValueError with a sentence."""
    if len(mail) > LARGEST:
        raise ValueError(f"larger than {LARGEST // 1024 // 1024} MiB")
    try:
        parsed = message_from_bytes(mail, policy=policy.default)
        parts = list(parsed.walk())
        status = [part for part in parts if part.get_content_type() == "message/delivery-status"]
        message_id = _message_id(parts) if status else ""
        own = _own_id(parsed) if message_id else None
        found = [one for part in status for one in _recipients(part, message_id, own)] if message_id else []
    except (MessageError, LookupError, UnicodeError, TypeError, AttributeError, IndexError) as error:
        # The library's parser raises whatever it stumbles over in mails that keep to no rule.
        raise ValueError(f"cannot be read as a mail ({type(error).__name__})") from error
    if status and not message_id:
        raise ValueError("does not say which mail it is about: it quotes no Message-ID")
    return found


def _own_id(mail: EmailMessage) -> str | None:
    """Return the notification's Message-ID, None where it has none that is one."""
    try:
        return str(mail["Message-ID"] or "").strip() or None
    except IndexError:  # the library's way of saying that "<>" is none
        return None


def _message_id(parts: list[EmailMessage]) -> str:
    """Return the id of the mail that is quoted: as a whole, or its headers alone."""
    for part in parts:
        quoted: Message | None = None
        if part.get_content_type() == "message/rfc822":
            quoted = next(iter(part.iter_parts()), None)
        elif part.get_content_type() == "text/rfc822-headers":
            raw = part.get_payload(decode=True)
            quoted = message_from_bytes(raw if isinstance(raw, bytes) else b"", policy=policy.default)
        if quoted is not None and quoted["Message-ID"]:
            return str(quoted["Message-ID"]).strip("<> \t\r\n").partition("@")[0]
    return ""


def _recipients(part: EmailMessage, message_id: str, own: str | None) -> Iterator[Bounce]:
    """Yield what each group of fields says; the first group is about the mail, the others about a recipient each.

    `own` is the notification's own Message-ID.
    """
    for group in part.iter_parts() if part.is_multipart() else ():
        action = str(group.get("Action", "")).strip().lower()
        address = str(group.get("Original-Recipient") or group.get("Final-Recipient") or "")
        if not action or not address:
            continue
        code = _STATUS.search(str(group.get("Status", "")))
        words = " ".join(_ADDRESS_TYPE.sub("", str(group.get("Diagnostic-Code", ""))).split())
        status = code[0] if code else ""
        yield Bounce(
            message_id,
            _ADDRESS_TYPE.sub("", address).strip("<> "),
            _state(action, status),
            " ".join(filter(None, (status, words)))[:500] or action,
            action == "failed" and _BAD_ADDRESS.fullmatch(status) is not None,
            own,
        )


def _state(action: str, status: str) -> Literal["delivered", "delayed", "failed"]:
    """Return what follows; a failure of class 4 is for good as well, for the server tries no more (RFC 3464, 2.3.3)."""
    if action == "failed" and not status.startswith("2"):
        return "failed"
    return "delayed" if action == "delayed" else "delivered"
