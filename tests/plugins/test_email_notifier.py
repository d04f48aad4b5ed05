"""The channel `email`: its settings, and its mails to a server that behaves."""

from __future__ import annotations

import asyncio
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr, ValidationError

from feedback_app import (
    Customer,
)
from feedback_app.plugins import email_notifier
from feedback_app.plugins._smtp_conversation import Limits
from feedback_app.plugins.email_notifier import Settings
from tests.plugins.mail_helpers import failure_of, message, notifier, opened
from tests.plugins.scripted_smtp import ScriptedSmtpServer
from tests.servers import RecordingSmtpServer

if TYPE_CHECKING:
    from pathlib import Path


def test_the_first_run_needs_no_settings() -> None:
    """Without a table, mails go to a Maildir beside the configuration."""
    settings = Settings()
    assert (settings.transport, str(settings.maildir), settings.connections) == ("maildir", "mail", 4)


@pytest.mark.parametrize(
    ("given", "tls", "port"),
    [
        ({"host": "127.0.0.1"}, "none", 25),
        ({"host": "localhost"}, "none", 25),
        ({"host": "::1"}, "none", 25),
        ({"host": "mail.example.com"}, "starttls", 587),
        ({"host": "mail.example.com", "tls": "tls"}, "tls", 465),
        ({"host": "mail.example.com", "tls": "none"}, "none", 25),
        ({"host": "mail.example.com", "tls": "tls", "port": 2465}, "tls", 2465),
    ],
)
def test_tls_and_port_follow_from_each_other(given: dict[str, object], tls: str, port: int) -> None:
    """Beyond this machine the conversation is encrypted unless told otherwise; the port is the usual one."""
    settings = Settings.model_validate({"transport": "smtp", **given})
    assert (tls, port) == (settings.effective_tls, settings.effective_port)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"transport": "smtp"}, "needs host"),
        ({"transport": "pigeon"}, "'maildir' or 'smtp'"),
        ({"port": 0}, "greater than or equal to 1"),
        ({"port": 65536}, "less than or equal to 65535"),
        ({"connections": 0}, "greater than or equal to 1"),
        ({"tls": "opportunistic"}, "'none', 'starttls' or 'tls'"),
        ({"sender": "shop"}, "not one plain address"),
        ({"sender": "a@x.com, b@x.com"}, "not one plain address"),
        ({"sender": "a@x.com, B <b@x.com>"}, "not one plain address"),
        ({"sender": "Shop <a@x.com"}, "not one plain address"),
        ({"sender": "Shop\r\nBcc: b@x.com <a@x.com>"}, "not one plain address"),
        ({"host": "http://mail.example.com"}, "not a host name"),
        ({"host": "two words"}, "not a host name"),
        ({"host": "mail.example.com:587"}, "the port is a setting of its own"),
        ({"host": "a\r\nb"}, "not a host name"),
        ({"host": "x" * 64 + ".example"}, "not a host name"),
        ({"username": "me"}, "username is given without password"),
        ({"username": "", "password": "x"}, "at least 1 character"),
        ({"username": "me", "password": ""}, "at least 1 item"),
        ({"password": "canary"}, "without username"),
        ({"username": "me", "password": "canary", "password_file": "/x"}, "both given"),
        (
            {
                "transport": "smtp",
                "host": "mail.example.com",
                "tls": "none",
                "username": "me",
                "password": "canary",
            },
            "would show the password",
        ),
        ({"pasword": "canary"}, "Extra inputs are not permitted"),
    ],
)
def test_settings_that_cannot_work_are_refused(given: dict[str, object], complaint: str) -> None:
    """Each with what is wrong, and never with the password."""
    with pytest.raises(ValidationError) as refusal:
        Settings.model_validate(given)
    assert complaint in str(refusal.value)
    assert "canary" not in str(refusal.value)


def test_all_that_does_not_fit_together_is_told_at_once() -> None:
    """Two mistakes, one error with both."""
    with pytest.raises(ValidationError, match=r"needs host.*without username"):
        Settings.model_validate({"transport": "smtp", "password": "x"})


def test_secrets_do_not_show() -> None:
    """Neither the settings nor the server made of them print the password."""
    settings = Settings(transport="smtp", host="localhost", username="me", password=SecretStr("canary"))
    assert "canary" not in repr(settings) + str(settings) + str(settings.model_dump())


