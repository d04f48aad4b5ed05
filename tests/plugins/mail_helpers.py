"""What the tests of the channel `email` share."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Literal

import pytest

from feedback_app import Message, Notifier
from feedback_app.plugins._mail_builder import MailBuilder
from feedback_app.plugins._mail_headers import parse_mailbox
from feedback_app.plugins._smtp_conversation import Limits, Server
from feedback_app.plugins._smtp_pool import SmtpPool
from feedback_app.plugins.email_notifier import EmailNotifier

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from pydantic import SecretStr

    from tests.plugins.scripted_smtp import ScriptedSmtpServer
    from tests.servers import RecordingSmtpServer

QUICK = Limits(connect=0.5, login=0.5, reply=0.5, data=0.5, dot=0.5)  # seconds; for servers that hang


def message(
    number: int = 1,
    text: str = "Hello\n",
    html: str = "",
    message_id: str = "",
    recipient: str = "anna.smith@example.com",
) -> Message:
    """Return a thank-you to Anna."""
    return Message(
        id=message_id or f"thanks-{number}",
        purpose="thanks",
        channel="email",
        recipient=recipient,
        customer_name="Anna Smith",
        subject="Thank you",
        text=text,
        html=html,
    )


def notifier(
    server: ScriptedSmtpServer | RecordingSmtpServer,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    connections: int = 2,
    login: tuple[str, SecretStr] | None = None,
    tls: Literal["none", "starttls"] = "none",
    clock: Callable[[], float] = time.monotonic,
) -> EmailNotifier:
    """Return the notifier for a server, by the name that its certificate shows where there is one."""
    username, password = login or (None, None)
    host = server.host if tls == "none" else "localhost"
    account = Server(host=host, port=server.port, tls=tls, username=username, password=password)
    pool = SmtpPool(account, connections, limits, clock)
    return EmailNotifier(MailBuilder(parse_mailbox("shop@example.com")), pool)


@contextlib.asynccontextmanager
async def opened(one: Notifier) -> AsyncIterator[Notifier]:
    """Open and close a notifier as the daemon does."""
    await one.open()
    try:
        yield one
    finally:
        await one.close()


async def failure_of(one: Notifier, wanted: Message) -> Exception:
    """Send and return the error."""
    with pytest.raises(Exception) as raised:  # noqa: PT011 - which error it must be, the caller says
        await one.send(wanted)
    return raised.value
