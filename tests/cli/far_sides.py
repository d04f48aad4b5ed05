"""A mail server and an SMS gateway on loopback, and a customer who is thanked by them."""

from __future__ import annotations

import email
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email import policy
from pathlib import Path
from typing import Any

from tests.cli.conftest import Cli
from tests.servers import Act, RecordingHttpGateway, RecordingSmtpServer

EMAIL = """
transport = "smtp"
host = "127.0.0.1"
port = {port}
tls = "none"
sender = "shop@example.com"
"""


@contextmanager
def servers(
    folder: Path, extra: str = "", answers: Sequence[Act] = ()
) -> Iterator[tuple[RecordingSmtpServer, RecordingHttpGateway]]:
    """Run both; the configuration knows them, and `extra`. The gateway begins with `answers`."""
    with RecordingSmtpServer() as mail, RecordingHttpGateway(answers) as sms:
        (folder / "config.toml").write_text(
            f"[plugins.email_notifier]{EMAIL.format(port=mail.port)}"
            f'[plugins.sms_notifier]\ngateway = "twilio"\nurl = "{sms.url}"\nsender = "+12025550000"\n'
            f'account_sid = "{sms.account_sid}"\nauth_token = "{sms.auth_token}"\n{extra}'
        )
        yield mail, sms


def rate(cli: Cli, customer: str, *, preferred: str = "email,sms", address: str = "ada@example.com") -> None:
    """Let a customer who prefers these channels give five stars."""
    cli.ok(
        "customers", "add", "--id", customer, "--email", address, "--phone", "+4915112345678",
        "--preferred-channel", preferred,
    )  # fmt: skip
    cli.ok("feedback", "add", "--customer", customer, "--rating", "5")


def id_of(mail: bytes) -> str:
    """Return the message id of a mail."""
    parsed = email.message_from_bytes(mail, policy=policy.default)
    return str(parsed["Message-ID"]).strip("<>").partition("@")[0]


def message_of(cli: Cli, number: int = 1) -> dict[str, Any]:
    """Return what is told of a message."""
    found: dict[str, Any] = cli.ok("messages", "show", str(number), "--json").json
    return found