@pytest.mark.parametrize("content", ["sesame", "sesame\n", "sesame\r\n"])
async def test_password_file_may_end_in_a_line_end(content: str, tmp_path: Path) -> None:
    """The server gets the password alone; it is told only after EHLO offered AUTH."""
    file = tmp_path / "password"
    file.write_bytes(content.encode())
    async with ScriptedSmtpServer({"AUTH": "535 no"}) as server:
        settings = Settings(
            transport="smtp", host=server.host, port=server.port, username="me", password_file=file
        )
        async with opened(email_notifier.make_notifier(settings)) as one:
            await failure_of(one, message())
    assert server.lines["AUTH"] == ["AUTH PLAIN AG1lAHNlc2FtZQ=="]  # \0me\0sesame


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("empty", b"\n", "is empty"),
        ("long", b"x" * 5000, "longer than 4096 bytes"),
        ("binary", b"\xff\xfe", "is not UTF-8"),
        ("missing", None, "No such file or directory"),
        (".", None, "Is a directory"),
    ],
)
def test_unusable_password_files_are_named(
    name: str, content: bytes | None, complaint: str, tmp_path: Path
) -> None:
    """The start fails with the file's name and what is wrong with it."""
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    settings = Settings(transport="smtp", host="localhost", username="me", password_file=file)
    with pytest.raises(ValueError, match=rf"password_file: .*{name}.* ?{complaint}"):
        email_notifier.make_notifier(settings)


def test_customers_are_reached_by_their_address() -> None:
    """Somebody without one is not reached."""
    one = email_notifier.make_notifier(Settings())
    assert one.address(Customer(id="1", email="anna@example.com")) == "anna@example.com"
    assert one.address(Customer(id="2", phone="+4915112345678")) is None
    assert (one.channel, one.on_unknown, one.timeout) == ("email", "resend", 1300.0)


async def test_a_mail_arrives_byte_for_byte() -> None:
    """Envelope and content are what was built, lines that begin with a dot included."""
    wanted = message(text=".\n..\n.dot\nlast", html="<p>hi</p>")
    with RecordingSmtpServer() as server:
        async with opened(notifier(server)) as one:
            receipt = await one.send(wanted)
    assert receipt.detail == "250 2.0.0 queued as 1"
    (mail,) = server.mails
    assert (mail.sender, mail.recipients) == ("shop@example.com", ("anna.smith@example.com",))
    parsed = message_from_bytes(mail.data, policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    text = parsed.get_body(("plain",))
    assert text is not None
    assert text.get_content() == ".\r\n..\r\n.dot\r\nlast\r\n"


@pytest.mark.parametrize("end", ["\n.\n", "\r.\r", "\r\n.\r\n", "\n.\r\n", "\r\n.\n"])
async def test_no_body_can_end_the_mail_and_smuggle_another(end: str) -> None:
    """However a lone dot is written, the server sees one mail, and no line end but CRLF."""
    smuggled = f"hello{end}MAIL FROM:<evil@example.net>\nRCPT TO:<evil@example.net>\nDATA\nevil{end}"
    async with ScriptedSmtpServer() as server, opened(notifier(server)) as one:
        await one.send(message(text=smuggled))
    (data,) = server.mails
    assert server.seen.count("MAIL") == 1
    assert data.count(b"\n") == data.count(b"\r\n") == data.count(b"\r")
    assert b"\r\n.\r\n" not in data


async def test_conversations_are_shared_and_limited() -> None:
    """Thirty mails at once through three connections: all arrive, once each."""
    with RecordingSmtpServer() as server:
        async with opened(notifier(server, connections=3)) as one:
            await asyncio.gather(*(one.send(message(number)) for number in range(30)))
    ids = sorted(message_from_bytes(mail.data)["Message-ID"] for mail in server.mails)
    assert sorted(f"<thanks-{number}@example.com>" for number in range(30)) == ids
    assert server.conversations == 3


async def test_a_conversation_ends_after_its_share_of_mails() -> None:
    """Two mails each, so five mails make three, all of them ended politely."""
    async with ScriptedSmtpServer() as server:
        async with opened(notifier(server, Limits(mails=2))) as one:
            for number in range(5):
                await one.send(message(number))
        await server.wait_until_left()
    assert (server.seen.count("CONNECT"), server.seen.count("QUIT")) == (3, 3)


async def test_an_idle_conversation_is_ended() -> None:
    """Nobody keeps a server's connection for nothing."""
    async with ScriptedSmtpServer() as server, opened(notifier(server, Limits(idle=0.01))) as one:
        await one.send(message())
        await server.wait_until_left()
        assert server.seen[-1] == "QUIT"
        await asyncio.gather(one.send(message(2)), one.send(message(3)))
        await server.wait_until_left()
    assert len(server.mails) == server.seen.count("QUIT") == 3
