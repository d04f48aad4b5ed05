"""`plugins test` and `plugins list`, and the way of a new channel from nothing to a customer who is thanked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from feedback_app.store import daemons
from feedback_app.store.sqlite.lock import LedgerLock
from feedback_app.testing import RecordingHttpServer
from tests.cli.conftest import Cli, Ledger
from tests.making import NOW


@pytest.fixture
def service() -> object:
    """Run a service that takes messages."""
    with RecordingHttpServer() as server:
        yield server


def edit(file: Path, **lines: tuple[str, str]) -> None:
    """Change lines of a file, each by what stands there and what is to stand there."""
    text = file.read_text("utf-8")
    for before, after in lines.values():
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    file.write_text(text, "utf-8")


def three_edits(file: Path, url: str) -> None:
    """Do what the template asks for."""
    edit(
        file,
        one=('"https://chat.example.com/messages"', f'"{url}"'),
        two=(
            'body = {"to": message.recipient, "text": message.text}',
            'body = {"room": message.recipient, "markdown": message.text}',
        ),
        three=('_text(answer, "id")', '_text(answer, "id")'),
    )


def test_a_new_channel_from_nothing_to_a_customer_who_is_thanked(
    folder: Path, cli: Cli, service: RecordingHttpServer
) -> None:
    """`plugins new chat`, three edits, `plugins test chat`, restart."""
    assert cli.ok("plugins", "new", "chat").out == f"wrote {folder}/plugins/chat.py\n"
    three_edits(folder / "plugins" / "chat.py", f"{service.url}/rooms")
    tested = cli("plugins", "test", "chat")
    assert tested.code == 0, tested.out
    assert "ok          a message ends in a Receipt\n" in tested.out
    assert tested.said[-1] == "chat: 13 ok, 0 failed, 6 not tested"
    assert all(b"test@example.com" in request.body for request in service.requests)
    before = len(service.requests)
    cli.ok("customers", "add", "--id", "ada", "--name", "Ada", "--preferred-channel", "chat")
    cli.ok("feedback", "add", "--customer", "ada", "--rating", "5")
    cli.ok("run", "--drain")
    (request,) = service.requests[before:]
    assert json.loads(request.body)["room"] == "ada"
    (message,) = cli.ok("messages", "list", "--json").json
    assert (message["channel"], message["state"]) == ("chat", "sent")


def test_what_would_leave_this_machine_is_not_tested(folder: Path, cli: Cli) -> None:
    """The template's own service is nowhere."""
    cli.ok("plugins", "new", "chat")
    findings = cli.ok("plugins", "test", "chat", "--json").json
    assert {finding["state"] for finding in findings} == {"ok", "not tested"}
    (send,) = [one for one in findings if one["check"] == "a message ends in a Receipt"]
    assert send["happened"].startswith("it wants to look up chat.example.com; ")
    (folder / "config.toml").write_text('[plugins.chat]\nurl = "https://api.example.com"\n')
    findings = cli.ok("plugins", "test", "chat", "--json").json
    (send,) = [one for one in findings if one["check"] == "a message ends in a Receipt"]
    assert send["happened"].startswith("it wants to talk to api.example.com; ")


def test_an_address_in_the_code_is_found_when_it_is_used(folder: Path, cli: Cli) -> None:
    """The settings do not tell, so the first connection does; nothing is sent."""
    cli.ok("plugins", "new", "chat")
    file = folder / "plugins" / "chat.py"
    edit(
        file,
        setting=('"https://chat.example.com/messages"', '""'),
        use=("self._settings.url, json", '"http://192.0.2.1/messages", json'),
    )
    result = cli("plugins", "test", "chat")
    assert result.code == 0, result.out
    assert "not tested  a message ends in a Receipt: it wants to reach 192.0.2.1, port 80; " in result.out


def test_a_plugin_that_breaks_a_promise_fails_by_file_and_line(
    folder: Path, cli: Cli, service: RecordingHttpServer
) -> None:
    """Exit code 1; what was wanted, what happened, where, and which promise it is."""
    cli.ok("plugins", "new", "chat")
    file = folder / "plugins" / "chat.py"
    three_edits(file, service.url)
    edit(file, bug=('"markdown": message.text}', '"markdown": message.customer_name.title()}'))
    result = cli("plugins", "test", "chat")
    assert result.code == 1
    line = next(number for number, text in enumerate(file.read_text().splitlines(), 1) if ".title()" in text)
    assert (
        "fails       unusual messages are taken, or refused for good: wanted a Receipt for a message with empty "
        "optional fields, or PermanentFailure; it raised AttributeError: 'NoneType' object has no attribute 'title' "
        f"(plugins/chat.py:{line}) [Notifier.send: " in result.out
    )


