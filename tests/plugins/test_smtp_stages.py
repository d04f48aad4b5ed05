"""Every step of the talk with a mail server × everything a server can do wrong there, each with what it must mean.

The first column is the fault's number in the list that docs/guarantees.md speaks of.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from feedback_app import ChannelDown, OutcomeUnknown, PermanentFailure, Receipt, TemporaryFailure
from feedback_app.plugins._smtp_conversation import Limits
from feedback_app.plugins.email_notifier import EmailNotifier
from tests.plugins.mail_helpers import QUICK, message, notifier, opened
from tests.plugins.scripted_smtp import GOOD_REPLIES, ScriptedSmtpServer
from tests.plugins.wire import Slowly, label
from tests.servers import TLS_DATA, Act, server_tls

if TYPE_CHECKING:
    from feedback_app import Notifier
    from tests.plugins.scripted_smtp import Script
    from tests.plugins.wire import Reply

SENT, DOWN, LATER, NEVER, UNKNOWN = Receipt, ChannelDown, TemporaryFailure, PermanentFailure, OutcomeUnknown
KEPT, NEW = 1, 2  # connections that two mails took: one for both, or one each

GARBAGE = b"HTTP/1.1 400 Bad Request\r\n"
MEGABYTE = b"x" * 1_000_000 + b"\r\n"  # one line
TWO_UNASKED = b"250 unasked\r\n250 again\r\n"
ENDLESS = b"250-x\r\n" * 20_000  # one reply, never finished


def slow(line: str) -> Slowly:
    """Return a line that takes its time, but not too much."""
    return Slowly(line, 0.002)


def dripping(line: str) -> Slowly:
    """Return a line of which each byte comes within the limit, and the whole does not."""
    return Slowly(line, 0.1)


CASES: list[tuple[str, str, Reply, type, int]] = [
    ("C7", "CONNECT", "450 busy", DOWN, NEW),
    ("C8", "CONNECT", "554 go away", DOWN, NEW),
    ("C16", "CONNECT", "421 too many", DOWN, NEW),
    ("C1", "CONNECT", Act.DROP, DOWN, NEW),
    ("C1", "CONNECT", Act.RESET, DOWN, NEW),
    ("C2", "CONNECT", Act.HANG, DOWN, NEW),
    ("C3", "CONNECT", dripping("220 test ESMTP"), DOWN, NEW),
    ("C3", "CONNECT", slow("220 test ESMTP"), SENT, KEPT),
    ("C14", "CONNECT", GARBAGE, DOWN, NEW),
    ("C14", "CONNECT", MEGABYTE, DOWN, NEW),
    ("C14", "CONNECT", b"220 caf\xe9\r\n", SENT, KEPT),
    ("C14", "CONNECT", b"220 test\r\n220 again\r\n", DOWN, NEW),
    ("C7", "EHLO", "451 later", DOWN, NEW),
    ("C8", "EHLO", "550 not you", DOWN, NEW),
    ("C8", "EHLO", "502 what is that", SENT, KEPT),  # HELO then serves
    ("C16", "EHLO", "421 closing", DOWN, NEW),
    ("C1", "EHLO", Act.DROP, DOWN, NEW),
    ("C1", "EHLO", Act.RESET, DOWN, NEW),
    ("C3", "EHLO", Act.HANG, DOWN, NEW),
    ("C3", "EHLO", dripping("250 test"), DOWN, NEW),
    ("C3", "EHLO", slow("250 test"), SENT, KEPT),
    ("C14", "EHLO", GARBAGE, DOWN, NEW),
    ("C14", "EHLO", MEGABYTE, DOWN, NEW),
    ("C14", "EHLO", ENDLESS, DOWN, NEW),
    ("C14", "EHLO", b"250-caf\xe9\r\n250 SIZE\r\n", SENT, KEPT),
    ("C14", "EHLO", b"250 test\r\n250 again\r\n", DOWN, NEW),
    ("C11", "STARTTLS", "454 not now", DOWN, NEW),
    ("C11", "STARTTLS", "554 never", DOWN, NEW),
    ("C16", "STARTTLS", "421 closing", DOWN, NEW),
    ("C11", "STARTTLS", Act.DROP, DOWN, NEW),
    ("C11", "STARTTLS", Act.RESET, DOWN, NEW),
    ("C3", "STARTTLS", Act.HANG, DOWN, NEW),
    ("C3", "STARTTLS", dripping("220 go ahead"), DOWN, NEW),
    ("C3", "STARTTLS", slow("220 go ahead"), SENT, KEPT),
    ("C14", "STARTTLS", GARBAGE, DOWN, NEW),
    ("C14", "STARTTLS", MEGABYTE, DOWN, NEW),
    ("C11", "HANDSHAKE", Act.DROP, DOWN, NEW),
    ("C11", "HANDSHAKE", Act.RESET, DOWN, NEW),
    ("C3", "HANDSHAKE", Act.HANG, DOWN, NEW),
    ("C10", "AUTH", "454 temporary", DOWN, NEW),
    ("C10", "AUTH", "535 5.7.8 wrong", DOWN, NEW),
    ("C16", "AUTH", "421 closing", DOWN, NEW),
    ("C1", "AUTH", Act.DROP, DOWN, NEW),
    ("C3", "AUTH", Act.HANG, DOWN, NEW),
    ("C3", "AUTH", dripping("235 welcome"), DOWN, NEW),
    ("C3", "AUTH", slow("235 welcome"), SENT, KEPT),
    ("C14", "AUTH", GARBAGE, DOWN, NEW),
    ("C14", "AUTH", MEGABYTE, DOWN, NEW),
    ("C14", "AUTH", b"535 caf\xe9\r\n", DOWN, NEW),
    ("C14", "AUTH", b"235 welcome\r\n250 again\r\n", DOWN, NEW),
    ("C7", "MAIL", "451 later", LATER, KEPT),
    ("C8", "MAIL", "550 sender refused", DOWN, KEPT),
    ("C10", "MAIL", "530 log in first", DOWN, KEPT),
    ("C17", "MAIL", "552 too large", NEVER, KEPT),
    ("C16", "MAIL", "421 too many", DOWN, NEW),
    ("C9", "MAIL", "354 what", LATER, NEW),
    ("C13", "MAIL", Act.DROP, LATER, NEW),
    ("C13", "MAIL", Act.RESET, LATER, NEW),
    ("C3", "MAIL", Act.HANG, LATER, NEW),
    ("C3", "MAIL", dripping("250 sender fine"), LATER, NEW),
    ("C3", "MAIL", slow("250 sender fine"), SENT, KEPT),
    ("C14", "MAIL", GARBAGE, LATER, NEW),
    ("C14", "MAIL", MEGABYTE, LATER, NEW),
    ("C14", "MAIL", b"250 caf\xe9\r\n", SENT, KEPT),
    ("C14", "MAIL", b"250 fine\r\n250 and more\r\n", LATER, NEW),
    ("C7", "RCPT", "450 greylisted", LATER, KEPT),
    ("C7", "RCPT", "452 full", LATER, KEPT),
    ("C8", "RCPT", "550 5.1.1 <Anna.Smith@example.com>: user anna.smith unknown", NEVER, KEPT),
    ("C8", "RCPT", b"550-no\r\n550 such user\r\n", NEVER, KEPT),
    ("C10", "RCPT", "530 log in first", DOWN, KEPT),
    ("C16", "RCPT", "421 closing", LATER, NEW),
    ("C9", "RCPT", "354 what", LATER, NEW),
    ("C13", "RCPT", Act.DROP, LATER, NEW),
    ("C13", "RCPT", Act.RESET, LATER, NEW),
    ("C3", "RCPT", Act.HANG, LATER, NEW),
    ("C3", "RCPT", dripping("250 recipient fine"), LATER, NEW),
    ("C3", "RCPT", slow("251 will forward"), SENT, KEPT),
    ("C14", "RCPT", GARBAGE, LATER, NEW),
    ("C14", "RCPT", MEGABYTE, LATER, NEW),
    ("C14", "RCPT", b"550 caf\xe9\r\n", NEVER, KEPT),
    ("C14", "RCPT", b"250 fine\r\n250 and more\r\n", LATER, NEW),
    ("C7", "DATA", "451 later", LATER, KEPT),
    ("C8", "DATA", "554 no", NEVER, KEPT),
    ("C16", "DATA", "421 closing", LATER, NEW),
    ("C9", "DATA", "250 what", LATER, NEW),
    ("C13", "DATA", Act.DROP, LATER, NEW),
    ("C13", "DATA", Act.RESET, LATER, NEW),
    ("C3", "DATA", Act.HANG, LATER, NEW),
    ("C3", "DATA", dripping("354 go ahead"), LATER, NEW),
    ("C3", "DATA", slow("354 go ahead"), SENT, KEPT),
    ("C14", "DATA", GARBAGE, LATER, NEW),
    ("C14", "DATA", MEGABYTE, LATER, NEW),
    ("C14", "DATA", b"354 caf\xe9\r\n", SENT, KEPT),
    ("C14", "DATA", b"354 go\r\n250 already queued\r\n", LATER, NEW),
    ("C7", "DOT", "451 later", LATER, KEPT),
    ("C7", "DOT", "452 full", LATER, KEPT),
    ("C8", "DOT", "554 spam", NEVER, KEPT),
    ("C17", "DOT", "552 too large", NEVER, KEPT),
    ("C16", "DOT", "421 closing", LATER, NEW),
    ("C9", "DOT", "354 what", UNKNOWN, NEW),
    ("C9", "DOT", "-1 what", UNKNOWN, NEW),
    ("C9", "DOT", "what", UNKNOWN, NEW),
    ("C5", "DOT", Act.DROP, UNKNOWN, NEW),
    ("C5", "DOT", Act.RESET, UNKNOWN, NEW),
    ("C5", "DOT", (b"250 queu", Act.DROP), UNKNOWN, NEW),
    ("C5", "DOT", (b"250-queued\r\n", Act.RESET), UNKNOWN, NEW),
    ("C5", "DOT", Act.HANG, UNKNOWN, NEW),
    ("C3", "DOT", dripping("250 queued"), UNKNOWN, NEW),
    ("C3", "DOT", slow("250 queued"), SENT, KEPT),
    ("C14", "DOT", GARBAGE, UNKNOWN, NEW),
    ("C14", "DOT", MEGABYTE, UNKNOWN, NEW),
    ("C14", "DOT", ENDLESS, UNKNOWN, NEW),
    ("C14", "DOT", b"250 caf\xe9\r\n", SENT, KEPT),
    ("C14", "DOT", b"250 queued\r\n250 again\r\n", SENT, NEW),
    ("C16", "DOT", b"250 queued\r\n421 enough\r\n", SENT, NEW),
    # A conversation that ends between two mails costs the second nothing.
    ("C7", "RSET", "451 later", SENT, NEW),
    ("C8", "RSET", "502 what", SENT, NEW),
    ("C16", "RSET", "421 closing", SENT, NEW),
    ("C12", "RSET", Act.DROP, SENT, NEW),
    ("C12", "RSET", Act.RESET, SENT, NEW),
    ("C12", "RSET", Act.HANG, SENT, NEW),
    ("C3", "RSET", dripping("250 forgotten"), SENT, NEW),
    ("C3", "RSET", slow("250 forgotten"), SENT, KEPT),
    ("C14", "RSET", GARBAGE, SENT, NEW),
    ("C14", "RSET", MEGABYTE, SENT, NEW),
    ("C14", "RSET", b"250 caf\xe9\r\n", SENT, KEPT),
    ("C14", "RSET", b"250 forgotten\r\n250 again\r\n", SENT, NEW),
    ("C12", "IDLE", "421 idle too long", SENT, NEW),
    ("C12", "IDLE", ("421 idle too long", Act.DROP), SENT, NEW),
    ("C12", "IDLE", Act.DROP, SENT, NEW),
    ("C12", "IDLE", Act.RESET, SENT, NEW),
    ("C14", "IDLE", GARBAGE, SENT, NEW),
    ("C14", "IDLE", MEGABYTE, SENT, NEW),
    ("C14", "IDLE", TWO_UNASKED, SENT, NEW),
    ("C14", "IDLE", "250 unasked", LATER, NEW),  # taken for the reply to MAIL, which DATA's reply then shows
    # Nobody waits for the reply to QUIT.
    ("C7", "QUIT", "451 later", SENT, NEW),
    ("C8", "QUIT", "502 what", SENT, NEW),
    ("C12", "QUIT", Act.RESET, SENT, NEW),
    ("C3", "QUIT", Act.HANG, SENT, NEW),
    ("C14", "QUIT", MEGABYTE, SENT, NEW),
]


# What happens before the mails does not depend on it. Two replies that nobody asked for are noticed only when the mail
# is under way.
PIPELINED = [
    (fault, step, reply, LATER if reply == TWO_UNASKED else wanted, connections)
    for fault, step, reply, wanted, connections in CASES
    if step in ("MAIL", "RCPT", "DATA", "DOT", "RSET", "IDLE", "QUIT")
]


@pytest.mark.parametrize(
    ("step", "reply", "wanted", "connections", "pipelining"),
    [
        pytest.param(
            step,
            reply,
            wanted,
            connections,
            pipelining,
            id=f"{fault}-{step}-{label(reply)}-{wanted.__name__}" + pipelining * "-pipelined",
        )
        for cases, pipelining in ((CASES, False), (PIPELINED, True))
        for fault, step, reply, wanted, connections in cases
    ],
)
async def test_every_misbehaviour_means_what_its_step_says(
    step: str,
    reply: Reply,
    wanted: type,
    connections: int,
    *,
    pipelining: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The outcome is the right one and agrees with what the server took; the next mail gets its own reply."""
    monkeypatch.setenv("SSL_CERT_FILE", str(TLS_DATA / "good.pem"))
    caplog.set_level(logging.DEBUG)
    async with (
        ScriptedSmtpServer(script(step, reply), tls=server_tls(), pipelining=pipelining) as server,
        opened(talker(server, step, reply)) as one,
    ):
        await set_the_scene(one, server, step, reply)
        outcome = await outcome_of(one, 1)
        after = await one.send(message(2))
    assert isinstance(outcome, wanted)
    assert server.seen.count("CONNECT") == connections
    assert after.detail == "250 queued thanks-2"
    assert server.taken[-1] == "thanks-2"
    if wanted is not UNKNOWN:
        assert server.taken.count("thanks-1") == (wanted is SENT)
    assert len(server.taken) == len(set(server.taken))
    assert_fit_to_show(outcome, caplog.text)


