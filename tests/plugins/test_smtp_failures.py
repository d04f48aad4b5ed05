"""What a mail server's refusals, limits and silences mean beyond the single reply (see test_smtp_stages.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from feedback_app import ChannelDown, PermanentFailure, TemporaryFailure
from feedback_app.plugins._mail_builder import MailBuilder
from feedback_app.plugins._mail_headers import parse_mailbox
from feedback_app.plugins._smtp_conversation import Limits, Server
from feedback_app.plugins._smtp_pool import SmtpPool
from feedback_app.plugins.email_notifier import EmailNotifier
from tests.plugins.mail_helpers import QUICK, failure_of, message, notifier, opened
from tests.plugins.scripted_smtp import ScriptedSmtpServer
from tests.plugins.wire import Slowly, black_hole
from tests.servers import Act, RecordingSmtpServer, free_port

if TYPE_CHECKING:
    from tests.plugins.scripted_smtp import Script

NO_SIZE = "250 test"  # an offer without SIZE, AUTH and STARTTLS


@pytest.mark.parametrize(
    ("step", "reply", "wait"),
    [("RCPT", "450 x", 300.0), ("RCPT", "451 x", 300.0), ("RCPT", "452 x", None), ("DOT", "451 x", None)],
)
async def test_c7_greylisting_is_waited_out(step: str, reply: str, wait: float | None) -> None:
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


@pytest.mark.parametrize("act", [Act.DROP, Act.RESET, Act.HANG])
async def test_c4_a_server_that_stops_reading_a_long_mail_surely_has_not_taken_it(act: Act) -> None:
    """The dot is written only when all before it has left."""
    script: Script = {"EHLO": NO_SIZE, "BODY": [act]}
    async with ScriptedSmtpServer(script) as server, opened(notifier(server, QUICK)) as one:
        failure = await failure_of(one, message(text="long " * 2_000_000))
    assert isinstance(failure, TemporaryFailure)
    assert "did not read the mail to its end" in failure.reason


@pytest.mark.parametrize("early", ["451 early", "250 early"])
async def test_c4_a_reply_before_the_end_of_a_long_mail_is_not_the_reply_to_its_dot(early: str) -> None:
    """The dot is not written, so the mail is surely not taken, and the connection is given up."""
    script: Script = {"EHLO": NO_SIZE, "BODY": [early]}
    async with ScriptedSmtpServer(script) as server, opened(notifier(server)) as one:
        failure = await failure_of(one, message(text="long " * 2_000_000))
        await server.wait_until_left()
    assert isinstance(failure, TemporaryFailure)
    assert "answered before the end of the mail" in failure.reason
    assert not server.taken


async def test_a_long_mail_arrives_whole() -> None:
    """Beyond what a socket takes at once."""
    with RecordingSmtpServer() as server:
        async with opened(notifier(server)) as one:
            await one.send(message(text="long line\n" * 200_000))
    assert server.mails[0].data.count(b"long line\r\n") == 200_000


async def test_c5_the_reply_to_the_dot_has_a_time_limit_of_its_own() -> None:
    """A server that checks the mail at length is not given up on: it would take the mail and get it again."""
    limits = Limits(reply=0.2, data=0.2, dot=10.0)
    script: Script = {"DOT": [Slowly("250 queued", 0.05)]}  # 0.6 seconds in all
    async with ScriptedSmtpServer(script) as server, opened(notifier(server, limits)) as one:
        await one.send(message())
    assert server.taken == ["thanks-1"]


def test_c5_ten_minutes_for_the_dot_fit_into_one_send() -> None:
    """The limit of RFC 5321, behind all that may go before it, is within what the notifier may take."""
    shipped = Limits()
    assert shipped.dot == 600
    kept, new = 2 * shipped.reply, shipped.connect + shipped.login + 3 * shipped.reply
    assert EmailNotifier.timeout >= shipped.turn + kept + new + shipped.data + shipped.dot


async def test_c17_a_mail_beyond_the_servers_limit_is_never_offered() -> None:
    """The size the server announced is compared before anything is sent; the next mail takes the same connection."""
    script: Script = {"EHLO": b"250-test\r\n250 SIZE 1000\r\n"}
    async with ScriptedSmtpServer(script) as server, opened(notifier(server)) as one:
        failure = await failure_of(one, message(text="x\n" * 1000))
        await one.send(message(2))
    assert isinstance(failure, PermanentFailure)
    assert "takes at most 1000" in failure.reason
    assert (server.seen.count("CONNECT"), server.seen.count("MAIL")) == (1, 1)


async def test_c17_a_size_that_is_no_number_is_no_offer_of_a_connection() -> None:
    """More digits than Python reads: the channel is down, the connection is closed and no plugin is to blame."""
    script: Script = {"EHLO": b"250-test\r\n250 SIZE " + b"9" * 5000 + b"\r\n"}
    async with ScriptedSmtpServer(script) as server, opened(notifier(server)) as one:
        failure = await failure_of(one, message())
        await server.wait_until_left()
    assert isinstance(failure, ChannelDown)


@pytest.mark.parametrize("offer", [NO_SIZE, b"250-test\r\n250 SIZE\r\n", b"250-test\r\n250 SIZE 0\r\n"])
async def test_c17_without_a_known_limit_the_mail_is_offered(offer: str | bytes) -> None:
    """A server that knows of sizes is told this one's, any other is not."""
    async with ScriptedSmtpServer({"EHLO": offer}) as server, opened(notifier(server)) as one:
        await one.send(message(text="x\n" * 1000))
    size = f" SIZE={len(server.mails[0])}" if offer != NO_SIZE else ""
    assert server.lines["MAIL"] == [f"MAIL FROM:<shop@example.com>{size}"]


