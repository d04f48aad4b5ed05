"""What a gateway says of text messages later, through the whole program."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.cli.conftest import Cli, Result
from tests.cli.far_sides import message_of, rate, servers
from tests.running import rows
from tests.servers import Act, HttpAnswer, RecordingHttpGateway, RecordingHttpServer

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


def _with_callback(folder: Path) -> None:
    config = folder / "config.toml"
    config.write_text(config.read_text() + f'status_callback = "{CALLBACK}"\n')


def _ingest(cli: Cli, file: Path) -> Result:
    return cli("messages", "receipts", "ingest", "--channel", "sms", str(file))


def test_receipts_of_a_gateway_settle_what_was_taken(cli: Cli, folder: Path) -> None:
    """Delivered is noted; a failure goes by the next channel, and suppresses the number where nobody has it."""
    with servers(folder) as (mail, sms):
        _with_callback(folder)
        rate(cli, "ada", preferred="sms,email")
        cli.ok("run", "--drain")
        assert len(sms.messages) == 1
        on_the_way = _callback(folder, 1, sms, MessageStatus="sent")
        assert _ingest(cli, on_the_way).out == "nothing new\n"
        delivered = _callback(folder, 1, sms, MessageStatus="delivered")
        assert _ingest(cli, delivered).out == "1 delivered\n"
        failed = _callback(folder, 1, sms, MessageStatus="failed", ErrorCode="30005")
        assert _ingest(cli, failed).out == "1 known before\n"  # out of order: it was delivered
        assert message_of(cli)["receipt"] == "delivered"
        assert "delivered: Twilio: delivered" in cli.ok("feedback", "explain", "1").out

        rate(cli, "bob", preferred="sms,email")
        cli.ok("run", "--drain")
        forged = _ingest(
            cli, _callback(folder, 2, sms, forged=True, MessageStatus="failed", ErrorCode="30005")
        )
        assert (forged.code, forged.out) == (65, "nothing new\n")
        assert "requests.jsonl:1: forged: X-Twilio-Signature does not fit" in forged.err
        assert message_of(cli, 2)["state"] == "sent"
        failed = _callback(folder, 2, sms, MessageStatus="undelivered", ErrorCode="30005")
        assert _ingest(cli, failed).out == "1 failed\n"
        assert [one["address"] for one in cli.ok("suppressions", "list", "--json").json] == ["+4915112345678"]
        cli.ok("run", "--drain")
        assert len(mail.mails) == 1
        assert message_of(cli, 2)["channel"] == "email"


def test_a_message_that_fails_again_after_a_retry_is_dead_again(cli: Cli, folder: Path) -> None:
    """In the same words, which are a gateway's constants; the receipt of the copy before is known."""
    with servers(folder) as (_, sms):
        _with_callback(folder)
        rate(cli, "ada", preferred="sms")
        cli.ok("run", "--drain")

        def fail(copy: int) -> str:
            sid = sms.messages[copy].sid
            call = _callback(folder, 1, sms, MessageSid=sid, MessageStatus="undelivered", ErrorCode="30003")
            return _ingest(cli, call).out

        assert fail(0) == "1 failed\n"
        cli.ok("messages", "retry", "1")
        assert fail(0) == "1 known before\n"
        cli.ok("run", "--drain")
        assert fail(0) == "1 known before\n"
        assert message_of(cli)["state"] == "sent"

        assert fail(1) == "1 failed\n"
        found = message_of(cli)
        assert (found["state"], found["receipt"]) == ("dead", "failed")
        assert [one["outcome"] for one in found["delivery_attempts"]] == ["sent", "bounced"] * 2


