"""Bounces and fail-over through the whole program, with a mail server and an SMS gateway on loopback."""

from __future__ import annotations

import base64
import email
import hashlib
import hmac
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from email import policy
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from feedback_app.plugins import email_notifier
from tests.bounces import notification
from tests.cli.conftest import Cli, Result
from tests.running import rows
from tests.servers import RecordingHttpGateway, RecordingSmtpServer, free_port

EMAIL = """
transport = "smtp"
host = "127.0.0.1"
port = {port}
tls = "none"
sender = "shop@example.com"
"""


@contextmanager
def _servers(folder: Path, extra: str = "") -> Iterator[tuple[RecordingSmtpServer, RecordingHttpGateway]]:
    with RecordingSmtpServer() as mail, RecordingHttpGateway() as sms:
        (folder / "config.toml").write_text(
            f"[plugins.email_notifier]{EMAIL.format(port=mail.port)}"
            f'[plugins.sms_notifier]\ngateway = "twilio"\nurl = "{sms.url}"\nsender = "+12025550000"\n'
            f'account_sid = "{sms.account_sid}"\nauth_token = "{sms.auth_token}"\n{extra}'
        )
        yield mail, sms


def _rate(cli: Cli, customer: str, *, preferred: str = "email,sms", address: str = "ada@example.com") -> None:
    cli.ok(
        "customers", "add", "--id", customer, "--email", address, "--phone", "+4915112345678",
        "--preferred-channel", preferred,
    )  # fmt: skip
    cli.ok("feedback", "add", "--customer", customer, "--rating", "5")


def _id_of(mail: bytes) -> str:
    parsed = email.message_from_bytes(mail, policy=policy.default)
    return str(parsed["Message-ID"]).strip("<>").partition("@")[0]


def _message(cli: Cli, number: int = 1) -> dict[str, Any]:
    found: dict[str, Any] = cli.ok("messages", "show", str(number), "--json").json
    return found


def test_a_hard_bounce_suppresses_the_address_and_the_next_channel_takes_over(cli: Cli, folder: Path) -> None:
    """Once, however often the notification comes; the next message does not even try the address."""
    with _servers(folder) as (mail, sms):
        _rate(cli, "ada")
        cli.ok("run", "--drain")
        bounce = folder / "bounce.eml"
        bounce.write_bytes(notification(_id_of(mail.mails[0].data), "Ada@Example.com"))
        assert cli.ok("messages", "bounces", "ingest", str(bounce)).out == "1 failed\n"
        assert cli.ok("messages", "bounces", "ingest", str(bounce)).out == "1 known before\n"
        (bad,) = cli.ok("suppressions", "list", "--json").json
        assert (bad["channel"], bad["address"]) == ("email", "ada@example.com")
        assert bad["reason"] == "5.1.1 550 5.1.1 no such user"
        cli.ok("run", "--drain")
        assert [one.recipient for one in sms.messages] == ["+4915112345678"]
        found = _message(cli)
        assert (found["state"], found["channel"]) == ("sent", "sms")
        assert [one["outcome"] for one in found["delivery_attempts"]] == ["sent", "bounced", "sent"]
        assert cli.ok("messages", "bounces", "ingest", str(bounce)).out == "1 known before\n"

        _rate(cli, "bob")
        cli.ok("run", "--drain")
        assert (len(mail.mails), len(sms.messages)) == (1, 2)
        cli.ok("suppressions", "remove", "email", "ADA@example.com")
        _rate(cli, "carl")
        cli.ok("run", "--drain")
        assert (len(mail.mails), len(sms.messages)) == (2, 2)


def test_a_message_to_a_suppressed_address_ends_as_suppressed_where_there_is_no_other(
    cli: Cli, folder: Path
) -> None:
    """It says why."""
    with _servers(folder) as (mail, _):
        cli.ok("suppressions", "add", "email", "ada@example.com", "--reason", "asked us to stop")
        _rate(cli, "ada", preferred="email")
        cli.ok("run", "--drain")
        assert mail.mails == []
        found = _message(cli)
        assert found["state"] == "suppressed"
        assert found["error"] == "nothing is sent to this address any more: asked us to stop"
        assert found["settled_at"]
        assert found["delivery_attempts"] == []


