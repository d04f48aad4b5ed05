"""No secret and no customer is in what the program prints, logs or is called by (S10, S11).

Whatever fails, with --debug: every secret and every text of a customer holds a canary, and so does what the far
sides answer. What happened must stand in the ledger, or the test would see nothing because nothing was said.
"""

from __future__ import annotations

import csv
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults.program import CANARY, Program
from tests.plugins.scripted_smtp import ScriptedSmtpServer
from tests.running import rows
from tests.servers import HttpAnswer, RecordingHttpGateway, twilio_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tests.cli.conftest import Cli
    from tests.plugins.scripted_smtp import Script

CHAT = """
import asyncio
import logging

from feedback_app import Analyser, Message, Notifier, PermanentFailure, Receipt, TemporaryFailure, hookimpl


class Chat(Notifier):
    channel = "chat"

    def address(self, customer):
        return customer.id

    async def send(self, message: Message) -> Receipt:
        self.lost = asyncio.create_task(self.fail(message))
        await asyncio.wait([self.lost])
        del self.lost
        match message.feedback_id % 3:
            case 0:
                raise RuntimeError(f"{message} {message.text}")
            case 1:
                raise PermanentFailure(f"{message.recipient} {message.text}")
            case _:
                raise TemporaryFailure(f"{message.recipient} {message.text}")

    async def fail(self, message):
        raise RuntimeError(message.text)


class Reader(Analyser):
    name = "reader"

    async def analyse(self, feedback):
        raise ValueError(feedback.comment)


@hookimpl
def make_notifier(settings):
    return Chat()


@hookimpl
def make_analyser(settings):
    return Reader()
"""

CONFIG = """
[reports.daily]
timezone = "UTC"
to = ["team@example.com"]
[plugins.email_notifier]
transport = "smtp"
host = "127.0.0.1"
port = {smtp}
tls = "none"
sender = "shop@example.com"
username = "account"
password = "canary-word"
connections = 1
[plugins.sms_notifier]
gateway = "twilio"
url = "{http}"
account_sid = "{sid}"
auth_token = "canary-token"
sender = "Shop"
[plugins.chat]
api_key = "canary-key"
hook = "https://me:canary@example.com/?token=canary"
"""

FAILS_ON_VALUES = (
    '{% if comment != "Sample comment" and rating == 3 %}{{ {}[comment] }}{% endif %}Thanks, {{ name }}'
)

REFUSALS = [
    "550 5.1.1 <canary.0@example.com>: no mailbox canary.0 here",
    "451 4.7.1 canary.1@example.com is greylisted, Canary.1",
    "552 canary.2@example.com over quota: canary.2",
    "421 bye canary.3@example.com",
]
QUOTING = HttpAnswer(status=500, body=b"<h1>cannot text +12020000001, canary words</h1>")
MOVED = HttpAnswer(status=302, headers={"Location": "http://127.0.0.1:9/canary?to=+12020000001"})


def _write_shop(folder: Path, *, smtp: int, http: str) -> None:
    for name in ("plugins", "templates"):
        (folder / name).mkdir(mode=0o755)
    (folder / "plugins" / "chat.py").write_text(CHAT)
    (folder / "templates" / "thanks.chat.txt").write_text(FAILS_ON_VALUES)
    (folder / "config.toml").write_text(
        CONFIG.format(smtp=smtp, http=http, sid=RecordingHttpGateway.account_sid)
    )
    (folder / "config.toml").chmod(0o600)
    with (folder / "ratings.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(
            ["id", "customer", "rating", "item", "comment", "name", "email", "phone", "preferred_channel"]
        )
        table.writerows(_customers())


def _customers() -> list[list[object]]:
    def row(number: int, channel: str, rating: object = 5, email: str = "", phone: str = "") -> list[object]:
        return [
            *(f"r{number}", f"canary-{number}", rating, f"canary item {number}", "canary words"),
            *(
                f"Canary {number}",
                email or f"canary.{number}@example.com",
                phone or f"+1202{number:07}",
                channel,
            ),
        ]

    good = [row(n, ("email", "sms", "chat")[n % 3], rating=3 if n == 11 else 5) for n in range(18)]
    low = row(18, "email", rating=1)
    bad = [
        row(19, "email", rating=9),
        row(20, "email", email="canary@@example.com"),
        row(21, "email", phone="canary"),
        [*row(22, "email"), "canary"],
    ]
    return [*good, low, *bad]


