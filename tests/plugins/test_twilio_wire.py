"""Gateways that break the rules of HTTP, of TLS or of patience, each with what it must mean for the message.

The first column is the fault's number in the list that docs/guarantees.md speaks of; test_twilio.py has the
answers that are proper HTTP.
"""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from feedback_app import ChannelDown, Notifier, OutcomeUnknown, Receipt, TemporaryFailure
from feedback_app.plugins import _http_gateway
from feedback_app.plugins._http_gateway import retry_after
from feedback_app.plugins._twilio import Account, Twilio
from feedback_app.plugins.sms_notifier import SmsNotifier
from tests.plugins.mail_helpers import failure_of, opened
from tests.plugins.scripted_http import ScriptedHttpServer, created
from tests.plugins.sms_helpers import NUMBER, message
from tests.plugins.wire import Endlessly, Reply, Slowly, black_hole, label
from tests.servers import LOOPBACK, TLS_DATA, Act, server_tls

SENT, DOWN, UNKNOWN = Receipt, ChannelDown, OutcomeUnknown


def notifier(url: str, answer_limit: float = 10.0) -> SmsNotifier:
    """Return the notifier for a gateway there."""
    account = Account(url=url, sid="AC1", token=SecretStr("canary-token"))
    return SmsNotifier(Twilio(account, None, answer_limit), "+15005550006", "hold")


def answer(status: str, body: bytes = b"", *headers: str) -> bytes:
    """Return an answer with these headers and the right length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


OPEN_END = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNK = b"2000\r\n" + b" " * 0x2000 + b"\r\n"
TAKEN = b'{"sid": "SM1"}'
DRIP = 0.02  # seconds; an answer takes longer than the limit then, though never silent for long

CASES: list[tuple[str, Reply, type, str]] = [
    ("D2", answer("500 Oops"), UNKNOWN, "answered 500"),
    ("D2", answer("503 Later", b"", "Retry-After: 5"), UNKNOWN, "answered 503"),
    ("D2", Act.DROP, UNKNOWN, "gave no answer"),
    ("D2", Act.RESET, UNKNOWN, "gave no answer"),
    ("D2", (b"HTTP/1.1 201 Crea", Act.DROP), UNKNOWN, "gave no answer"),
    ("D2", (b"HTTP/1.1 201 Created\r\nContent-Length: 14\r\n\r\n{", Act.DROP), UNKNOWN, "gave no answer"),
    ("D2", (OPEN_END + b"5\r\n{", Act.RESET), UNKNOWN, "gave no answer"),
    ("D3", Act.HANG, UNKNOWN, "gave no answer: TimeoutError"),
    ("D3", Slowly(created(1), DRIP), UNKNOWN, "gave no answer: TimeoutError"),
    ("D3", (OPEN_END, Act.HANG), UNKNOWN, "gave no answer: TimeoutError"),
    ("D5", Slowly(created(1), 0.001), SENT, "SM1"),
    ("D5", Endlessly(b"HTTP/1.1 100 Continue\r\n\r\n"), UNKNOWN, "gave no answer"),
    ("D5", b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + created(1), SENT, "SM1"),
    ("D5", (OPEN_END, Endlessly(CHUNK)), UNKNOWN, "more than 65536 bytes"),
    ("D5", (answer("201 Created")[:-2], Endlessly(b"X: y\r\n" * 100)), UNKNOWN, "gave no answer"),
    ("D5", (b"HTTP/1.1 201 ", Endlessly(b"x" * 10_000)), UNKNOWN, "gave no answer"),
    ("D5", b"250 queued\r\n", UNKNOWN, "gave no answer"),
    ("D5", b"<html>welcome</html>\r\n\r\n", UNKNOWN, "gave no answer"),
    ("D5", b"\x16\x03\x01\x02\x00\x01\r\n\r\n", UNKNOWN, "gave no answer"),
    ("D5", b"HTTP/1.1 abc\r\n\r\n", UNKNOWN, "gave no answer"),
    ("D5", OPEN_END + b"zz\r\n", UNKNOWN, "gave no answer"),
    ("D5", b"HTTP/1.1 201 Created\r\nContent-Length: -1\r\n\r\n", UNKNOWN, "gave no answer"),
    ("D5", answer("204 Nothing"), UNKNOWN, "answered 204"),
    ("D5", answer("200 OK", b'{"code": 21211, "status": 400}'), UNKNOWN, "error 21211"),
    ("D5", answer("200 OK", b"\xff\xfe\x00{"), UNKNOWN, "without a message's sid"),
    ("D5", answer("200 OK", b'{"sid": "a\\u001b[31m\\n+4915112345678"}'), SENT, "a [31m"),
    ("D5", answer("200 OK", b"\x1f\x8b" + b"\x00" * 99, "Content-Encoding: gzip"), UNKNOWN, "without"),
    ("D5", answer("308 There", b"", "Location: /2010-04-01/again"), DOWN, "redirects are not followed"),
    ("D5", created(1) + created(77), SENT, "SM1"),  # the second is nobody's, the next message's least of all
]


@pytest.mark.parametrize(
    ("reply", "wanted", "words"),
    [
        pytest.param(reply, wanted, words, id=f"{fault}-{label(reply)}-{wanted.__name__}")
        for fault, reply, wanted, words in CASES
    ],
)
async def test_every_broken_answer_means_what_it_must(
    reply: Reply, wanted: type, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Once the gateway has read a message it leaves once: nothing is tried again, and the next gets its own answer."""
    caplog.set_level(logging.DEBUG)
    async with ScriptedHttpServer([reply]) as gateway, opened(notifier(gateway.url, 0.5)) as one:
        outcome = await outcome_of(one)
        assert gateway.texts == ["first"]
        after = await one.send(message("second"))
    assert isinstance(outcome, wanted)
    shown = f"{outcome} {caplog.text}"
    assert words in shown
    assert str(outcome).isprintable()
    assert not [secret for secret in (NUMBER[1:], "first", "canary") if secret in caplog.text]
    assert (after.provider_id, gateway.texts) == ("SM2", ["first", "second"])
    assert gateway.accepts == 2, "no message goes into a connection that another one has used"


