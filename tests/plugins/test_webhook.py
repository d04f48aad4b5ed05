"""The channel `webhook`: what it posts, how it signs, and what each answer means."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
from datetime import datetime

import pytest

from feedback_app import (
    ChannelDown,
    Message,
    OutcomeUnknown,
    PermanentFailure,
    Receipt,
    TemporaryFailure,
)
from feedback_app.plugins import _http_gateway, webhook_notifier
from feedback_app.plugins._http_gateway import HttpGateway
from feedback_app.plugins._standard_webhooks import parse_keys, signature
from feedback_app.plugins.webhook_notifier import Settings, WebhookNotifier
from tests.plugins.http_helpers import answer, outcome_of
from tests.plugins.mail_helpers import opened
from tests.plugins.scripted_http import HttpRequest, ScriptedHttpServer
from tests.plugins.wire import Endlessly, Reply, Slowly, black_hole, label
from tests.servers import LOOPBACK, TLS_DATA, Act, free_port, server_tls

KEY = b"canary-canary-canary-key"
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"
NOW = 1_795_348_800.25  # 2026-11-22T12:00:00.250Z
SENT, LATER, NEVER, DOWN, UNKNOWN = Receipt, TemporaryFailure, PermanentFailure, ChannelDown, OutcomeUnknown


def message(text: str = "Thank you, Zoë!", number: int = 1, name: str | None = "Zoë Meier") -> Message:
    """Return a thank-you to Zoë."""
    return Message(
        id=f"thanks.{number}.abc",
        purpose="thanks",
        channel="webhook",
        recipient="zoe-4711",
        customer_name=name,
        text=text,
    )


def notifier(server: ScriptedHttpServer, limit: float = 10.0, path: str = "/in?team=7") -> WebhookNotifier:
    """Return the notifier for a server, at a fixed time."""
    url = server.url.removesuffix("/2010-04-01") + path
    return WebhookNotifier(url, [KEY], HttpGateway(url, limit), clock=lambda: NOW)


def is_signed(request: HttpRequest, key: bytes) -> bool:
    """Check a signature as the page of Standard Webhooks tells receivers to do."""
    signed = (
        f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    )
    wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    given = [one.partition(",") for one in request.headers["webhook-signature"].split(" ")]
    return any(version == "v1" and hmac.compare_digest(wanted, one) for version, _, one in given)


def test_the_signature_is_that_of_the_schemes_own_example() -> None:
    """From the tests of the reference libraries."""
    keys = parse_keys("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = signature(keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_a_message_arrives_whole_and_signed() -> None:
    """With its id as the idempotency key, all its fields, and the moment it was posted."""
    text = "Danke, Zoë 🙂\n\u2028" + "lang " * 4000
    async with (
        ScriptedHttpServer([answer("200 OK", b'{"ok": true}')]) as server,
        opened(notifier(server)) as one,
    ):
        receipt = await one.send(message(text))
    (request,) = server.requests
    assert (request.method, request.target) == ("POST", "/in?team=7")
    assert request.headers["content-type"] == "application/json"
    assert request.headers["webhook-id"] == "thanks.1.abc"
    assert request.headers["webhook-timestamp"] == "1795348800"
    assert is_signed(request, KEY)
    event = json.loads(request.body)
    assert (event["type"], event["timestamp"]) == ("message.thanks", "2026-11-22T12:00:00.250+00:00")
    assert datetime.fromisoformat(event["timestamp"]).timestamp() == NOW
    assert event["data"] == {
        "id": "thanks.1.abc",
        "purpose": "thanks",
        "channel": "webhook",
        "recipient": "zoe-4711",
        "text": text,
        "feedback_id": None,
        "customer_id": None,
        "customer_name": "Zoë Meier",
        "subject": "",
        "html": "",
        "locale": None,
        "attempt": 1,
    }
    assert receipt == Receipt(detail='answered 200: {"ok": true}')


async def test_half_a_letter_does_not_stop_a_message() -> None:
    """A comment may hold one; in UTF-8 there is no such thing."""
    async with ScriptedHttpServer() as server, opened(notifier(server)) as one:
        await one.send(message("a\ud800b", name=None))
    assert json.loads(server.requests[0].body)["data"]["text"] == "a?b"


async def test_while_secrets_change_both_sign() -> None:
    """The receiver may know the old one or the new one."""
    new = base64.b64encode(b"n" * 32).decode()
    async with ScriptedHttpServer() as server:
        settings = Settings.model_validate({"url": server.url, "secret": f"{SECRET}\n whsec_{new}"})
        async with opened(webhook_notifier.make_notifier(settings)) as one:
            await one.send(message())
    (request,) = server.requests
    assert is_signed(request, KEY)
    assert is_signed(request, b"n" * 32)
    assert not is_signed(request, b"x" * 32)


async def test_thirty_at_once_are_each_posted_once() -> None:
    """Nothing is shared between them."""
    async with ScriptedHttpServer() as server, opened(notifier(server)) as one:
        await asyncio.gather(*(one.send(message(number=number)) for number in range(30)))
    ids = sorted(request.headers["webhook-id"] for request in server.requests)
    assert ids == sorted(f"thanks.{number}.abc" for number in range(30))
    assert all(is_signed(request, KEY) for request in server.requests)


OPEN_END = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CASES: list[tuple[Reply, type, str]] = [
    (answer("200 OK"), SENT, "answered 200"),
    (answer("204 No Content"), SENT, "answered 204"),
    (answer("202 Accepted", b"<b>queued</b>\n\x1b[31m"), SENT, "answered 202: <b>queued</b> [31m"),
    (answer("200 OK", b"\xff\x00\xfe"), SENT, "answered 200"),
    (answer("200 OK", b"x" * 9000), SENT, "xxx…"),
    (answer("400 Bad", b'{"error": "no such field"}'), NEVER, "no such field"),
    (answer("404 Not Found"), NEVER, "answered 404"),
    (answer("410 Gone"), NEVER, "answered 410"),
    (answer("422 Unprocessable", b"too long"), NEVER, "answered 422: too long"),
    (answer("401 Who"), DOWN, "check the secret"),
    (answer("403 No"), DOWN, "check the secret"),
    (answer("407 Proxy"), DOWN, "answered 407"),
    (answer("301 Moved", b"", "Location: http://169.254.169.254/"), DOWN, "redirects are not followed"),
    (answer("307 Moved", b"", "Location: /elsewhere"), DOWN, "redirects are not followed"),
    (answer("308 Moved", b"", "Location: file:///etc/passwd"), DOWN, "redirects are not followed"),
    (answer("408 Slow"), LATER, "answered 408"),
    (answer("409 Conflict"), LATER, "answered 409"),
    (answer("425 Early"), LATER, "answered 425"),
    (answer("429 Busy", b"", "Retry-After: 7"), LATER, "answered 429"),
    (answer("500 Oops", b"Traceback"), UNKNOWN, "answered 500: Traceback"),
    (answer("503 Later", b"", "Retry-After: 7"), UNKNOWN, "answered 503"),
    (answer("999 What"), UNKNOWN, "answered 999"),
    (Act.DROP, UNKNOWN, "gave no answer"),
    (Act.RESET, UNKNOWN, "gave no answer"),
    (Act.HANG, UNKNOWN, "gave no answer: TimeoutError"),
    (Slowly(answer("200 OK", b"x" * 30), 0.02), UNKNOWN, "gave no answer: TimeoutError"),
    ((b"HTTP/1.1 200 O", Act.DROP), UNKNOWN, "gave no answer"),
    ((OPEN_END + b"5\r\n{", Act.RESET), UNKNOWN, "gave no answer"),
    ((OPEN_END, Endlessly(b"2000\r\n" + b" " * 0x2000 + b"\r\n")), UNKNOWN, "more than 65536 bytes"),
    (b"<html>welcome</html>\r\n\r\n", UNKNOWN, "gave no answer"),
]


@pytest.mark.parametrize(
    ("reply", "wanted", "words"),
    [pytest.param(*case, id=f"{label(case[0])}-{case[1].__name__}") for case in CASES],
)
async def test_every_answer_means_what_it_must(
    reply: Reply, wanted: type, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The outcome shows what was said; the message left once, and the next one leaves; nothing private is logged."""
    caplog.set_level(logging.DEBUG)
    async with (
        ScriptedHttpServer([reply]) as server,
        opened(notifier(server, 0.4, "/canary?k=canary")) as one,
    ):
        outcome = await outcome_of(one, message())
        assert len(server.requests) == 1
        assert await one.send(message(number=2))
    assert isinstance(outcome, wanted)
    shown = (outcome.detail or "") if isinstance(outcome, Receipt) else outcome.reason
    assert words in shown
    assert shown.isprintable()
    assert not [word for word in ("canary", "zoe-4711", "Zoë", "Thank") if word in f"{shown} {caplog.text}"]
    if isinstance(outcome, TemporaryFailure | OutcomeUnknown):
        assert outcome.retry_after == (7.0 if b"Retry-After" in bytes(str(reply), "utf-8") else None)