def test_a_soft_bounce_changes_nothing_but_what_is_known(cli: Cli, folder: Path) -> None:
    """The mail server goes on trying; when it gives up for a full mailbox, the address stays good."""
    with _servers(folder) as (mail, sms):
        _rate(cli, "ada")
        cli.ok("run", "--drain")
        sent = _id_of(mail.mails[0].data)
        bounce = folder / "bounce.eml"
        bounce.write_bytes(notification(sent, "ada@example.com", action="delayed", status="4.4.1"))
        assert cli.ok("messages", "bounces", "ingest", str(bounce)).out == "1 delayed\n"
        found = _message(cli)
        assert (found["state"], found["receipt"]) == ("sent", "delayed")
        assert "delayed: 4.4.1" in cli.ok("feedback", "explain", "1").out
        bounce.write_bytes(notification(sent, "ada@example.com", status="5.2.2"))
        assert cli.ok("messages", "bounces", "ingest", str(bounce), "--json").json["failed"] == 1
        assert cli.ok("suppressions", "list", "--json").json == []
        cli.ok("run", "--drain")
        assert len(sms.messages) == 1


def test_a_bounced_message_that_is_retried_is_sent_for_good(cli: Cli, folder: Path) -> None:
    """The old notification, still in its folder, does not end it a second time; another one does."""
    with _servers(folder) as (mail, sms):
        _rate(cli, "ada", preferred="email")
        cli.ok("run", "--drain")
        sent = _id_of(mail.mails[0].data)
        bounce = folder / "bounce.eml"
        bounce.write_bytes(notification(sent, "ada@example.com", status="5.2.2", words="smtp; 552 full"))
        assert cli.ok("messages", "bounces", "ingest", str(bounce)).out == "1 failed\n"
        assert _message(cli)["state"] == "dead"

        cli.ok("messages", "retry", "1")
        found = _message(cli)
        assert (found["receipt"], found["receipt_at"], found["receipt_detail"]) == (None, None, None)
        cli.ok("run", "--drain")
        assert _message(cli)["state"] == "sent"
        assert cli.ok("messages", "bounces", "ingest", str(bounce)).out == "1 known before\n"
        assert (_message(cli)["state"], len(mail.mails), len(sms.messages)) == ("sent", 2, 0)

        bounce.write_bytes(notification(sent, "ada@example.com", status="5.7.1", words="smtp; 550 no"))
        assert cli.ok("messages", "bounces", "ingest", str(bounce)).out == "1 failed\n"
        assert _message(cli)["error"] == "5.7.1 550 no"


def test_what_strangers_write_changes_nothing(cli: Cli, folder: Path) -> None:
    """A notification about another address than the message's, or about no message; rubbish is said and costs 65."""
    with _servers(folder) as (mail, _):
        _rate(cli, "ada")
        cli.ok("run", "--drain")
        box = folder / "Maildir"
        for name in ("new", "cur", "tmp"):
            (box / name).mkdir(parents=True)
        sent = _id_of(mail.mails[0].data)
        (box / "new" / "1").write_bytes(notification(sent, "mallory@example.com"))
        (box / "cur" / "2:2,S").write_bytes(notification("thanks.1.0000", "ada@example.com"))
        (box / "cur" / "3:2,S").write_bytes(b"Subject: hello\r\n\r\nJust me.\r\n")
        assert (
            cli.ok("messages", "bounces", "ingest", str(box)).out
            == "2 of no message of ours, 1 no notifications\n"
        )
        assert _message(cli)["state"] == "sent"
        (box / "new" / "4").write_bytes(notification(sent, "ada@example.com").replace(b"Message-ID", b"X-Id"))
        refused = cli("messages", "bounces", "ingest", str(box / "new"))
        assert refused.code == 65
        assert "4: does not say which mail it is about" in refused.err
        assert cli("messages", "bounces", "ingest", "nowhere").code == 2


