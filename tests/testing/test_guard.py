"""`plugins test` leaves this machine only when it is told to."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from types import SimpleNamespace

import pytest
from pydantic import BaseModel, SecretStr

from feedback_app.testing import RecordingHttpServer
from feedback_app.testing.guard import Guard, RefusedHere, is_here
from feedback_app.testing.settings_of import hosts_elsewhere, secrets_of


def test_what_would_leave_is_refused_and_noted() -> None:
    """Before it happens: 192.0.2.1 is nobody's (RFC 5737)."""
    with Guard() as guard, socket.socket() as one:
        with pytest.raises(RefusedHere, match=r"to reach 192\.0\.2\.1, port 25"):
            one.connect(("192.0.2.1", 25))
        assert guard.objection() == (
            "it wants to reach 192.0.2.1, port 25; what leaves this machine is tested with --live only"
        )


@pytest.mark.parametrize("name", ["api.example.com", b"api.example.com"])
def test_a_look_up_is_refused_too(name: str | bytes) -> None:
    """It would tell a name server."""
    with Guard(), pytest.raises(RefusedHere, match="to look up"):
        socket.getaddrinfo(name, 443)


async def test_so_is_what_a_loop_connects() -> None:
    """By name or by address."""
    with Guard() as guard:
        with pytest.raises(RefusedHere):
            await asyncio.open_connection("192.0.2.1", 80)
        assert guard.objection()


def test_another_program_is_not_started() -> None:
    """It could do anything."""
    with Guard() as guard, pytest.raises(RefusedHere, match="to start another program"):
        subprocess.run(["true"], check=True)
    assert "another program" in guard.objection()


def test_this_machine_may_be_reached_and_so_may_all_when_it_is_over() -> None:
    """A hook cannot be taken back, but it asks the guards that are entered."""
    with RecordingHttpServer() as server, Guard() as guard:
        socket.create_connection(("localhost", server.port)).close()
        assert guard.objection() == ""
    assert subprocess.run(["true"], check=True).returncode == 0


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "::1", "[::1]", "127.8.9.1", "mail.localhost", "", None]
)
def test_this_machine_has_many_names(host: str | None) -> None:
    """None and "" stand for it, too."""
    assert is_here(host)


@pytest.mark.parametrize(
    "host", ["example.com", "10.0.0.1", "localhost.example.com", "0.0.0.0", b"example.com"]
)
def test_others_are_others(host: str | bytes) -> None:
    """A private network, too."""
    assert not is_here(host)


class Table(BaseModel):
    """Settings of a plugin."""

    url: str = "https://user:canary-url@api.example.com/x"
    host: str = "mail.example.com"
    smtp_host: str = "localhost"
    token: SecretStr = SecretStr("canary-token")
    api_key: str = "canary-key"
    pin: SecretStr = SecretStr("123")
    nested: dict[str, str] = {"password": "canary-password", "name": "Ada"}


def test_the_hosts_in_the_settings_are_found() -> None:
    """Of URLs, and under keys that speak of a host."""
    table = {"url": "https://api.example.com/x", "smtp": [{"host": "mx.example.com"}, {"host": "localhost"}]}
    assert hosts_elsewhere(table) == ["api.example.com", "mx.example.com"]
    assert hosts_elsewhere({"url": "http://127.0.0.1:8080", "name": "example.com"}) == []


def test_the_secrets_in_the_settings_are_found() -> None:
    """By their type and their names; one of three letters would be found in any text."""
    assert secrets_of(SimpleNamespace(inner=Table())) == [
        "canary-url",
        "canary-token",
        "canary-key",
        "canary-password",
    ]
