"""The channel `sms` through a gateway that speaks Twilio's API, well and badly."""

from __future__ import annotations

import asyncio
import base64
import logging
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from feedback_app import (
    ChannelDown,
    Notifier,
    OutcomeUnknown,
    PermanentFailure,
    TemporaryFailure,
)
from feedback_app.plugins import sms_notifier
from feedback_app.plugins._http_gateway import retry_after
from feedback_app.plugins._twilio import Account, Twilio
from feedback_app.plugins.sms_notifier import Settings, SmsNotifier
from tests.plugins.mail_helpers import opened
from tests.plugins.sms_helpers import NUMBER, message
from tests.servers import (
    LOOPBACK,
    Act,
    HttpAnswer,
    RecordingHttpGateway,
    free_port,
    server_tls,
    twilio_error,
)

SERVICE = "MG" + "a1" * 16
TWILIO = {"gateway": "twilio", "account_sid": "AC1", "auth_token": "canary", "sender": "+15005550006"}


def notifier(gateway: RecordingHttpGateway, **changes: str) -> Notifier:
    """Return the notifier for a gateway."""
    fields = {
        "gateway": "twilio",
        "url": gateway.url,
        "account_sid": gateway.account_sid,
        "auth_token": gateway.auth_token,
        "sender": "+15005550006",
        **changes,
    }
    one: Notifier = sms_notifier.make_notifier(Settings.model_validate(fields))
    return one


@pytest.mark.parametrize("sender", ["+15005550006", "My Shop", "12345", SERVICE])
async def test_twilio_gets_the_form_it_wants(sender: str) -> None:
    """Number, sender of any kind and text; the receipt has Twilio's id and what it cost."""
    text = "Grüße & 100 % + 🙂\nzweite Zeile " + "x" * 50
    with RecordingHttpGateway() as gateway:
        async with opened(notifier(gateway, sender=sender)) as one:
            receipt = await one.send(message(text))
    (sms,) = gateway.messages
    assert (sms.recipient, sms.sender, sms.body) == (NUMBER, sender, text)
    assert (receipt.provider_id, receipt.detail) == (sms.sid, "2 segments")


async def test_many_messages_leave_at_once() -> None:
    """Thirty at once: each is taken once."""
    with RecordingHttpGateway() as gateway:
        async with opened(notifier(gateway)) as one:
            receipts = await asyncio.gather(*(one.send(message(number=number)) for number in range(30)))
    assert len({receipt.provider_id for receipt in receipts}) == 30 == len(gateway.messages)


DOWN, LATER, NEVER, UNKNOWN = ChannelDown, TemporaryFailure, PermanentFailure, OutcomeUnknown
CASES: list[tuple[str, HttpAnswer | Act, type[Exception], str]] = [
    ("D1", twilio_error(429, 20429), LATER, "error 20429"),
    ("D1", twilio_error(429, 21611, Retry_After="7"), LATER, "error 21611"),
    ("D1", HttpAnswer(status=429), LATER, "answered 429"),
    ("D1", HttpAnswer(status=408), LATER, "answered 408"),
    ("D4", twilio_error(400, 21211), NEVER, "https://www.twilio.com/docs/api/errors/21211"),
    ("D4", twilio_error(400, 21610), NEVER, "error 21610"),
    ("D4", twilio_error(400, 21614), NEVER, "error 21614"),
    ("D4", twilio_error(403, 21408), NEVER, "error 21408"),
    ("D4", twilio_error(400, 21606), NEVER, "error 21606"),
    ("D4", HttpAnswer(status=400, body=b"what"), NEVER, "answered 400"),
    ("D4", HttpAnswer(status=400, body=b'{"sid": "SM1"}'), NEVER, "answered 400"),
    ("D4", twilio_error(400, 21212), DOWN, "check account_sid, auth_token and sender"),
    ("D4", twilio_error(401, 20003), DOWN, "check account_sid"),
    ("D4", HttpAnswer(status=401, body=b"<html>"), DOWN, "check account_sid and auth_token"),
    ("D4", HttpAnswer(status=403), DOWN, "check account_sid and auth_token"),
    ("D4", twilio_error(404, 20404), DOWN, "check url and account_sid"),
    ("D4", HttpAnswer(status=405), DOWN, "check url"),
    (
        "D5",
        HttpAnswer(status=307, headers={"Location": "/2010-04-01/elsewhere"}),
        DOWN,
        "redirects are not followed",
    ),
    (
        "D5",
        HttpAnswer(status=302, headers={"Location": "http://169.254.169.254/"}),
        DOWN,
        "redirects are not followed",
    ),
    (
        "D5",
        HttpAnswer(status=302, headers={"Location": "file:///etc/passwd"}),
        DOWN,
        "redirects are not followed",
    ),
    ("D5", HttpAnswer(status=303, headers={"Location": "/elsewhere"}), UNKNOWN, "answered 303"),
    ("D2", twilio_error(500, 20500), UNKNOWN, "error 20500"),
    ("D2", HttpAnswer(status=502, body=b"<html>bad gateway</html>"), UNKNOWN, "answered 502"),
    ("D2", HttpAnswer(status=503, headers={"Retry-After": "5"}), UNKNOWN, "answered 503"),
    ("D5", HttpAnswer(status=201), UNKNOWN, "without a message's sid"),
    ("D5", HttpAnswer(status=200, body=b"<html>welcome</html>"), UNKNOWN, "without a message's sid"),
    ("D5", HttpAnswer(status=201, body=b'{"sid": null}'), UNKNOWN, "without a message's sid"),
    ("D5", HttpAnswer(status=201, body=b'["SM1"]'), UNKNOWN, "without a message's sid"),
    ("D5", HttpAnswer(status=201, body=b"[" * 60_000), UNKNOWN, "without a message's sid"),
    ("D5", HttpAnswer(status=201, body=b'{"sid": "SM1"}' + b" " * 70_000), UNKNOWN, "more than 65536 bytes"),
    (
        "D5",
        HttpAnswer(status=201, body=b"x", headers={"Content-Encoding": "gzip"}),
        UNKNOWN,
        "without a message's sid",
    ),
    ("D2", Act.DROP, UNKNOWN, "gave no answer"),
    ("D2", Act.RESET, UNKNOWN, "gave no answer"),
]