@asynccontextmanager
async def _shop(folder: Path, script: Script, answers: Sequence[HttpAnswer] = ()) -> AsyncIterator[None]:
    async with ScriptedSmtpServer(script) as server:
        with RecordingHttpGateway(answers) as gateway:
            _write_shop(folder, smtp=server.port, http=gateway.url)
            yield


async def _run(folder: Path, *arguments: str, fails: bool = False) -> str:
    """Run a command to its end; returns what it printed, in which there is no canary."""
    program = await Program.start(folder, *arguments)
    code = await program.ended()
    assert (code != 0) == fails, program.said
    assert program.leaks == []
    return program.said


async def test_whatever_fails_nobody_is_named(tmp_path: Path) -> None:
    """Servers that quote addresses, gateways that quote numbers, plugins and templates that raise with words."""
    script: Script = {"RCPT": [*REFUSALS], "DOT": ["554 5.7.1 spam from canary to canary.4@example.com"]}
    async with _shop(tmp_path, script, [twilio_error(400, 21211), QUOTING, MOVED, twilio_error(429, 20429)]):
        imported = await _run(tmp_path, "feedback", "import", str(tmp_path / "ratings.csv"), fails=True)
        drained = await _run(tmp_path, "run", "--drain")
        for command in ("status --json", "config show"):
            await _run(tmp_path, *command.split())

    assert "rating must be a whole number from 1 to 5" in imported
    assert "email must be one plain address" in imported
    for event in ("message not sent", "analysis left out", "rating not processed", "never retrieved"):
        assert event in drained
    errors = "\n".join(
        str(error)
        for (error,) in rows(
            tmp_path / "feedback.db", "SELECT error FROM delivery_attempt UNION SELECT error FROM feedback"
        )
    )
    answers = (
        "550 5.1.1",
        "451 4.7.1",
        "21211",
        "500",
        "302",
        "RuntimeError",
        "Thanks, Canary 2",
        "(a value)",
    )
    for answer in answers:
        assert answer in errors


@pytest.mark.parametrize(
    "script",
    [
        {"AUTH": "535 5.7.8 wrong password canary-word for canary-user@example.com"},
        {"MAIL": "550 5.7.1 shop may not write to canary.0@example.com"},
    ],
)
async def test_a_channel_that_is_down_says_so_without_the_account(script: Script, tmp_path: Path) -> None:
    """The reason stands in the log and in the summary; the command line of the process holds no secret."""
    async with _shop(tmp_path, script):
        await _run(tmp_path, "feedback", "import", str(tmp_path / "ratings.csv"), fails=True)
        program = await Program.start(tmp_path, "run", "--drain")
        await program.until('"ready"')
        called = (Path("/proc") / str(program.pid) / "cmdline").read_text()
        assert await program.ended() == 0

    assert program.leaks == []
    assert "--drain" in called
    assert not CANARY.search(called)
    assert '"channel down"' in program.said
    assert "channel email is down" in program.said


WRONG = {
    "not TOML": "password = 'canary\n",
    "wrong types": "[plugins.email_notifier]\npassword = 5\nusername = ['canary']\nport = 'x'\n",
    "no such keys": "[plugins.sms_notifier]\nauth_tokn = 'canary'\n[store]\nurl = 'x://me:canary@h/?key=canary'\n",
    "twice": "[plugins.email_notifier]\npassword = 'canary'\npassword_file = 'canary-file'\nhost = 'a b'\n",
    "recipients": "[reports.daily]\nto = ['canary@@example.com']\n",
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG.keys())
def test_a_traceback_shows_no_secret(text: str, cli: Cli, folder: Path) -> None:
    """Neither does the line below it."""
    (folder / "config.toml").write_text(text)
    (folder / "config.toml").chmod(0o600)

    refused = cli("--debug", "config", "check")

    assert refused.code == 78
    assert "Traceback" in refused.err
    assert not CANARY.search(refused.out + refused.err)


def test_contact_data_that_is_refused_is_not_repeated(cli: Cli) -> None:
    """Every field is named, none is quoted, also in the traceback."""
    given = {
        "email": "canary@@x",
        "phone": "canary",
        "name": "canary\n",
        "locale": "canary-canary-",
        "timezone": "canary",
        "preferred-channel": "canary!",
        "comment": "canary\0",
    }
    options = [part for name, value in given.items() for part in (f"--{name}", value)]

    refused = cli("--debug", "feedback", "add", "--rating", "5", "--customer", "canary", *options)

    assert refused.code == 65
    assert "Traceback" in refused.err
    assert all(name.replace("-", "_") in refused.err for name in given)
    assert not CANARY.search(refused.err)
