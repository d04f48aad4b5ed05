"""The channel `email`: its settings, its Maildir, and its conversations with mail servers good and bad."""

from __future__ import annotations

import asyncio
import contextlib
import stat
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr, ValidationError

from feedback_app import (
    ChannelDown,
    Customer,
    Message,
    Notifier,
    OutcomeUnknown,
    PermanentFailure,
    TemporaryFailure,
)
from feedback_app.plugins import email_notifier
from feedback_app.plugins._mail_builder import MailBuilder
from feedback_app.plugins._mail_headers import parse_mailbox
from feedback_app.plugins._smtp_conversation import Limits, Server
from feedback_app.plugins._smtp_pool import SmtpPool
from feedback_app.plugins.email_notifier import EmailNotifier, Settings
from tests.plugins.scripted_smtp import ScriptedSmtpServer
from tests.servers import TLS_DATA, Act, RecordingSmtpServer, free_port, server_tls

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.plugins.scripted_smtp import Script

QUICK = Limits(connect=0.3, reply=0.3, data=0.3, dot=0.3)  # seconds: long for loopback, short for a test
NO_SIZE = "250 test"


def message(number: int = 1, **changes: str) -> Message:
    """Return a thank-you to Anna."""
    fields = {"recipient": "anna.smith@example.com", "subject": "Thank you", "text": "Hello\n", **changes}
    return Message(
        id=f"thanks-{number}", purpose="thanks", channel="email", customer_name="Anna Smith", **fields
    )


def notifier(
    server: ScriptedSmtpServer | RecordingSmtpServer, limits: Limits = QUICK, connections: int = 2
) -> EmailNotifier:
    """Return the notifier for a server, with short limits."""
    pool = SmtpPool(Server(host=server.host, port=server.port, tls="none"), connections, limits)
    return EmailNotifier(MailBuilder(parse_mailbox("shop@example.com")), pool)


@contextlib.asynccontextmanager
async def opened(one: Notifier) -> AsyncIterator[Notifier]:
    """Open and close a notifier as the daemon does."""
    await one.open()
    try:
        yield one
    finally:
        await one.close()


async def failure_of(one: Notifier, wanted: Message) -> Exception:
    """Send and return the error."""
    with pytest.raises(Exception) as raised:  # noqa: PT011 - which error it is stands in the table
        await one.send(wanted)
    return raised.value