def script(step: str, reply: Reply) -> Script:
    """Return what the server does; RSET comes only after a refusal."""
    if step == "IDLE":
        return {}
    return {step: [reply], "RCPT": ["550 no"]} if step == "RSET" else {step: [reply]}


def talker(server: ScriptedSmtpServer, step: str, reply: Reply) -> EmailNotifier:
    """Return a notifier that comes to this step, and does not wait long where waiting is in vain."""
    in_vain = reply is Act.HANG or (isinstance(reply, Slowly) and reply.pause > 0.01)
    limits = Limits(mails=1) if step == "QUIT" else QUICK if in_vain else Limits()
    login = ("canary-user", SecretStr("canary-word")) if step == "AUTH" else None
    return notifier(
        server, limits, login=login, tls="starttls" if step in ("STARTTLS", "HANDSHAKE") else "none"
    )


async def set_the_scene(one: Notifier, server: ScriptedSmtpServer, step: str, reply: Reply) -> None:
    """Leave a conversation that is due a RSET, or one whose server does not keep still."""
    if step in ("RSET", "IDLE"):
        await outcome_of(one, 0)
    if step == "IDLE":
        await server.interrupt(reply)


async def outcome_of(one: Notifier, number: int) -> object:
    """Send and return the receipt or the error."""
    try:
        return await one.send(message(number))
    except (ChannelDown, OutcomeUnknown, PermanentFailure, TemporaryFailure) as error:
        return error


def assert_fit_to_show(outcome: object, log: str) -> None:
    """Check that nothing shows the customer or the account, and that a reason is one short line."""
    shown = str(outcome)
    assert not [word for word in ("anna", "canary") if word in shown.lower() + log.lower()]
    assert shown.isprintable()
    assert len(shown) < 300


def test_the_table_is_as_long_as_promised() -> None:
    """Every step of a talk, and sixty cases at least, none of them twice."""
    steps = {*GOOD_REPLIES, "DOT", "IDLE"} - {"HELO"}
    assert steps == {step for _, step, *_ in CASES}
    assert len({(step, repr(reply)) for _, step, reply, *_ in CASES}) == len(CASES) >= 60
