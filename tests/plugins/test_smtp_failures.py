"""Mail servers that refuse, hang, drop and talk nonsense: what each means for the message."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

import pytest

from feedback_app import (
    ChannelDown,
    OutcomeUnknown,
    PermanentFailure,
    TemporaryFailure,
)
from feedback_app.plugins._mail_builder import MailBuilder
from feedback_app.plugins._mail_headers import parse_mailbox
from feedback_app.plugins._smtp_conversation import Limits, Server
from feedback_app.plugins._smtp_pool import SmtpPool
from feedback_app.plugins.email_notifier import EmailNotifier
from tests.plugins.mail_helpers import QUICK, failure_of, message, notifier, opened
from tests.plugins.scripted_smtp import ScriptedSmtpServer
from tests.servers import Act, RecordingSmtpServer, free_port

if TYPE_CHECKING:
    from tests.plugins.scripted_smtp import Script

NO_SIZE = "250 test"  # an offer without SIZE, AUTH and STARTTLS

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
    step: str, reply: str | bytes | Act, wanted: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    """The error is the right one, nothing shows the customer, and the next mail gets its own reply."""
    caplog.set_level(logging.DEBUG)
    limits = QUICK if reply is Act.HANG else Limits()
    async with ScriptedSmtpServer({step: [reply]}) as server, opened(notifier(server, limits)) as one:
        failure = await failure_of(one, message(1))
        after = await one.send(message(2))
    assert isinstance(failure, wanted)
    assert "anna" not in str(failure).lower() + caplog.text.lower()
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
    script: Script = {"EHLO": NO_SIZE, "BODY": act}
    async with ScriptedSmtpServer(script) as server, opened(notifier(server, QUICK)) as one:
        failure = await failure_of(one, message(text="long " * 2_000_000))
    assert isinstance(failure, TemporaryFailure)
    assert "did not read the mail to its end" in failure.reason


async def test_a_long_mail_arrives_whole() -> None:
    """Beyond what a socket takes at once."""
    with RecordingSmtpServer() as server:
        async with opened(notifier(server)) as one:
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
    assert (server.seen.count("CONNECT"), server.seen.count("MAIL")) == (1, 1)


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
    async with ScriptedSmtpServer(script) as server, opened(notifier(server, QUICK)) as one:
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
    async with ScriptedSmtpServer({step: [Act.HANG]}) as server, opened(notifier(server)) as one:
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