# ------------------------------------------------------------------------------------------------------- settings


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
        ({"host": "x" * 64 + ".example"}, "not a host name"),
        ({"username": "me"}, "username is given without password"),
        ({"username": "", "password": "x"}, "at least 1 character"),
        ({"username": "me", "password": ""}, "at least 1 item"),
        ({"password": "canary"}, "without username"),
        ({"username": "me", "password": "canary", "password_file": "/x"}, "both given"),
        (
            {"transport": "smtp", "host": "mail.example.com", "tls": "none", "username": "me", "password": "canary"},
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


# --------------------------------------------------------------------------------------------------------- Maildir


async def test_maildir_gets_each_message_once_and_for_its_owner_only(tmp_path: Path) -> None:
    """A second send of the same message, as after a crash, leaves one file; folders 0700, files 0600."""
    settings = Settings(maildir=tmp_path / "deep" / "mail")
    async with opened(email_notifier.make_notifier(settings)) as one:
        first, second = await one.send(message()), await one.send(message())
        await one.send(message(2))
    assert ("stored", "already stored") == (first.detail, second.detail)
    files = sorted((settings.maildir / "new").iterdir())
    assert ["thanks-1.feedback-app", "thanks-2.feedback-app"] == [file.name for file in files]
    assert not list((settings.maildir / "tmp").iterdir())
    assert {0o600} == {stat.S_IMODE(file.stat().st_mode) for file in files}
    assert {0o700} == {stat.S_IMODE((settings.maildir / part).stat().st_mode) for part in ("", "tmp", "new", "cur")}
    mail = message_from_bytes(files[0].read_bytes(), policy=policy.default)
    assert mail["To"].addresses[0].addr_spec == "anna.smith@example.com"


@pytest.mark.parametrize("flags", ["", "S"])
async def test_a_mail_that_was_read_is_not_delivered_again(flags: str, tmp_path: Path) -> None:
    """A reader moves it to cur and appends flags."""
    async with opened(email_notifier.make_notifier(Settings(maildir=tmp_path))) as one:
        await one.send(message())
        (tmp_path / "new" / "thanks-1.feedback-app").rename(tmp_path / "cur" / f"thanks-1.feedback-app:2,{flags}")
        receipt = await one.send(message())
    assert receipt.detail == "already stored"
    assert not list((tmp_path / "new").iterdir())


async def test_an_unfinished_mail_of_a_crash_is_replaced(tmp_path: Path) -> None:
    """Half a mail in tmp is never delivered."""
    async with opened(email_notifier.make_notifier(Settings(maildir=tmp_path))) as one:
        (tmp_path / "tmp" / "thanks-1.feedback-app").write_bytes(b"half" * 1000)
        await one.send(message())
    assert b"half" not in (tmp_path / "new" / "thanks-1.feedback-app").read_bytes()


@pytest.mark.parametrize("part", ["new", "tmp"])
async def test_a_maildir_that_cannot_be_written_is_named(part: str, tmp_path: Path) -> None:
    """A file in a folder's place, then a link laid in tmp: the channel is down and nothing else is touched."""
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    folder = tmp_path / "mail"
    async with opened(email_notifier.make_notifier(Settings(maildir=folder))) as one:
        if part == "new":
            (folder / "new").rmdir()
            (folder / "new").write_text("in the way")
        else:
            (folder / "tmp" / "thanks-1.feedback-app").symlink_to(victim)
        with pytest.raises(ChannelDown, match=f"cannot write to the Maildir {folder}: "):
            await one.send(message())
    assert victim.read_text() == "untouched"


async def test_ids_that_are_no_file_names_stay_inside_the_folder(tmp_path: Path) -> None:
    """Paths, dot files and overlong ids become fingerprints."""
    async with opened(email_notifier.make_notifier(Settings(maildir=tmp_path / "mail"))) as one:
        for hostile in ("../../escape", ".hidden", "x" * 300, "a/b"):
            wanted = message()
            await one.send(
                Message(id=hostile, purpose="thanks", channel="email", recipient=wanted.recipient, text="x")
            )
    assert [path.name for path in tmp_path.iterdir()] == ["mail"]
    assert len(list((tmp_path / "mail" / "new").iterdir())) == 4


# ----------------------------------------------------------------------------------------- conversations that go well


def test_customers_are_reached_by_their_address() -> None:
    """Somebody without one is not reached."""
    one = email_notifier.make_notifier(Settings())
    assert one.address(Customer(id="1", email="anna@example.com")) == "anna@example.com"
    assert one.address(Customer(id="2", phone="+4915112345678")) is None
    assert (one.channel, one.on_unknown, one.timeout) == ("email", "resend", 720.0)


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
        async with opened(notifier(server, Limits(), connections=3)) as one:
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
    assert (3, 3) == (server.seen.count("CONNECT"), server.seen.count("QUIT"))


async def test_an_idle_conversation_is_ended() -> None:
    """Nobody keeps a server's connection for nothing."""
    async with ScriptedSmtpServer() as server, opened(notifier(server, Limits(idle=0.01))) as one:
        await one.send(message())
        await server.wait_until_left()
        assert server.seen[-1] == "QUIT"
        await one.send(message(2))
    assert len(server.mails) == 2


# ----------------------------------------------------------------------------------------- conversations that go wrong

DOWN, LATER, NEVER, UNKNOWN = ChannelDown, TemporaryFailure, PermanentFailure, OutcomeUnknown
GARBAGE = b"HTTP/1.1 400 Bad Request\r\n"
ENDLESS = b"250-" + b"x" * 70_000 + b"\r\n"
CASES: list[tuple[str, object, type[Exception]]] = [
    ("CONNECT", "421 too many", DOWN),
    ("CONNECT", "554 go away", DOWN),
    ("CONNECT", GARBAGE, DOWN),
    ("CONNECT", Act.DROP, DOWN),
    ("CONNECT", Act.RESET, DOWN),
    ("CONNECT", Act.HANG, DOWN),
    ("EHLO", "421 closing", DOWN),
    ("EHLO", "451 later", DOWN),
    ("EHLO", "550 not you", DOWN),
    ("EHLO", ENDLESS, DOWN),
    ("EHLO", Act.DROP, DOWN),
    ("EHLO", Act.HANG, DOWN),
    ("MAIL", "451 later", LATER),
    ("MAIL", "421 closing", LATER),
    ("MAIL", "530 log in first", DOWN),
    ("MAIL", "550 sender refused", DOWN),
    ("MAIL", "552 too large", NEVER),
    ("MAIL", "354 what", LATER),
    ("MAIL", GARBAGE, LATER),
    ("MAIL", b"250 fine\r\n250 and more\r\n", LATER),
    ("MAIL", Act.DROP, LATER),
    ("MAIL", Act.RESET, LATER),
    ("MAIL", Act.HANG, LATER),
    ("RCPT", "450 greylisted", LATER),
    ("RCPT", "451 greylisted", LATER),
    ("RCPT", "452 full", LATER),
    ("RCPT", "421 closing", LATER),
    ("RCPT", "530 log in first", DOWN),
    ("RCPT", "550 5.1.1 <Anna.Smith@example.com>: user anna.smith unknown", NEVER),
    ("RCPT", b"550-no\r\n550 such user\r\n", NEVER),
    ("RCPT", b"550 caf\xe9\r\n", NEVER),
    ("RCPT", "354 what", LATER),
    ("RCPT", GARBAGE, LATER),
    ("RCPT", ENDLESS, LATER),
    ("RCPT", Act.DROP, LATER),
    ("RCPT", Act.HANG, LATER),
    ("DATA", "451 later", LATER),
    ("DATA", "554 no", NEVER),
    ("DATA", "250 what", LATER),
    ("DATA", b"354 go\r\n250 already queued\r\n", LATER),
    ("DATA", "421 closing", LATER),
    ("DATA", Act.DROP, LATER),
    ("DATA", Act.HANG, LATER),
    ("DOT", "451 later", LATER),
    ("DOT", "421 closing", LATER),
    ("DOT", "452 full", LATER),
    ("DOT", "552 too large", NEVER),
    ("DOT", "554 spam", NEVER),
    ("DOT", "354 what", UNKNOWN),
    ("DOT", "200 what", UNKNOWN),
    ("DOT", GARBAGE, UNKNOWN),
    ("DOT", ENDLESS, UNKNOWN),
    ("DOT", Act.DROP, UNKNOWN),
    ("DOT", Act.RESET, UNKNOWN),
    ("DOT", Act.HANG, UNKNOWN),
]


@pytest.mark.parametrize(("step", "reply", "wanted"), CASES)
async def test_every_failure_means_what_its_step_says(
    step: str, reply: str | bytes | Act, wanted: type[Exception]
) -> None:
    """The error is the right one and says nothing about the customer; the next mail gets its own reply."""
    async with ScriptedSmtpServer({step: [reply]}) as server, opened(notifier(server)) as one:
        failure = await failure_of(one, message(1))
        after = await one.send(message(2))
    assert isinstance(failure, wanted)
    assert "anna" not in str(failure).lower()
    assert str(failure).isprintable()
    assert len(str(failure)) < 300
    assert after.detail == "250 queued"
    assert b"thanks-2" in server.mails[-1]


@pytest.mark.parametrize(
    ("step", "reply", "wait"),
    [("RCPT", "450 x", 300.0), ("RCPT", "451 x", 300.0), ("RCPT", "452 x", None), ("DOT", "451 x", None)],
)
async def test_greylisting_is_waited_out(step: str, reply: str, wait: float | None) -> None:
    """A server that does not know us yet refuses again before five minutes have passed."""
    async with ScriptedSmtpServer({step: reply}) as server, opened(notifier(server)) as one:
        failure = await failure_of(one, message())
    assert isinstance(failure, TemporaryFailure)
    assert failure.retry_after == wait


@pytest.mark.parametrize("reply", ["550 no such user", "451 later"])
async def test_after_a_refusal_the_conversation_goes_on(reply: str) -> None:
    """RSET, then the next mail on the same connection."""
    async with ScriptedSmtpServer({"RCPT": [reply]}) as server, opened(notifier(server)) as one:
        await failure_of(one, message(1))
        await one.send(message(2))
    assert server.seen.count("CONNECT") == 1
    assert server.seen[-6:-1] == ["RSET", "MAIL", "RCPT", "DATA", "DOT"]


@pytest.mark.parametrize("act", [Act.DROP, Act.HANG])
async def test_a_server_that_stops_reading_a_long_mail_surely_has_not_taken_it(act: Act) -> None:
    """The dot is written only when all before it has left."""
    async with ScriptedSmtpServer({"EHLO": NO_SIZE, "BODY": act}) as server, opened(notifier(server)) as one:
        failure = await failure_of(one, message(text="long " * 2_000_000))
    assert isinstance(failure, TemporaryFailure)
    assert "did not read the mail to its end" in failure.reason


async def test_a_long_mail_arrives_whole() -> None:
    """Beyond what a socket takes at once."""
    with RecordingSmtpServer() as server:
        async with opened(notifier(server, Limits())) as one:
            await one.send(message(text="long line\n" * 200_000))
    assert server.mails[0].data.count(b"long line\r\n") == 200_000


async def test_a_mail_beyond_the_servers_limit_is_never_offered() -> None:
    """The size the server announced is compared before anything is sent; the next mail takes the same connection."""
    script: Script = {"EHLO": b"250-test\r\n250 SIZE 1000\r\n"}
    async with ScriptedSmtpServer(script) as server, opened(notifier(server)) as one:
        failure = await failure_of(one, message(text="x\n" * 1000))
        await one.send(message(2))
    assert isinstance(failure, PermanentFailure)
    assert "takes at most 1000" in failure.reason
    assert (1, 1) == (server.seen.count("CONNECT"), server.seen.count("MAIL"))


@pytest.mark.parametrize(
    "script",
    [
        {"MAIL": ["250 fine", Act.DROP]},
        {"MAIL": ["250 fine", "421 idle too long"]},
        {"MAIL": ["250 fine", Act.HANG]},
        {"DOT": [b"250 queued\r\n421 idle too long\r\n"]},
        {"RCPT": ["550 no", "250 yes"], "RSET": Act.DROP},
        {"RCPT": ["550 no", "250 yes"], "RSET": "502 what"},
    ],
)
async def test_a_conversation_that_ended_between_mails_costs_nothing(script: Script) -> None:
    """Nothing was sent on it, so the mail goes out on a new one without an error."""
    async with ScriptedSmtpServer(script) as server, opened(notifier(server)) as one:
        with contextlib.suppress(PermanentFailure):
            await one.send(message(1))
        receipt = await one.send(message(2))
    assert receipt.detail == "250 queued"
    assert server.seen.count("CONNECT") == 2


async def test_a_server_that_hung_up_meanwhile_costs_nothing() -> None:
    """The closed connection is noticed before a byte is written."""
    async with ScriptedSmtpServer() as server, opened(notifier(server)) as one:
        await one.send(message(1))
        await server.hang_up()
        receipt = await one.send(message(2))
    assert receipt.detail == "250 queued"


@pytest.mark.parametrize("step", ["EHLO", "MAIL", "RCPT", "DATA", "DOT"])
async def test_a_cancelled_send_takes_its_connection_with_it(step: str) -> None:
    """Whoever comes next gets the reply to their own mail."""
    async with ScriptedSmtpServer({step: [Act.HANG]}) as server, opened(notifier(server, Limits())) as one:
        sending = asyncio.create_task(one.send(message(1)))
        async with asyncio.timeout(5):
            await server.reached(step)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        receipt = await one.send(message(2))
    assert receipt.detail == "250 queued"
    assert server.seen.count("CONNECT") == 2
    assert b"thanks-2" in server.mails[-1]


@pytest.mark.parametrize(
    ("host", "complaint"),
    [("127.0.0.1", "Connection refused"), ("nowhere.invalid", "cannot connect to nowhere.invalid:")],
)
async def test_nobody_there_is_said_with_host_and_port(host: str, complaint: str) -> None:
    """A refused connection and a name that does not exist pause the channel."""
    port = free_port()
    pool = SmtpPool(Server(host=host, port=port, tls="none"), 1)
    async with opened(EmailNotifier(MailBuilder(parse_mailbox("shop@example.com")), pool)) as one:
        with pytest.raises(ChannelDown, match=f"{host}:{port}.*") as failure:
            await one.send(message())
    assert complaint in failure.value.reason


# ------------------------------------------------------------------------------------------------------- login and TLS


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ({"AUTH": "535 5.7.8 wrong: canary-user canary-word"}, "answered 535 5.7.8 wrong: (private) (private)"),
        ({"AUTH": "454 temporary"}, "answered 454"),
        ({"AUTH": Act.DROP}, "cannot use"),
        ({"AUTH": Act.HANG}, "did not answer in time"),
        ({"EHLO": NO_SIZE}, "AUTH extension is not supported"),
    ],
)
async def test_a_failed_login_pauses_the_channel_without_showing_the_account(
    script: Script, complaint: str
) -> None:
    """No message is burnt for a wrong password, and neither name nor password is repeated."""
    async with ScriptedSmtpServer(script) as server:
        account = Server(
            host=server.host,
            port=server.port,
            tls="none",
            username="canary-user",
            password=SecretStr("canary-word"),
        )
        assert "canary-word" not in repr(account)
        pool = SmtpPool(account, 1, QUICK)
        async with opened(EmailNotifier(MailBuilder(parse_mailbox("shop@example.com")), pool)) as one:
            failure = await failure_of(one, message())
    assert isinstance(failure, ChannelDown)
    assert complaint in failure.reason
    assert "canary" not in failure.reason
    assert "MAIL" not in server.seen