@pytest.mark.parametrize("dumps", [json.dumps, lambda data: json.dumps(data, ensure_ascii=False)])
async def test_an_answer_that_repeats_the_message_does_not_show_it(dumps: object) -> None:
    """Echoing servers are common, and what they say is stored and shown."""
    one = message('Danke, "Zoë"!\nBis bald')
    assert callable(dumps)
    echo = dumps(
        {
            "to": one.recipient,
            "name": one.customer_name,
            "text": one.text,
            "at": "a@b.example",
            "by": "Zoë M.",
        }
    )
    async with (
        ScriptedHttpServer([answer("400 Bad", echo.encode())]) as server,
        opened(notifier(server)) as sender,
    ):
        outcome = await outcome_of(sender, one)
    assert isinstance(outcome, PermanentFailure)
    hidden = ", ".join(f'"{key}": "(private)"' for key in ("to", "name", "text", "at"))
    assert outcome.reason.endswith(f'answered 400: {{{hidden}, "by": "(private) M."}}')


async def test_who_is_cancelled_leaves_no_connection_behind() -> None:
    """The daemon stops, or the notifier's time is over."""
    async with ScriptedHttpServer([Act.HANG]) as server, opened(notifier(server)) as one:
        sending = asyncio.create_task(one.send(message()))
        await server.wait_until_asked()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert (await one.send(message(number=2))).detail is not None
        assert len(server.requests) == 2


