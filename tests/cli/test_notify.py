"""`notify test`: the real path, followed to its end."""

from __future__ import annotations

import asyncio
import email
import json
from collections.abc import Iterator
from email import policy
from functools import partial
from pathlib import Path

import pytest

from feedback_app.pipeline.composer import Form
from feedback_app.store import daemons
from feedback_app.store.sqlite import store
from feedback_app.store.sqlite.lock import LedgerLock
from feedback_app.testing.smtp_server import RecordingSmtpServer
from feedback_app.trying import marked
from tests.cli.conftest import Cli, Ledger
from tests.making import message
from tests.running import RECORDER, business, daemon, running, sent

FAILING = """
from feedback_app import *
from feedback_app import ChannelDown, Notifier, OutcomeUnknown, PermanentFailure, TemporaryFailure, hookimpl


class Failing(Notifier):
    channel = "chat"

    async def send(self, message):
        raise {error}


@hookimpl
def make_notifier(settings):
    return Failing()
"""


@pytest.fixture
def server() -> Iterator[RecordingSmtpServer]:
    """Run a mail server that takes everything."""
    with RecordingSmtpServer() as one:
        yield one


def by_smtp(folder: Path, server: RecordingSmtpServer, more: str = "") -> None:
    """Let the channel email speak to the server."""
    (folder / "config.toml").write_text(
        f"""
[business]
name = "The Shop"
[plugins.email_notifier]
transport = "smtp"
host = "127.0.0.1"
port = {server.port}
sender = "shop@example.com"
{more}"""
    )


def test_without_a_daemon_the_command_delivers_it_itself(
    cli: Cli, folder: Path, server: RecordingSmtpServer
) -> None:
    """The mail says in each of its parts that it is a test; the outcome is on stdout, the talk on stderr."""
    by_smtp(folder, server)
    said = cli.ok("notify", "test", "email", "Ada@Example.com", "--rating", "4")
    (mail,) = server.mails
    parsed = email.message_from_bytes(mail.data, policy=policy.default)
    body, html = (parsed.get_body((kind,)) for kind in ("plain", "html"))
    assert mail.recipients == ("Ada@example.com",)
    assert parsed["Subject"] == "Test: Thank you for your 4-star rating of Blue umbrella"
    assert body is not None
    assert html is not None
    assert body.get_content().startswith("Test: Hello Ada Lovelace,")
    assert "<p>Test: nobody rated anything.</p>" in html.get_content()
    tried, end = said.out.splitlines()
    assert tried.endswith("Z  email_notifier: sent  250 2.0.0 queued as 1")
    assert end == "sent"
    assert said.said == [
        "no daemon runs, so it is delivered here",
        "message 1 to Ada@example.com by email is in the outbox",
    ]


def test_it_delivers_nothing_else(
    cli: Cli, folder: Path, ledger: Ledger, server: RecordingSmtpServer
) -> None:
    """What waits for the daemon goes on waiting."""
    by_smtp(folder, server)
    ledger.enqueue(message(1), message(2, channel="sms", recipient="+4915112345678"))
    cli.ok("notify", "test", "email", "ada@example.com")
    assert len(server.mails) == 1
    assert ledger.rows("SELECT purpose, state FROM message ORDER BY id") == [
        ("thanks", "queued"),
        ("thanks", "queued"),
        ("test", "sent"),
    ]


def test_a_channel_that_cannot_be_opened_does_not_hinder_another_one(
    cli: Cli, folder: Path, server: RecordingSmtpServer
) -> None:
    """Only the one that is tried is opened."""
    (folder / "file").touch()
    by_smtp(folder, server, '[plugins.sms_notifier]\nfile = "file/sms.jsonl"\n')
    assert cli("notify", "test", "sms", "+4915112345678").code != 0
    cli.ok("notify", "test", "email", "ada@example.com")