def tls_settings(server: RecordingSmtpServer | ScriptedSmtpServer, tls: str) -> Settings:
    """Return settings for a server with TLS."""
    return Settings.model_validate({"transport": "smtp", "host": "localhost", "port": server.port, "tls": tls})


@pytest.mark.parametrize("tls", ["starttls", "tls"])
async def test_a_trusted_server_gets_the_mail_over_tls(tls: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its certificate is signed by whom this machine trusts and names the host."""
    monkeypatch.setenv("SSL_CERT_FILE", str(TLS_DATA / "good.pem"))
    kind = "starttls" if tls == "starttls" else "tls"
    with RecordingSmtpServer(**{kind: server_tls()}) as server:
        async with opened(email_notifier.make_notifier(tls_settings(server, tls))) as one:
            await one.send(message())
            await one.send(message(2))
    assert (2, 1) == (len(server.mails), server.conversations)


@pytest.mark.parametrize("tls", ["starttls", "tls"])
@pytest.mark.parametrize(
    ("certificate", "trusted", "complaint"),
    [
        ("good.pem", "wrong_host.pem", "self-signed certificate"),
        ("wrong_host.pem", "wrong_host.pem", "Hostname mismatch"),
        ("expired.pem", "expired.pem", "certificate has expired"),
    ],
)
async def test_a_server_that_cannot_prove_itself_gets_nothing(
    tls: str, certificate: str, trusted: str, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unknown signer, another's name, out of date: the channel is down and says why."""
    monkeypatch.setenv("SSL_CERT_FILE", str(TLS_DATA / trusted))
    kind = "starttls" if tls == "starttls" else "tls"
    with RecordingSmtpServer(**{kind: server_tls(certificate)}) as server:
        async with opened(email_notifier.make_notifier(tls_settings(server, tls))) as one:
            failure = await failure_of(one, message())
    assert isinstance(failure, ChannelDown)
    assert complaint in failure.reason
    assert not server.mails


@pytest.mark.parametrize(
    "script", [{"EHLO": NO_SIZE}, {"STARTTLS": "454 not now"}, {"STARTTLS": Act.DROP}, {"STARTTLS": GARBAGE}]
)
async def test_without_tls_nothing_is_sent_where_tls_is_wanted(script: Script) -> None:
    """Whoever strikes STARTTLS out of the offer gains nothing by it."""
    async with ScriptedSmtpServer(script) as server:
        async with opened(email_notifier.make_notifier(tls_settings(server, "starttls"))) as one:
            failure = await failure_of(one, message())
    assert isinstance(failure, ChannelDown)
    assert "MAIL" not in server.seen


async def test_what_was_said_before_tls_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reply slipped in behind the go-ahead does not pass for one of the encrypted conversation (CVE-2011-0411)."""
    monkeypatch.setenv("SSL_CERT_FILE", str(TLS_DATA / "good.pem"))
    script: Script = {"STARTTLS": b"220 go ahead\r\n250-injected\r\n250 AUTH PLAIN\r\n", "RCPT": ["550 no"]}
    async with ScriptedSmtpServer(script, tls=server_tls()) as server:
        async with opened(email_notifier.make_notifier(tls_settings(server, "starttls"))) as one:
            failure = await failure_of(one, message(1))
            receipt = await one.send(message(2))
    assert isinstance(failure, PermanentFailure)
    assert receipt.detail == "250 queued"