async def test_nobody_there_surely_took_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused or without an answer: the channel is paused and the message keeps its attempts."""
    monkeypatch.setattr(_http_gateway, "CONNECT_LIMIT", 0.2)
    with black_hole() as hole:
        for port in (free_port(), hole):
            url = f"http://{LOOPBACK}:{port}/canary"
            async with opened(WebhookNotifier(url, [KEY], HttpGateway(url))) as one:
                with pytest.raises(ChannelDown, match=f"^cannot connect to {LOOPBACK}:{port}: [^/]*$"):
                    await one.send(message())


@pytest.mark.parametrize(
    ("certificate", "trusted", "complaint"),
    [
        ("good.pem", "good.pem", None),
        ("good.pem", "wrong_host.pem", "self-signed certificate"),
        ("wrong_host.pem", "wrong_host.pem", "mismatch"),
        ("expired.pem", "expired.pem", "certificate has expired"),
    ],
)
async def test_only_who_proves_itself_gets_the_message(
    certificate: str, trusted: str, complaint: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unknown signer, another's name, out of date: the channel is down and says why."""
    monkeypatch.setenv("SSL_CERT_FILE", str(TLS_DATA / trusted))
    async with ScriptedHttpServer(tls=server_tls(certificate)) as server, opened(notifier(server)) as one:
        outcome = await outcome_of(one, message())
    if complaint is None:
        assert isinstance(outcome, Receipt)
    else:
        assert isinstance(outcome, ChannelDown)
        assert complaint in outcome.reason
        assert server.requests == []