@pytest.mark.parametrize(
    ("answer", "wanted", "words"),
    [
        pytest.param(answer, wanted, words, id=f"{fault}-{getattr(answer, 'status', answer)}-{words}")
        for fault, answer, wanted, words in CASES
    ],
)
async def test_every_answer_means_what_it_must(
    answer: HttpAnswer | Act, wanted: type[Exception], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The error is the right one; nothing is tried twice, the next message leaves, number and token stay secret."""
    caplog.set_level(logging.DEBUG)
    with RecordingHttpGateway([answer]) as gateway:
        async with opened(notifier(gateway)) as one:
            with pytest.raises(wanted) as failure:
                await one.send(message())
            assert len(gateway.requests) == 1
            await one.send(message(number=2))
    assert words in str(failure.value)
    shown = str(failure.value) + caplog.text
    login = base64.b64encode(f"{gateway.account_sid}:{gateway.auth_token}".encode()).decode()
    assert not [secret for secret in (NUMBER[1:], "Thank", "canary", login) if secret in shown]
    assert len(gateway.messages) == 1


async def test_an_answer_that_does_not_come_leaves_the_outcome_unknown() -> None:
    """The request was read, so the message may be on its way."""
    with RecordingHttpGateway([Act.HANG]) as gateway:
        account = Account(url=gateway.url, sid=gateway.account_sid, token=SecretStr(gateway.auth_token))
        async with opened(SmsNotifier(Twilio(account, answer_limit=0.3), "+15005550006", "hold")) as one:
            with pytest.raises(OutcomeUnknown, match="gave no answer: TimeoutError"):
                await one.send(message())


@pytest.mark.parametrize("host", [LOOPBACK, "localhost"])
async def test_nobody_there_surely_took_nothing(host: str) -> None:
    """The channel is paused, the message keeps its attempts."""
    settings = Settings.model_validate({**TWILIO, "url": f"http://{host}:{free_port()}/2010-04-01"})
    async with opened(sms_notifier.make_notifier(settings)) as one:
        with pytest.raises(ChannelDown, match=f"cannot connect to {host}:"):
            await one.send(message())


async def test_a_gateway_that_cannot_prove_itself_gets_nothing() -> None:
    """Neither number, text nor token go to a server whose certificate nobody trusts."""
    with RecordingHttpGateway(tls=server_tls()) as gateway:
        async with opened(notifier(gateway)) as one:
            with pytest.raises(ChannelDown, match="certificate"):
                await one.send(message())
    assert gateway.requests == []


async def test_a_wrong_token_pauses_the_channel() -> None:
    """As the gateway itself decides, with its own check of the login."""
    with RecordingHttpGateway() as gateway:
        async with opened(notifier(gateway, auth_token="wrong")) as one:
            with pytest.raises(ChannelDown, match="answered 401"):
                await one.send(message())


NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("", None),
        ("7", 7.0),
        ("0", 1.0),
        ("-5", 1.0),
        ("86400", 3600.0),
        ("9" * 400, 3600.0),
        ("nan", 1.0),
        ("soon", None),
        ("Sun, 22 Nov 2026 12:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 1.0),
        ("Sun, 22 Nov 2036 12:00:00 GMT", 3600.0),
        ("Sun, 99 Nov 2026 12:00:00 GMT", None),
    ],
)
def test_a_wish_to_wait_is_followed_within_reason(header: str | None, expected: float | None) -> None:
    """Seconds or a date, between one second and one hour; what makes no sense is as good as nothing."""
    assert expected == retry_after(header, NOW)
