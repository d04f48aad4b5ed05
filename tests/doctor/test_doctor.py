"""What `doctor` leaves alone, and what it does when something else fails."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from feedback_app.clock import now_ms
from feedback_app.doctor import machine, reaching
from feedback_app.doctor.findings import taken_apart
from feedback_app.store import daemons
from feedback_app.store.sqlite.lock import LedgerLock
from tests.cli.conftest import Cli, Ledger
from tests.doctor.planting import mail_server, trusting
from tests.making import incoming
from tests.running import business, daemon, running
from tests.servers import RecordingHttpServer, RecordingSmtpServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from feedback_app.doctor import Finding, Patient
    from tests.postgres import Server

PLUGIN = """
import asyncio
from feedback_app import Notifier, Receipt, hookimpl

class Chat(Notifier):
    channel = "chat"

    async def send(self, message):
        return Receipt()

    async def check(self):
        {body}

@hookimpl
def make_notifier(settings):
    return Chat()
"""


def _found(findings: list[dict[str, Any]], about: str) -> list[dict[str, Any]]:
    return [one for one in findings if one["about"] == about]


def _files(folder: Path) -> dict[str, bytes]:
    return {str(one): one.read_bytes() for one in sorted(folder.rglob("*")) if one.is_file()}


def test_a_fresh_installation_has_no_problem_and_stays_as_it_is(cli: Cli, folder: Path) -> None:
    """Nothing is made: no ledger, no mailbox, no file of text messages."""
    cli.ok("init")
    before = _files(folder)
    result = cli("doctor", "--json")
    assert result.code == 0
    assert {one["state"] for one in result.json} <= {"ok", "warning"}
    assert _files(folder) == before


def test_a_used_ledger_stays_as_it_is(cli: Cli, folder: Path, ledger: Ledger) -> None:
    """Byte for byte."""
    cli.ok("init")
    ledger.take_in(incoming())
    before = (folder / "feedback.db").read_bytes()
    assert cli("doctor", "--full", "--json").code == 1  # its entries are from 2027
    assert (folder / "feedback.db").read_bytes() == before


def test_people_see_problems_first(cli: Cli, folder: Path) -> None:
    """Each in a line with the mend below, the columns aligned; the sum is no data."""
    cli.ok("init")
    (folder / "plugins" / "chat.py").write_text("import nothing_of_that_name\n")
    result = cli("doctor")
    first, mend, *_, last = result.out.splitlines()
    assert first.startswith("problem      plugin chat  ")
    assert mend.index("→") == first.index("broken: ")
    assert last.startswith("ok           ")
    assert result.said[-1].startswith("1 problem, ")


@pytest.mark.parametrize("text", ["[delivery\n", "[plugins]\ndisabled = 7\n"])
def test_what_does_not_need_the_settings_is_looked_at_without_them(text: str, cli: Cli, folder: Path) -> None:
    """And what does is said to be left out."""
    (folder / "config.toml").write_text(text)
    result = cli("doctor", "--json")
    assert result.code == 1
    assert {one["about"] for one in result.json if one["state"] == "not checked"} == {
        "plugins",
        "ledger",
        "reports",
        "channels",
    }
    assert _found(result.json, "versions")[0]["state"] == "ok"


def test_a_plugin_that_anybody_could_change_is_mended_by_its_mode(cli: Cli, folder: Path) -> None:
    """As the refusal says."""
    cli.ok("init")
    (folder / "plugins" / "chat.py").touch()
    (folder / "plugins").chmod(0o777)
    (said,) = _found(cli("doctor", "--json").json, "plugin chat")
    assert said["found"].endswith("is world-writable, so that anybody on this machine could run code here")
    assert said["mend"] == f"chmod o-w {folder / 'plugins'}"


def test_what_is_odd_about_a_template_is_mended_in_its_file(cli: Cli, folder: Path) -> None:
    """What the line says besides is no mend; where the folder is missing, the setting is wrong."""
    (folder / "config.toml").touch(0o600)
    (folder / "templates").mkdir()
    (folder / "templates" / "thanks.subject.txt").write_text("Thank\nyou")
    (folder / "templates" / "thanks.de.txt").symlink_to("nothing")
    told = {one["found"]: one["mend"] for one in _found(cli("doctor", "--json").json, "templates")}
    file = folder / "templates" / "thanks.de.txt"
    assert told["template thanks.de.txt: is not a file"].startswith(f"edit {file};")
    (odd,) = (mend for found, mend in told.items() if "a line break comes out of it; a subject is" in found)
    assert odd == f"mend or remove {folder / 'templates' / 'thanks.subject.txt'}"
    (folder / "config.toml").write_text('[templates]\ndirectory = "elsewhere"\n')
    (said,) = _found(cli("doctor", "--json").json, "templates")
    assert said["mend"].startswith(f"edit {folder / 'config.toml'};")


def test_a_check_with_a_bug_hides_nothing_else(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named; its words, which may quote anything, are not."""

    def odd_thing(_patient: Patient) -> Iterator[Finding]:
        raise ZeroDivisionError("canary")

    monkeypatch.setattr(machine, "CHECKS", (odd_thing, *machine.CHECKS))
    result = cli("doctor", "--json")
    (said,) = _found(result.json, "odd thing")
    assert (said["state"], said["found"].partition(" at ")[0]) == (
        "not checked",
        "a bug in the program: ZeroDivisionError",
    )
    assert "canary" not in result.out
    assert _found(result.json, "versions")