def test_a_mailbox_that_does_not_exist_is_never_tried_again(cli: Cli, folder: Path) -> None:
    """The server's 550 5.1.1 is as good as a bounce."""
    with _servers(folder) as (mail, sms):
        mail.unknown = {"ada@example.com"}
        _rate(cli, "ada")
        cli.ok("run", "--drain")
        assert len(sms.messages) == 1
        found = _message(cli)
        assert (found["state"], found["channel"]) == ("sent", "sms")
        assert [one["outcome"] for one in found["delivery_attempts"]] == ["permanent", "sent"]
        assert [one["address"] for one in cli.ok("suppressions", "list", "--json").json] == [
            "ada@example.com"
        ]


@pytest.mark.parametrize("first_is_away", [True, False])
def test_the_second_mail_server_takes_what_the_first_does_not(
    cli: Cli, folder: Path, *, first_is_away: bool
) -> None:
    """It is away, or it refuses the address."""
    (folder / "plugins").mkdir()
    shutil.copy(email_notifier.__file__, folder / "plugins" / "mail_spare.py")
    with RecordingSmtpServer() as spare:
        port = free_port()
        extra = (
            f'[channels.email]\nproviders = ["email_notifier", "mail_spare"]\n'
            f"[plugins.mail_spare]{EMAIL.format(port=spare.port)}"
        )
        with _servers(folder, extra) as (mail, sms):
            mail.unknown = {"ada@example.com"}
            if first_is_away:
                config = folder / "config.toml"
                config.write_text(config.read_text().replace(f"port = {mail.port}", f"port = {port}"))
            _rate(cli, "ada")
            cli.ok("run", "--drain")
            assert ([one.recipients for one in spare.mails], mail.mails, sms.messages) == (
                [("ada@example.com",)],
                [],
                [],
            )
            tries = _message(cli)["delivery_attempts"]
            assert [one["provider"] for one in tries] == ["email_notifier", "mail_spare"]
            assert [one["outcome"] for one in tries] == [
                "channel_down" if first_is_away else "permanent",
                "sent",
            ]
    assert rows(folder / "feedback.db", "SELECT count(*) FROM suppressed_address") == [(0,)]


CALLBACK = "https://shop.example.com/receipts"


def _callback(
    folder: Path, number: int, sms: RecordingHttpGateway, *, forged: bool = False, **form: str
) -> Path:
    """Write Twilio's call about a message into a file; returns it."""
    ledger_id = rows(folder / "feedback.db", "SELECT message_id FROM message WHERE id = 1")[0][0].split(".")[
        -1
    ]
    url = f"{CALLBACK}?message=thanks.{number}.{ledger_id}"
    text = url + "".join(name + form[name] for name in sorted(form))
    key = b"somebody else's" if forged else sms.auth_token.encode()
    signature = base64.b64encode(hmac.digest(key, text.encode(), hashlib.sha1)).decode()
    file = folder / "requests.jsonl"
    line = {"url": url, "headers": {"X-Twilio-Signature": signature}, "body": urlencode(form)}
    file.write_text(json.dumps(line) + "\n\n")
    return file


def _ingest(cli: Cli, file: Path) -> Result:
    return cli("messages", "receipts", "ingest", "--channel", "sms", str(file))