STUBBORN = """
import asyncio
import threading
import time

from feedback_app import Notifier, Receipt, hookimpl


class Stubborn(Notifier):
    channel = "chat"

    async def open(self):
        {at_open}

    async def send(self, message):
        print("sending")
        {at_send}
        return Receipt()


async def deaf():
    while True:
        try:
            await asyncio.sleep(1000)
        except BaseException:
            pass


@hookimpl
def make_notifier(settings):
    return Stubborn()
"""


@pytest.mark.parametrize(
    ("at_open", "at_send", "words"),
    [
        ("pass", "await deaf()", "did not end within 1 s of being cancelled, at "),
        (
            "threading.Thread(target=time.sleep, args=(1000,), name='pump').start()",
            "pass",
            "no thread to be left; 1 left, such as 'pump'",
        ),
        ("self.task = asyncio.create_task(deaf())", "pass", "no task to be left; "),
        ("raise SystemExit(3)", "pass", "wanted open to get ready; it raised SystemExit: 3"),
    ],
)
def test_the_test_ends_whatever_the_plugin_does(folder: Path, at_open: str, at_send: str, words: str) -> None:
    """In a process of its own: it says what is wrong, and nothing that the plugin leaves behind holds it."""
    (folder / "plugins").mkdir(mode=0o755)
    (folder / "plugins" / "chat.py").write_text(STUBBORN.format(at_open=at_open, at_send=at_send))
    ran = subprocess.run(
        [sys.executable, "-m", "feedback_app", "plugins", "test", "chat", "--json"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 1, ran.stderr
    findings = json.loads(ran.stdout)  # what it prints does not get in between
    assert any(words in f"wanted {one['expected']}; {one['happened']}" for one in findings), findings


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import nothing_of_that_name\n", "plugins/chat.py:1: needs 'nothing_of_that_name'"),
        ("feedback_app_api = 9\n", "plugins/chat.py:1: wants version 9 of the plugin API"),
        (
            "from feedback_app import hookimpl\n@hookimpl\ndef make_notifier(settings):\n    raise ValueError('no')\n",
            "[plugins.chat]: no",
        ),
        (
            "from feedback_app import hookimpl\n@hookimpl\ndef make_notifier(settings):\n    return None\n",
            "it is idle: give it its table [plugins.chat]",
        ),
    ],
)
def test_one_that_cannot_be_used_fails(folder: Path, cli: Cli, text: str, words: str) -> None:
    """In one line, with the words of `plugins list`."""
    (folder / "plugins").mkdir(mode=0o755)
    (folder / "plugins" / "chat.py").write_text(text)
    result = cli("plugins", "test", "chat")
    assert (result.code, len(result.out.splitlines())) == (1, 1)
    assert words in result.out


def test_a_plugin_that_is_not_there_is_named(folder: Path, cli: Cli) -> None:
    """With the one that was meant."""
    result = cli("plugins", "test", "email-notifier")
    assert (result.code, result.said) == (
        1,
        ["feedback-app: there is no plugin 'email-notifier'; did you mean 'email_notifier'?"],
    )


def _trouble(reason: str) -> dict[str, object]:
    return {"down_since": NOW, "reason": reason, "suspended": reason.startswith("suspended")}


def test_a_plugin_that_a_running_daemon_has_suspended_is_shown_so(
    folder: Path, cli: Cli, ledger: Ledger
) -> None:
    """With the daemon's reason; one whose channel is down for another reason is active."""
    reason = "suspended: 5 failures in a row of plugin email_notifier: KeyError at x.py:1"
    channels = {
        # One of the channel's providers; another one serves it meanwhile.
        "email": {"down_since": None, "reason": None, "providers": {"email_notifier": _trouble(reason)}},
        "sms": {
            "down_since": NOW,
            "reason": "login refused",
            "providers": {"sms_notifier": _trouble("login refused")},
        },
        "chat": {"down_since": NOW, "reason": "away"},  # as a daemon of an older version tells it
        "fax": {
            "down_since": None,
            "reason": None,
            "providers": {"fax": {"down_since": NOW, "reason": "away"}},
        },
    }
    ledger.write(lambda c: daemons.register(c, boot_id="b1", host="h", pid=os.getpid(), now=NOW))
    ledger.write(lambda c: daemons.heartbeat(c, boot_id="b1", channels=channels, sources={}, now=NOW))

    lock = LedgerLock(folder / "feedback.db")
    assert lock.try_acquire("daemon")  # as a daemon that runs
    try:
        listed = {plugin["name"]: plugin for plugin in cli.ok("plugins", "list", "--json").json}
    finally:
        lock.release()
    assert (listed["email_notifier"]["state"], listed["sms_notifier"]["state"]) == ("suspended", "active")
    assert listed["email_notifier"]["error"] == f"channel email: {reason}"
    gone = {plugin["name"]: plugin["state"] for plugin in cli.ok("plugins", "list", "--json").json}
    assert gone["email_notifier"] == "active"  # it does not run any more


def test_listing_makes_no_ledger(folder: Path, cli: Cli) -> None:
    """There is nothing to ask."""
    cli.ok("plugins", "list")
    assert list(folder.iterdir()) == []