async def test_a_running_daemon_delivers_it(cli: Cli, folder: Path) -> None:
    """And the command hears of it."""
    config = business(folder)
    async with running(daemon(config)):
        said = await asyncio.to_thread(cli, "notify", "test", "chat", "ada")
    assert (said.code, said.said[0]) == (0, "the running daemon delivers it")
    (message_id,) = sent(folder)
    assert message_id.startswith("test.")


async def test_on_a_shared_ledger_it_is_the_same(cli: Cli, folder: Path, postgres_url: str) -> None:
    """Without a daemon, and with one."""
    config = business(folder, config=f'[store]\nurl = "{postgres_url}"\n')
    alone = await asyncio.to_thread(cli, "notify", "test", "chat", "ada")
    assert (alone.code, alone.said[0]) == (0, "no daemon runs, so it is delivered here")
    async with running(daemon(config)):
        beside = await asyncio.to_thread(cli, "notify", "test", "chat", "ada")
    assert (beside.code, beside.said[0]) == (0, "the running daemon delivers it")
    assert len(sent(folder)) == 2


@pytest.mark.parametrize(
    ("error", "outcome", "state", "wanted"),
    [
        ("PermanentFailure('no room')", "permanent", "dead", "was given up: no room; mend that and try again"),
        ("TemporaryFailure('busy', 3600)", "temporary", "queued", "was not sent yet: busy; the next try is at 2"),
        ("OutcomeUnknown('cut off')", "unknown", "held", "may have left: cut off; look whether it arrived"),
        ("ChannelDown('wrong key')", "channel_down", "queued", "was not sent yet: wrong key; it is tried again"),
    ],
)  # fmt: skip
def test_what_was_not_sent_says_why_and_what_to_do(
    cli: Cli, ledger: Ledger, error: str, outcome: str, state: str, wanted: str
) -> None:
    """One line, exit code 1; the attempt is on stdout before it."""
    business(ledger.path.parent, plugin=FAILING.format(error=error))
    said = cli("notify", "test", "chat", "ada", "--wait", "2")
    assert said.code == 1
    assert f"Z  chat: {outcome}  " in said.out
    assert wanted in said.said[-1]
    assert said.said[-1].startswith("feedback-app: message 1 ")
    assert len(said.said) == 3
    assert ledger.rows("SELECT state FROM message") == [(state,)]


