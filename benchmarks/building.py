"""Building one mail, text and HTML with all headers: ours beside the standard library's ways with the same content."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import SMTP
from email.utils import format_datetime, formataddr
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.harness import Benchmark, Measured, Side
from benchmarks.mails import SENDER, messages
from feedback_app.plugins._mail_builder import MailBuilder
from feedback_app.plugins._mail_headers import parse_mailbox

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from feedback_app import Message

_NOW = 1_795_000_000.0  # seconds since 1970; a mail a millisecond from then on
_MAILBOX = parse_mailbox(SENDER)


def built_by_email_message(message: Message, now: float) -> EmailMessage:
    """Return the mail that `MailBuilder` would make of the message."""
    mail = EmailMessage(policy=SMTP)
    mail["From"] = Address(_MAILBOX.name, addr_spec=_MAILBOX.address)
    mail["To"] = Address(message.customer_name or "", addr_spec=message.recipient)
    for name, value in _plain_headers(message, now):
        mail[name] = value
    mail.set_content(message.text)
    mail.add_alternative(message.html, subtype="html")
    return mail


def _built_by_mime_text(message: Message, now: float) -> bytes:
    """Build it by the older classes, which check nothing."""
    mail = MIMEMultipart("alternative")
    mail["From"] = formataddr((_MAILBOX.name, _MAILBOX.address))
    mail["To"] = formataddr((message.customer_name or "", message.recipient))
    for name, value in _plain_headers(message, now):
        mail[name] = value
    mail.attach(MIMEText(message.text, "plain"))
    mail.attach(MIMEText(message.html, "html"))
    return mail.as_bytes(policy=SMTP)


def _plain_headers(message: Message, now: float) -> tuple[tuple[str, str], ...]:
    return (
        ("Subject", message.subject),
        ("Date", format_datetime(datetime.fromtimestamp(now, UTC))),
        ("Message-ID", f"<{message.id}@{_MAILBOX.domain}>"),
        ("Auto-Submitted", "auto-generated"),
    )


def _cost(build: Callable[[Message, float], object], folder: Path, count: int) -> Measured:
    todo = list(messages(count, folder / "templates"))
    begun = time.perf_counter()
    for number, one in enumerate(todo):
        build(one, _NOW + number / 1000)
    return {"value": (time.perf_counter() - begun) / count * 1e6}


BENCHMARKS = (
    Benchmark(
        name="build",
        title="building one mail with text, HTML and all headers",
        unit="µs",
        count=20_000,
        better="less",
        sides=(
            Side(name="feedback_app", run=partial(_cost, MailBuilder(_MAILBOX).build)),
            Side(name="MIMEText", run=partial(_cost, _built_by_mime_text)),
            Side(
                name="EmailMessage",
                run=partial(_cost, lambda one, now: built_by_email_message(one, now).as_bytes()),
            ),
        ),
    ),
)
