"""Builds a mail in a few microseconds: what is the same in every mail is made once, the rest is filled in.

Both parts are 7-bit, quoted-printable or base64, so that any server takes them. What is sent has been checked
as bytes: no value can have added a header, a line end or a part.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, NamedTuple

from feedback_app import PermanentFailure
from feedback_app.plugins._mail_headers import mailbox_value, plain_address, subject_value

if TYPE_CHECKING:
    from feedback_app import Message
    from feedback_app.plugins._mail_headers import Mailbox

LONGEST_LINE = 998  # bytes without the line end (RFC 5322, 2.1.1)

_FIT_ID = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LONGEST_ID = 200  # so that its header stays one short line

# Neither base64 nor quoted-printable can produce "=_", and text that holds it is never sent as 7-bit: no part
# can contain the boundary, so it needs no random letters.
_MARK = b"=_"
_BOUNDARY = _MARK + b"feedback-app"
_MULTIPART = b'Content-Type: multipart/alternative; boundary="%s"\r\n' % _BOUNDARY
# Auto-Submitted keeps autoresponders from answering (RFC 3834, 5).
_FIXED = b"Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"

_COMMON_NAMES = (b"From", b"To", b"Subject", b"Date", b"Message-ID", b"Auto-Submitted", b"MIME-Version")
_TEXT_ONLY_NAMES = (*_COMMON_NAMES, b"Content-Type", b"Content-Transfer-Encoding")
_MULTIPART_NAMES = (*_COMMON_NAMES, b"Content-Type")

_UNWANTED = bytes(code for code in range(32) if code not in b"\t\n") + b"\x7f"


@dataclass(frozen=True, kw_only=True, slots=True)
class Mail:
    """A mail that is ready to leave."""

    message_id: str  # of the message, the same at every attempt
    sender: str  # plain ASCII address
    recipient: str  # plain ASCII address
    data: bytes  # headers and body with CRLF line ends, all ASCII


class _Part(NamedTuple):
    """One body and the headers that describe it, which end in an empty line."""

    headers: bytes
    body: bytes


class MailBuilder:
    """Turns messages into the bytes of mails from one sender."""

    def __init__(self, sender: Mailbox) -> None:
        self._from = f"From: {mailbox_value(sender.name, sender.address)}\r\n".encode("ascii")
        self._sender = sender
        self._date = (-1, "")  # a second and its name; many mails are built in one

    def build(self, message: Message, now: float) -> Mail:
        """Return the mail, dated `now` (seconds since 1970).

        Raises PermanentFailure when the recipient is not one plain address, or when the bytes are not exactly
        the mail that was meant, which only a bug here can bring about.
        """
        try:
            recipient = plain_address(message.recipient)
        except ValueError as error:
            raise PermanentFailure(f"the recipient's address cannot be used: {error}") from None
        data = self._data(message, recipient, now)
        return Mail(message_id=message.id, sender=self._sender.address, recipient=recipient, data=data)

    def _data(self, message: Message, recipient: str, now: float) -> bytes:
        variable = (
            f"To: {mailbox_value(message.customer_name or '', recipient)}\r\n"
            f"Subject: {subject_value(message.subject)}\r\n"
            f"Date: {self._dated(int(now))}\r\n"
            f"Message-ID: <{_id_left(message.id)}@{self._sender.domain}>\r\n"
        ).encode("ascii")
        head = self._from + variable + _FIXED
        text = _part(b"plain", message.text)
        if message.html:
            head += _MULTIPART
            mail = _alternatives(head, text, _part(b"html", message.html))
            check(head, _MULTIPART_NAMES, mail)
        else:
            head += text.headers[:-2]
            mail = head + b"\r\n" + text.body
            check(head, _TEXT_ONLY_NAMES, mail)
        return mail

    def _dated(self, second: int) -> str:
        if self._date[0] != second:
            self._date = second, format_datetime(datetime.fromtimestamp(second, UTC))
        return self._date[1]


def _id_left(message_id: str) -> str:
    """Return what stands for the message on the left of a Message-ID, the same at every attempt."""
    if len(message_id) <= _LONGEST_ID and _FIT_ID.fullmatch(message_id):
        return message_id
    return hashlib.sha256(message_id.encode("utf-8", "surrogatepass")).hexdigest()


def _part(subtype: bytes, text: str) -> _Part:
    raw = _clean(text).replace(b"\n", b"\r\n")
    if raw.isascii() and _MARK not in raw and _longest_line(raw) <= LONGEST_LINE:
        encoding, body = b"7bit", raw
    elif len(raw) > len(text) * 5 // 4:  # mostly letters beyond ASCII, where quoted-printable would triple it
        encoding, body = b"base64", _base64_lines(raw)
    else:
        encoding, body = b"quoted-printable", binascii.b2a_qp(raw, istext=True)
    return _Part(
        b'Content-Type: text/%s; charset="utf-8"\r\nContent-Transfer-Encoding: %s\r\n\r\n'
        % (subtype, encoding),
        body,
    )


def _clean(text: str) -> bytes:
    """Return the text as UTF-8 without controls and with a newline behind every line."""
    raw = text.encode("utf-8", "replace")
    if b"\r" in raw:
        raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    raw = raw.translate(None, _UNWANTED)
    return raw if raw.endswith(b"\n") else raw + b"\n"


def _base64_lines(raw: bytes) -> bytes:
    encoded = binascii.b2a_base64(raw, newline=False)
    return b"\r\n".join([encoded[start : start + 76] for start in range(0, len(encoded), 76)]) + b"\r\n"


def _alternatives(head: bytes, *parts: _Part) -> bytes:
    pieces = [head]
    for part in parts:
        pieces += b"\r\n--", _BOUNDARY, b"\r\n", part.headers, part.body
    pieces += b"\r\n--", _BOUNDARY, b"--\r\n"
    return b"".join(pieces)


def _longest_line(data: bytes) -> int:
    return max(map(len, data.split(b"\r\n")))


def check(head: bytes, names: tuple[bytes, ...], mail: bytes) -> None:
    """Raise PermanentFailure unless `head` has exactly these headers and the mail only whole, short lines."""
    lines = head.split(b"\r\n")
    found = tuple(line.partition(b":")[0] for line in lines if line and line[0] not in b" \t")
    ends = mail.count(b"\r\n")
    if found != names or lines[-1]:
        raise PermanentFailure("the mail's headers are not the ones intended; it was not sent")
    if mail.count(b"\r") != ends or mail.count(b"\n") != ends or _longest_line(mail) > LONGEST_LINE:
        raise PermanentFailure("the mail's lines are not well formed; it was not sent")