def test_what_is_written_while_it_looks_is_not_in_the_future(
    cli: Cli, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look through a large ledger takes minutes; the daemon beside it goes on."""
    ledger.take_in(incoming(), now=now_ms())
    earlier = [now_ms() - 300_000]
    monkeypatch.setattr("feedback_app.cli.doctor.now_ms", lambda: earlier.pop() if earlier else now_ms())
    assert [one["state"] for one in _found(cli("doctor", "--json").json, "clock")] == ["ok"]


def test_a_daemon_that_died_without_a_word_is_not_the_one_that_runs(cli: Cli, ledger: Ledger) -> None:
    """What it found down and when its heart stopped says nothing of its successor."""
    begin = partial(daemons.register, host="shop")
    ledger.write(partial(begin, boot_id="dead", pid=4711, now=now_ms() - 3_600_000))
    down = {"chat": {"down_since": 1, "reason": "refused"}}
    beat = partial(daemons.heartbeat, boot_id="dead", channels=down, sources={})
    ledger.write(partial(beat, now=now_ms() - 1_800_000))
    lock = LedgerLock(ledger.path)
    assert lock.try_acquire("daemon")
    try:
        ledger.write(partial(begin, boot_id="new", pid=os.getpid(), now=now_ms()))
        found = cli("doctor", "--offline", "--json").json
        assert [one["pid"] for one in cli.ok("status", "--json").json["daemons"]] == [os.getpid()]
    finally:
        lock.release()
    assert [one["state"] for one in _found(found, "daemon")] == ["ok"]
    assert _found(found, "channel chat") == []


# --- far sides


def test_a_mail_server_is_greeted_and_gets_no_mail(cli: Cli, folder: Path) -> None:
    """EHLO, STARTTLS, EHLO, AUTH, QUIT."""
    with mail_server({}) as server, trusting("good.pem"):
        (folder / "config.toml").write_text(
            f'[plugins.email_notifier]\ntransport = "smtp"\nhost = "127.0.0.1"\nport = {server.port}\n'
            'tls = "starttls"\nusername = "feedback"\npassword = "secret"\n'
        )
        result = cli("doctor", "--json")
    (said,) = _found(result.json, "channel email")
    assert said["state"] == "ok"
    assert said["found"] == (
        f"email_notifier: 127.0.0.1:{server.port} answers, TLSv1.3, certificate valid until "
        f"{said['found'][-26:-16]}, login accepted"
    )
    assert [step for step in server.seen if step != "HANDSHAKE"] == [
        "CONNECT",
        "EHLO",
        "STARTTLS",
        "EHLO",
        "AUTH",
        "QUIT",
    ]
    assert server.mails == []


def test_offline_reaches_nobody(cli: Cli, folder: Path) -> None:
    """Far sides are not checked, and that is said."""
    with RecordingSmtpServer() as server, RecordingHttpServer() as receiver:
        (folder / "config.toml").write_text(
            f'[plugins.email_notifier]\ntransport = "smtp"\nhost = "{server.host}"\nport = {server.port}\n'
            f'[plugins.webhook_notifier]\nurl = "{receiver.url}"\n'
            'secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"\n'
        )
        offline = cli("doctor", "--json", "--offline").json
        assert server.conversations == 0
        online = cli("doctor", "--json").json
        assert server.conversations == 1
    for about in ("channel email", "channel webhook"):
        assert [one["state"] for one in _found(offline, about)] == ["not checked"]
        assert [one["state"] for one in _found(online, about)] == ["ok"]
    assert receiver.requests == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("await asyncio.Event().wait()", "chat: no answer within 0.2 s"),
        ("print(1); raise SystemExit(3)", "chat: a bug in the plugin: SystemExit at "),
        ("raise ValueError('canary')", "chat: a bug in the plugin: ValueError at "),
    ],
)
def test_a_plugin_whose_check_fails_hurts_nobody_else(
    body: str, words: str, cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named."""
    monkeypatch.setattr(reaching, "_LIMIT", 0.2)
    business(folder, plugin=PLUGIN.format(body=body))
    result = cli("doctor", "--json")
    assert result.code == 1
    (said,) = _found(result.json, "channel chat")
    assert said["found"].startswith(words)
    assert "canary" not in result.out


# --- beside others


async def test_beside_a_daemon_it_tells_of_it_and_disturbs_nothing(folder: Path) -> None:
    """As a process of its own, while the daemon holds the ledger."""
    config = business(folder)
    async with running(daemon(config)):
        program = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "feedback_app", "--config", str(config), "doctor", "--json"),
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await asyncio.wait_for(program.communicate(), 60)
    findings = json.loads(out)
    assert program.returncode == 0
    (said,) = _found(findings, "daemon")
    assert said["state"] == "ok"
    assert "runs, last heartbeat " in said["found"]
    assert [one["state"] for one in _found(findings, "clock")] == ["ok"]


