"""`plugins new` and `plugins test`: from nothing to a customer who is thanked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from feedback_app.store import daemons
from feedback_app.store.sqlite.lock import LedgerLock
from feedback_app.testing import RecordingHttpServer
from tests.cli.conftest import Cli, Ledger
from tests.making import NOW

KINDS = ("notifier", "source", "analyser")


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
    assert tested.said == ["chat: 12 ok, 0 failed, 6 not tested"]
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
    assert send["happened"].startswith("it wants to talk to chat.example.com; ")


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


@pytest.mark.parametrize("name", ["Chat", "9chat", "../chat", "", "ch at", "x" * 64])
def test_a_bad_name_is_refused_in_a_line(folder: Path, cli: Cli, name: str) -> None:
    """And nothing is written."""
    result = cli("plugins", "new", name)
    assert (result.code, len(result.said)) == (2, 1)
    assert "cannot be a plugin's name" in result.err
    assert list(folder.iterdir()) == []


def test_what_is_there_is_not_overwritten(folder: Path, cli: Cli) -> None:
    """Neither a file nor a project."""
    cli.ok("plugins", "new", "chat")
    (folder / "plugins" / "chat.py").write_text("mine")
    result = cli("plugins", "new", "chat", "--with-test")
    assert result.code == 73
    assert f"{folder}/plugins/chat.py is there already and was not touched" in result.err
    assert (folder / "plugins" / "chat.py").read_text() == "mine"
    assert not (folder / "tests").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_the_test_of_a_new_file_passes(folder: Path, cli: Cli, kind: str) -> None:
    """Run by pytest as it stands there, names with a hyphen too."""
    cli.ok("plugins", "new", "my-own", "--kind", kind, "--with-test")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio", "tests"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    assert " passed" in ran.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_package_is_installed_and_passes_its_own_tests(folder: Path, cli: Cli, kind: str) -> None:
    """In a clean environment that sees this one's libraries, without an index."""
    wrote = cli.ok("plugins", "new", "chat", "--kind", kind, "--package", "projects").out
    prefix = {"notifier": "notify", "source": "source", "analyser": "analyse"}[kind]
    project = folder / "projects" / f"feedback-app-{prefix}-chat"
    assert f"wrote {Path('projects') / project.name / 'pyproject.toml'}" in wrote
    python = clean_environment(folder / "venv")
    run(python, "-m", "pip", "install", "--no-index", "--no-deps", "--no-build-isolation", str(project))
    listed = json.loads(run(python, "-m", "feedback_app", "plugins", "list", "--json", cwd=folder))
    (mine,) = [plugin for plugin in listed if plugin["name"] == "chat"]
    assert (mine["origin"], mine["version"]) == (project.name, "0.1.0")
    said = run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio", cwd=project)
    assert " passed" in said


def clean_environment(folder: Path) -> Path:
    """Make a virtual environment whose own site-packages are empty but for pip and a link to this one's."""
    run(Path(sys.executable), "-m", "venv", str(folder))
    python = folder / "bin" / "python"
    run(python, "-m", "pip", "uninstall", "--yes", "setuptools")  # Python 3.11 brings one that is too old
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    here = sysconfig.get_path("purelib")
    (Path(site) / "these.pth").write_text(f"import site; site.addsitedir({here!r})\n")
    return python


def run(python: Path, *arguments: str, cwd: Path | None = None) -> str:
    """Run a program that must succeed, with pip's ways to an index closed."""
    environ = {**os.environ, "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1"}
    ran = subprocess.run(
        [python, *arguments], cwd=cwd, env=environ, capture_output=True, text=True, timeout=300, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_a_plugin_that_a_running_daemon_has_suspended_is_shown_so(
    folder: Path, cli: Cli, ledger: Ledger
) -> None:
    """With the daemon's reason; one whose channel is down for another reason is active."""
    reason = "suspended: 5 failures in a row of plugin email_notifier: KeyError at x.py:1"
    channels = {
        "email": {"down_since": NOW, "reason": reason},
        "sms": {"down_since": NOW, "reason": "login refused"},
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