async def test_c17_no_server_needs_8bitmime_or_smtputf8() -> None:
    """Whatever the text is written in, the mail is ASCII in short lines, and no extension is asked for."""
    text = "Grüße, спасибо, 🙂\n" + "é" * 3000
    async with ScriptedSmtpServer({"EHLO": NO_SIZE}) as server, opened(notifier(server)) as one:
        await one.send(message(text=text, html=f"<p>{text}</p>"))
    (mail,) = server.mails
    assert mail.isascii()
    assert max(map(len, mail.split(b"\r\n"))) <= 998
    assert server.lines["MAIL"] == ["MAIL FROM:<shop@example.com>"]


async def test_c17_an_address_that_needs_smtputf8_is_never_offered() -> None:
    """The reason says so, no connection is made for it."""
    async with ScriptedSmtpServer() as server, opened(notifier(server)) as one:
        failure = await failure_of(one, message(recipient="jörg@example.com"))
    assert isinstance(failure, PermanentFailure)
    assert "needs SMTPUTF8" in failure.reason
    assert not server.seen


@pytest.mark.parametrize(
    ("recipient", "expected"),
    [
        ("Anna.Smith+shop@Example.com", "Anna.Smith+shop@Example.com"),
        ("o'neil=a%b!c/d@example.com", "o'neil=a%b!c/d@example.com"),
        ("-dash@example.com", "-dash@example.com"),
        ("anna@grüße.example.com", "anna@xn--gre-6ka8l.example.com"),
    ],
)
async def test_s2_the_server_gets_the_address_byte_for_byte(recipient: str, expected: str) -> None:
    """Nothing is folded, quoted or mended on the way; only a domain beyond ASCII gets its ASCII form."""
    async with ScriptedSmtpServer() as server, opened(notifier(server)) as one:
        await one.send(message(recipient=recipient))
    assert server.lines["RCPT"] == [f"RCPT TO:<{expected}>"]


@pytest.mark.parametrize(
    ("host", "complaint"),
    [("127.0.0.1", "Connection refused"), ("nowhere.invalid", "cannot connect to nowhere.invalid:")],
)
async def test_c1_nobody_there_is_said_with_host_and_port(host: str, complaint: str) -> None:
    """A refused connection and a name that does not exist pause the channel."""
    port = free_port()
    pool = SmtpPool(Server(host=host, port=port, tls="none"), 1)
    async with opened(EmailNotifier(MailBuilder(parse_mailbox("shop@example.com")), pool)) as one:
        with pytest.raises(ChannelDown, match=f"{host}:{port}.*") as failure:
            await one.send(message())
    assert complaint in failure.value.reason


async def test_c2_a_black_hole_is_given_up_soon() -> None:
    """Neither a connection nor a refusal comes: the channel is down after the limit for connecting."""
    with black_hole() as port:
        pool = SmtpPool(Server(host="127.0.0.1", port=port, tls="none"), 1, QUICK)
        async with opened(EmailNotifier(MailBuilder(parse_mailbox("shop@example.com")), pool)) as one:
            failure = await failure_of(one, message())
    assert isinstance(failure, ChannelDown)
    assert failure.reason == f"127.0.0.1:{port} did not answer in time"
    assert Limits().connect <= 10