async def test_the_daemons_own_limit_counts(folder: Path) -> None:
    """Not the one of whoever asks."""
    (folder / "config.toml").write_text("[delivery]\nworkers = 1000\n")
    program = (sys.executable, "-m", "feedback_app")
    pipe = asyncio.subprocess.PIPE
    runs = await asyncio.create_subprocess_exec(*program, "run", stderr=pipe)
    try:
        assert runs.stderr is not None
        async with asyncio.timeout(60):
            while b'"ready"' not in await runs.stderr.readline():
                pass
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.prlimit(runs.pid, resource.RLIMIT_NOFILE, (300, hard))
        asks = await asyncio.create_subprocess_exec(*program, "doctor", "--json", stdout=pipe)
        out, _ = await asyncio.wait_for(asks.communicate(), 60)
    finally:
        runs.terminate()
        await runs.communicate()
    (said,) = _found(json.loads(out), "open files")
    assert said["state"] == "warning"
    assert said["found"].startswith("the daemon's limit is 300; ")


def _on(url: str, folder: Path) -> None:
    (folder / "config.toml").write_text(f'[store]\nurl = "{url}"\n')


def test_on_postgresql(cli: Cli, folder: Path, postgres_url: str) -> None:
    """It asks the server for what it can tell."""
    _on(postgres_url, folder)
    result = cli("doctor", "--json")
    assert result.code == 0, result.out
    assert [one["state"] for one in _found(result.json, "ledger")] == ["ok"]
    assert [one["state"] for one in _found(result.json, "clock")] == ["ok"]
    assert _found(result.json, "daemon")[0]["found"] == "none runs, and none ever did"
    assert _found(result.json, "SQLite") == []


def test_on_postgresql_before_the_ledger_is_made(cli: Cli, folder: Path, postgres_server: Server) -> None:
    """The command that makes it is the mend."""
    url = postgres_server.new_database()
    try:
        _on(url, folder)
        result = cli("doctor", "--json")
    finally:
        postgres_server.drop(url)
    assert result.code == 1
    (said,) = _found(result.json, "ledger")
    assert said["mend"] == "run `feedback-app db upgrade`"


def test_on_postgresql_that_is_away(cli: Cli, folder: Path) -> None:
    """It is a problem, and everything else is looked at."""
    _on("postgresql+psycopg://nobody@127.0.0.1:1/feedback", folder)
    result = cli("doctor", "--json")
    assert result.code == 1
    assert [one["state"] for one in _found(result.json, "ledger")] == ["problem"]
    assert _found(result.json, "plugin email_notifier")


@pytest.mark.parametrize(
    ("line", "found", "mend"),
    [
        ("a: b; run: chmod 600 x", "a: b", "chmod 600 x"),
        ("a: b; c; do this", "a: b; c", "do this"),
        ("a: b; known: c, d", "a: b; known: c, d", "else"),
        ("a: unknown key; tables are [b]", "a: unknown key; tables are [b]", "else"),
        ("a: b", "a: b", "else"),
    ],
)
def test_what_to_do_is_taken_from_the_end_of_a_line(line: str, found: str, mend: str) -> None:
    """Where the line says it."""
    assert taken_apart(line, "else") == (found, mend)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_as_a_user_who_may_read_nothing(cli: Cli, folder: Path) -> None:
    """It says whose rights are missing."""
    file = folder / "config.toml"
    file.write_text("")
    file.chmod(0o600)
    os.seteuid(65534)
    try:
        result = cli("doctor", "--json")
    finally:
        os.seteuid(0)
    assert result.code == 1
    (said,) = _found(result.json, "settings")
    assert said["found"] == "config.toml: cannot be read: permission denied"
    assert said["mend"].startswith("give user 65534 the right to read it")
    assert _found(result.json, "user")[0]["state"] == "ok"