def test_receipts_of_a_gateway_settle_what_was_taken(cli: Cli, folder: Path) -> None:
    """Delivered is noted; a failure goes by the next channel, and suppresses the number where nobody has it."""
    with _servers(folder) as (mail, sms):
        config = folder / "config.toml"
        config.write_text(config.read_text() + f'status_callback = "{CALLBACK}"\n')
        _rate(cli, "ada", preferred="sms,email")
        cli.ok("run", "--drain")
        assert len(sms.messages) == 1
        on_the_way = _callback(folder, 1, sms, MessageStatus="sent")
        assert _ingest(cli, on_the_way).out == "nothing new\n"
        delivered = _callback(folder, 1, sms, MessageStatus="delivered")
        assert _ingest(cli, delivered).out == "1 delivered\n"
        failed = _callback(folder, 1, sms, MessageStatus="failed", ErrorCode="30005")
        assert _ingest(cli, failed).out == "1 known before\n"  # out of order: it was delivered
        assert _message(cli)["receipt"] == "delivered"
        assert "delivered: Twilio: delivered" in cli.ok("feedback", "explain", "1").out

        _rate(cli, "bob", preferred="sms,email")
        cli.ok("run", "--drain")
        forged = _ingest(
            cli, _callback(folder, 2, sms, forged=True, MessageStatus="failed", ErrorCode="30005")
        )
        assert (forged.code, forged.out) == (65, "nothing new\n")
        assert "requests.jsonl:1: forged: X-Twilio-Signature does not fit" in forged.err
        assert _message(cli, 2)["state"] == "sent"
        failed = _callback(folder, 2, sms, MessageStatus="undelivered", ErrorCode="30005")
        assert _ingest(cli, failed).out == "1 failed\n"
        assert [one["address"] for one in cli.ok("suppressions", "list", "--json").json] == ["+4915112345678"]
        cli.ok("run", "--drain")
        assert len(mail.mails) == 1
        assert _message(cli, 2)["channel"] == "email"


def test_a_receipt_may_come_before_the_gateways_answer(cli: Cli, folder: Path) -> None:
    """It is noted while the message is being sent, and its word holds when the send ends."""
    with _servers(folder) as (_, sms):
        config = folder / "config.toml"
        config.write_text(config.read_text() + f'status_callback = "{CALLBACK}"\n')
        _rate(cli, "ada", preferred="sms")
        real = sms.answer

        def telling_first(request: Any) -> Any:
            found = real(request)
            told = subprocess.run(
                [sys.executable, "-m", "feedback_app", "messages", "receipts", "ingest", "--channel", "sms",
                 str(_callback(folder, 1, sms, MessageStatus="undelivered", ErrorCode="30003"))],
                cwd=folder, capture_output=True, text=True, check=True,
            )  # fmt: skip
            assert told.stdout == "1 failed\n"
            return found

        sms.answer = telling_first  # type: ignore[method-assign]
        cli.ok("run", "--drain")
        found = _message(cli)
        assert (found["state"], found["error"]) == ("dead", "Twilio: undelivered, error 30003")


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "requests.jsonl:1: Input data was truncated"),
        ('["url"]', "requests.jsonl:1: Expected `object`, got `array`"),
        ('{"body": "x"}', "requests.jsonl:1: Object missing required field `url`"),
        ('{"url": "x", "body_base64": "?"}', "requests.jsonl:1: Invalid base64 encoded string"),
        ('{"url": "x"}', "requests.jsonl:1: forged: no gateway was told to send receipts"),
    ],
)
def test_bad_lines_are_named_and_cost_65(cli: Cli, folder: Path, line: str, complaint: str) -> None:
    """File, line and reason; the other lines count."""
    with _servers(folder) as (_, _sms):
        file = folder / "requests.jsonl"
        file.write_text(line + "\n")
        refused = _ingest(cli, file)
        assert refused.code == 65
        assert complaint in refused.err


def test_receipts_of_a_channel_that_nobody_serves_are_refused(cli: Cli, folder: Path) -> None:
    """One line, with what there is."""
    with _servers(folder):
        file = folder / "requests.jsonl"
        file.write_text("{}\n")
        refused = cli("messages", "receipts", "ingest", "--channel", "fax", str(file))
        assert refused.code == 2
        assert "no plugin serves the channel 'fax'; there are: email, sms" in refused.err
