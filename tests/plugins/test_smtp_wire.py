"""Replies are read whole and in order however they arrive, and commands leave together where the server allows it."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from aiosmtplib import SMTP
from aiosmtplib.errors import SMTPServerDisconnected
from hypothesis import given
from hypothesis import strategies as st

from feedback_app import PermanentFailure, TemporaryFailure
from feedback_app.plugins._mail_builder import MailBuilder
from feedback_app.plugins._mail_headers import parse_mailbox
from feedback_app.plugins._smtp_conversation import Limits, Server
from feedback_app.plugins._smtp_pool import SmtpPool
from feedback_app.plugins._smtp_wire import NotSmtp, Wire
from feedback_app.plugins.email_notifier import EmailNotifier
from tests.plugins.mail_helpers import QUICK, failure_of, message, notifier, opened
from tests.plugins.scripted_smtp import PIPELINING, ScriptedSmtpServer
from tests.running import DEADLINE
from tests.servers import LOOPBACK, Act

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter

    from tests.plugins.wire import Reply

_CODES = st.integers(200, 599)
_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=20).map(
    str.strip
)


class NoTransport(asyncio.Transport):
    """Nothing to write to; what arrives is put into the wire by hand."""

    def is_closing(self) -> bool:
        """Say that it stands."""
        return False

    def pause_reading(self) -> None:
        """Bring no more."""


def reply(code: int, lines: list[str], line_end: bytes) -> bytes:
    """Return the bytes of a reply, all lines but the last marked as to be continued."""
    marks = [b"-"] * (len(lines) - 1) + [b" "]
    return b"".join(
        b"%d%s%s%s" % (code, mark, line.encode(), line_end) for mark, line in zip(marks, lines, strict=True)
    )


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """Return the data cut at these places."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in pairwise(places)]


@given(
    replies=st.lists(st.tuples(_CODES, st.lists(_TEXT, min_size=1, max_size=3)), min_size=1, max_size=4),
    cuts=st.lists(st.integers(0, 1000), max_size=10),
    line_end=st.sampled_from([b"\r\n", b"\n"]),
)
async def test_however_replies_are_cut_up_on_the_way_they_are_read_the_same(
    replies: list[tuple[int, list[str]]], cuts: list[int], line_end: bytes
) -> None:
    """Each with its code and all its lines, while the reader waits already for the first."""
    said = b"".join(reply(code, lines, line_end) for code, lines in replies)
    wire = Wire(NoTransport())

    async def read_all() -> list[tuple[int, str]]:
        return [await wire.reply(DEADLINE) for _ in replies]

    reading = asyncio.create_task(read_all())
    for piece in pieces(said, cuts):
        await asyncio.sleep(0)
        wire.data_received(piece)
    assert await reading == [(code, "\n".join(lines)) for code, lines in replies]
    assert wire.quiet


@given(st.binary(max_size=200))
async def test_whatever_a_server_says_is_a_reply_or_not_smtp(said: bytes) -> None:
    """Nothing else is raised, and no reply has a code that is not three digits."""
    wire = Wire(NoTransport())
    wire.data_received(said + b"\r\n")
    try:
        code, text = await wire.reply(0.0)
    except NotSmtp:
        return
    except TimeoutError:
        assert said[3:4] == b"-", "a first line that is complete was not taken for a reply"
        return
    assert 0 <= code <= 999
    assert isinstance(text, str)


async def test_a_server_that_allows_it_gets_the_envelope_in_one_write() -> None:
    """It answers nothing before it has seen DATA, and the mail goes through."""
    envelopes: list[bytes] = []
    mails_taken: list[bytes] = []
    left = asyncio.Event()

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(b"220 test\r\n")
        await reader.readuntil(b"\r\n")
        writer.write(PIPELINING)
        envelopes.append(await reader.readuntil(b"DATA\r\n"))
        writer.write(b"250 fine\r\n250 fine\r\n354 go on\r\n")
        mails_taken.append((await reader.readuntil(b"\r\n.\r\n")).removesuffix(b".\r\n"))
        writer.write(b"250 queued\r\n")
        await reader.read()  # QUIT
        writer.close()
        await writer.wait_closed()
        left.set()

    async with asyncio.timeout(DEADLINE), await asyncio.start_server(serve, LOOPBACK, 0) as server:
        account = Server(host=LOOPBACK, port=server.sockets[0].getsockname()[1], tls="none")
        mails = MailBuilder(parse_mailbox("shop@example.com"))
        async with opened(EmailNotifier(mails, SmtpPool(account, 1))) as one:
            receipt = await one.send(message())
        await left.wait()
    assert receipt.detail == "250 queued"
    assert envelopes == [
        b"MAIL FROM:<shop@example.com> SIZE=%d\r\nRCPT TO:<anna.smith@example.com>\r\nDATA\r\n" % len(mail)
        for mail in mails_taken
    ]


async def test_a_server_that_wants_a_mail_without_recipient_gets_none() -> None:
    """It refused the recipient and asks for the text all the same: a new connection, for the next mail."""
    script: dict[str, Reply | list[Reply]] = {"RCPT": ["550 no"], "DATA": ["354 go ahead"]}
    async with ScriptedSmtpServer(script, pipelining=True) as server, opened(notifier(server)) as one:
        failure = await failure_of(one, message(1))
        await one.send(message(2))
    assert isinstance(failure, PermanentFailure)
    assert (server.taken, server.seen.count("CONNECT")) == (["thanks-2"], 2)


@pytest.mark.parametrize("then", [Act.HANG, Act.DROP, b"what\r\n", "421 closing"])
async def test_a_refusal_keeps_its_meaning_whatever_the_server_does_next(then: Reply) -> None:
    """The sender was refused for now; the connection is of no more use."""
    script: dict[str, Reply | list[Reply]] = {"MAIL": ["451 later"], "RCPT": [then]}
    limits = QUICK if then is Act.HANG else Limits()
    async with ScriptedSmtpServer(script, pipelining=True) as server, opened(notifier(server, limits)) as one:
        failure = await failure_of(one, message(1))
        await one.send(message(2))
    assert isinstance(failure, TemporaryFailure)
    assert "answered MAIL with 451 later" in failure.reason
    assert (server.taken, server.seen.count("CONNECT")) == (["thanks-2"], 2)


async def test_a_connection_that_is_gone_already_cannot_be_taken_over() -> None:
    """It ended between the last reply to the login and the first mail."""
    with pytest.raises(SMTPServerDisconnected):
        Wire.take_over(SMTP(hostname=LOOPBACK))