@pytest.mark.parametrize("meanwhile", ["held", "queued again", "cancelled"])
def test_what_arrived_is_sent_and_goes_out_no_more(cli: Cli, folder: Path, meanwhile: str) -> None:
    """The gateway's answer was lost, its receipt was not: nobody retries what surely is there."""
    with servers(folder, answers=[Act.DROP]) as (_, sms):
        _with_callback(folder)
        rate(cli, "ada", preferred="sms")
        cli.ok("run", "--drain")
        assert message_of(cli)["state"] == "held"
        if meanwhile != "held":
            cli.ok("messages", "retry" if meanwhile == "queued again" else "cancel", "1")
        arrived = _callback(folder, 1, sms, MessageStatus="delivered")
        assert _ingest(cli, arrived).out == "1 delivered\n"
        found = message_of(cli)
        assert (found["state"], found["receipt"], found["error"]) == ("sent", "delivered", None)
        assert found["settled_at"] == found["receipt_at"]
        assert _ingest(cli, arrived).out == "1 known before\n"

        assert cli.ok("messages", "retry", "--all-held", "--yes").out == "queued again: 0\n"
        cli.ok("run", "--drain")
        assert len(sms.requests) == 1
        assert "delivered: Twilio: delivered" in cli.ok("feedback", "explain", "1").out
        report = cli.ok("report", "build", "--date", found["settled_at"][:10], "--format", "json").json
        assert report["deliveries"]["sent"] == 1
        cli.ok("db", "check")


def test_a_held_message_that_did_not_arrive_is_dead(cli: Cli, folder: Path) -> None:
    """It goes by no other channel: of several copies the receipt tells of one."""
    with servers(folder, answers=[Act.DROP]) as (mail, sms):
        _with_callback(folder)
        rate(cli, "ada", preferred="sms,email")
        cli.ok("run", "--drain")
        failed = _callback(folder, 1, sms, MessageStatus="undelivered", ErrorCode="30003")
        assert _ingest(cli, failed).out == "1 failed\n"
        found = message_of(cli)
        assert (found["state"], found["error"]) == ("dead", "Twilio: undelivered, error 30003")
        assert [one["outcome"] for one in found["delivery_attempts"]] == ["unknown", "bounced"]
        cli.ok("run", "--drain")
        assert mail.mails == []


def test_a_gateway_that_names_no_copy_is_believed_each_time(cli: Cli, folder: Path) -> None:
    """What Kannel reports of the second copy is not taken for its report of the first."""
    with RecordingHttpServer([HttpAnswer(body=b"0: Accepted for delivery", status=202)] * 2) as kannel:
        (folder / "config.toml").write_text(
            f'[plugins.sms_notifier]\ngateway = "kannel"\nurl = "{kannel.url}"\nsender = "Shop"\n'
            f'username = "shop"\npassword = "x"\ndlr_url = "{CALLBACK}"\ndlr_secret = "0123456789abcdef"\n'
        )
        rate(cli, "ada", preferred="sms")
        file = folder / "requests.jsonl"
        for _ in range(2):
            cli.ok("run", "--drain")
            url = f"{CALLBACK}?message={message_of(cli)['message_id']}&secret=0123456789abcdef&status=2"
            file.write_text(json.dumps({"url": url, "method": "GET"}))
            assert _ingest(cli, file).out == "1 failed\n"
            assert message_of(cli)["error"] == "Kannel: not delivered"
            cli.ok("messages", "retry", "1")
        assert len(kannel.requests) == 2


def test_a_receipt_may_come_before_the_gateways_answer(cli: Cli, folder: Path) -> None:
    """It is noted while the message is being sent, and its word holds when the send ends."""
    with servers(folder) as (_, sms):
        _with_callback(folder)
        rate(cli, "ada", preferred="sms")
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
        found = message_of(cli)
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
    with servers(folder) as (_, _sms):
        file = folder / "requests.jsonl"
        file.write_text(line + "\n")
        refused = _ingest(cli, file)
        assert refused.code == 65
        assert complaint in refused.err


def test_receipts_of_a_channel_that_nobody_serves_are_refused(cli: Cli, folder: Path) -> None:
    """One line, with what there is."""
    with servers(folder):
        file = folder / "requests.jsonl"
        file.write_text("{}\n")
        refused = cli("messages", "receipts", "ingest", "--channel", "fax", str(file))
        assert refused.code == 2
        assert "no plugin serves the channel 'fax'; there are: email, sms" in refused.err