def test_while_another_command_has_the_ledger_nothing_is_queued(
    cli: Cli, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No daemon would deliver it."""
    business(ledger.path.parent)
    monkeypatch.setattr(store, "_PATIENCE", 0.1)
    lock = LedgerLock(ledger.path)
    assert lock.try_acquire("command")
    try:
        said = cli("notify", "test", "chat", "ada", "--wait", "1")
    finally:
        lock.release()
    assert (said.code, ledger.rows("SELECT count(*) FROM message")) == (75, [(0,)])
    assert said.err.endswith("another command has it in hand; try again when that is done\n")


def test_what_a_plugin_prints_is_not_among_the_data(cli: Cli, folder: Path) -> None:
    """Programs read one JSON document."""
    business(folder, plugin=RECORDER.replace("        with LOG", "        print('hello')\n        with LOG"))
    said = cli.ok("notify", "test", "chat", "ada", "--json")
    assert said.json["sent"]
    assert "hello" in said.err


def test_a_try_that_outlasts_the_waiting_is_told_as_it_ended(cli: Cli, folder: Path) -> None:
    """This process sends it, so it knows."""
    slow = RECORDER.replace("        with LOG", "        await asyncio.sleep(2)\n        with LOG")
    business(folder, plugin=slow)
    said = cli.ok("notify", "test", "chat", "ada", "--wait", "1")
    assert said.out.splitlines()[-1] == "sent"
    assert said.said[-1] == "1 s are over; waiting for the end of the try that is under way"


def test_what_a_dead_daemon_found_is_not_the_reason(cli: Cli, ledger: Ledger) -> None:
    """It may be over; what the try said counts."""
    business(ledger.path.parent, plugin=FAILING.format(error="TemporaryFailure('busy', 3600)"))
    ledger.write(partial(daemons.register, boot_id="dead", host="shop", pid=4711, now=1))
    down = {"chat": {"down_since": 1, "reason": "wrong key"}}
    ledger.write(partial(daemons.heartbeat, boot_id="dead", channels=down, sources={}, now=1))
    said = cli("notify", "test", "chat", "ada", "--wait", "2")
    assert "message 1 was not sent yet: busy; the next try is at 2" in said.said[-1]


def test_the_next_provider_is_asked_as_for_every_message(cli: Cli, folder: Path) -> None:
    """Both attempts are told."""
    business(
        folder,
        plugin=FAILING.format(error="PermanentFailure('not me')"),
        config='[channels.chat]\nproviders = ["chat", "spare"]\n',
    )
    (folder / "plugins" / "spare.py").write_text(RECORDER)
    out = cli.ok("notify", "test", "chat", "ada").out.splitlines()
    assert [line.split("  ", 1)[1].split("  ")[0] for line in out[:-1]] == [
        "chat: permanent",
        "spare: sent",
    ]


def test_a_limit_holds_and_says_until_when(cli: Cli, folder: Path) -> None:
    """The second of the day is not sent."""
    business(folder, config="[limits.chat]\nper_day = 1\n")
    cli.ok("notify", "test", "chat", "ada")
    said = cli("notify", "test", "chat", "ada", "--wait", "1")
    assert said.code == 1
    assert "was not sent yet, the channel was given all that [limits] allows until 2" in said.err
    assert len(sent(folder)) == 1


def test_a_suppressed_address_is_refused(cli: Cli, folder: Path, ledger: Ledger) -> None:
    """Before anything is queued, with the command that lifts it."""
    business(folder)
    cli.ok("suppressions", "add", "chat", "ada", "--reason", "asked us to stop")
    said = cli("notify", "test", "chat", "ADA")
    assert said.code == 1
    assert "nothing is sent to ADA by chat: asked us to stop; `suppressions remove chat ADA`" in said.err
    assert ledger.rows("SELECT count(*) FROM message") == [(0,)]


def test_programs_get_the_message_and_its_attempts(cli: Cli, folder: Path) -> None:
    """One object, also where it was not sent."""
    business(folder)
    said = cli.ok("notify", "test", "chat", "ada", "--json").json
    assert (said["sent"], said["state"], said["purpose"]) == (True, "sent", "test")
    assert [one["outcome"] for one in said["delivery_attempts"]] == ["sent"]
    (folder / "plugins" / "chat.py").write_text(FAILING.format(error="PermanentFailure('no')"))
    refused = cli("notify", "test", "chat", "ada", "--json")
    assert (refused.code, json.loads(refused.out)["sent"]) == (1, False)


@pytest.mark.parametrize(
    ("arguments", "subject"),
    [
        (("--template", "apology"), "Test: We are sorry about Blue umbrella"),
        (("--template", "report"), "Test: Ratings on 2026-01-31: 10 ratings, average 3.8, 4 low"),
        (("--locale", "de_AT"), "Test: Danke, Ada Lovelace"),
    ],
)
def test_any_of_the_messages_can_be_tried(
    cli: Cli, folder: Path, arguments: tuple[str, ...], subject: str
) -> None:
    """In the customer's language."""
    business(folder)
    (folder / "templates").mkdir()
    (folder / "templates" / "thanks.subject.de.txt").write_text("Danke, {{ name }}")
    said = cli.ok("notify", "test", "chat", "ada", "--json", *arguments).json
    assert said["subject"] == subject


@pytest.mark.parametrize(
    ("html", "wanted"),
    [
        ("", ""),
        ('<BODY class="x">Hi</BODY>', '<BODY class="x"><p>Test: nobody rated anything.</p>Hi</BODY>'),
        ("<b>Hi</b>", "<p>Test: nobody rated anything.</p><b>Hi</b>"),
    ],
)
def test_each_form_is_marked(html: str, wanted: str) -> None:
    """Wherever it begins."""
    assert marked(Form("S", "T", html)) == Form("Test: S", "Test: T", wanted)