async def outcome_of(one: Notifier) -> object:
    """Send and return the receipt or the error."""
    try:
        return await one.send(message("first"))
    except (ChannelDown, OutcomeUnknown) as error:
        return error


def test_the_table_is_as_long_as_promised() -> None:
    """Twenty cases at least, none of them twice."""
    assert len({repr(reply) for _, reply, *_ in CASES}) == len(CASES) >= 20


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("7", 7.0),
        ("0", 1.0),
        ("-5", 1.0),
        ("315360000", 3600.0),
        ("Sun, 22 Nov 2026 12:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 1.0),
        ("Sun, 22 Nov 2099 12:00:00 GMT", 3600.0),
        ("soon", None),
    ],
)
async def test_d1_a_busy_gateway_says_when_to_come_again(header: str, expected: float | None) -> None:
    """The header of the answer reaches the error, within reason."""
    async with ScriptedHttpServer([answer("429 Busy", b"", f"Retry-After: {header}")]) as gateway:
        account = Account(url=gateway.url, sid="AC1", token=SecretStr("canary-token"))
        sms = SmsNotifier(Twilio(account), "+15005550006", "hold", clock=lambda: 1_795_348_800.0)
        async with opened(sms) as one:
            failure = await failure_of(one, message())
    assert isinstance(failure, TemporaryFailure)
    assert expected == failure.retry_after


@given(
    st.one_of(
        st.text(), st.floats().map(str), st.datetimes().map(lambda date: f"{date:%a, %d %b %Y %T} +1400")
    )
)
def test_d1_no_header_asks_for_more_than_an_hour_or_breaks_anything(header: str) -> None:
    """Whatever it says: nothing, or between one second and one hour."""
    wait = retry_after(header, 1_795_348_800.0)
    assert wait is None or 1.0 <= wait <= 3600.0


async def test_d3_a_connection_that_does_not_come_about_surely_took_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No answer at all to the request for a connection: the channel is down, the message keeps its attempts."""
    monkeypatch.setattr(_http_gateway, "CONNECT_LIMIT", 0.2)
    with black_hole() as port:
        async with opened(notifier(f"http://{LOOPBACK}:{port}")) as one:
            failure = await failure_of(one, message())
    assert isinstance(failure, ChannelDown)
    assert f"cannot connect to {LOOPBACK}:{port}" in failure.reason


@pytest.mark.parametrize("act", [Act.HANG, Act.DROP, Act.RESET, "HTTP/1.1 400 Bad Request"])
async def test_d6_without_tls_the_message_surely_did_not_leave(
    act: Act | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A handshake that hangs, breaks off or is not one is a connection that did not come about."""
    monkeypatch.setattr(_http_gateway, "CONNECT_LIMIT", 0.2)
    async with ScriptedHttpServer(deaf=act) as gateway, opened(notifier(gateway.url)) as one:
        failure = await failure_of(one, message())
    assert isinstance(failure, ChannelDown)
    assert (gateway.accepts, gateway.texts) == (1, [])


@pytest.mark.parametrize(
    ("certificate", "trusted", "complaint"),
    [
        ("good.pem", "good.pem", None),
        ("good.pem", "wrong_host.pem", "self-signed certificate"),
        ("wrong_host.pem", "wrong_host.pem", "mismatch"),
        ("expired.pem", "expired.pem", "certificate has expired"),
    ],
)
async def test_d6_only_a_gateway_that_proves_itself_gets_the_message(
    certificate: str, trusted: str, complaint: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unknown signer, another's name, out of date: the channel is down and says why."""
    monkeypatch.setenv("SSL_CERT_FILE", str(TLS_DATA / trusted))
    async with (
        ScriptedHttpServer(tls=server_tls(certificate)) as gateway,
        opened(notifier(gateway.url)) as one,
    ):
        if complaint is None:
            await one.send(message())
            return
        failure = await failure_of(one, message())
    assert isinstance(failure, ChannelDown)
    assert complaint in failure.reason
    assert gateway.texts == []
