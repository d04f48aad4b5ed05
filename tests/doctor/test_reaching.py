"""What `doctor` asks of far sides, and of plugins whose own check fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from feedback_app.doctor import reaching
from tests.cli.conftest import Cli
from tests.doctor.bad_far_sides import mail_server, trusting
from tests.doctor.conftest import told_of
from tests.running import business
from tests.servers import RecordingHttpServer, RecordingSmtpServer

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


def test_a_mail_server_is_greeted_and_gets_no_mail(cli: Cli, folder: Path) -> None:
    """EHLO, STARTTLS, EHLO, AUTH, QUIT."""
    with mail_server({}) as server, trusting("good.pem"):
        (folder / "config.toml").write_text(
            f'[plugins.email_notifier]\ntransport = "smtp"\nhost = "127.0.0.1"\nport = {server.port}\n'
            'tls = "starttls"\nusername = "feedback"\npassword = "secret"\n'
        )
        result = cli("doctor", "--json")
    (said,) = told_of(result.json, "channel email")
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
        assert [one["state"] for one in told_of(offline, about)] == ["not checked"]
        assert [one["state"] for one in told_of(online, about)] == ["ok"]
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
    (said,) = told_of(result.json, "channel chat")
    assert said["found"].startswith(words)
    assert "canary" not in result.out
