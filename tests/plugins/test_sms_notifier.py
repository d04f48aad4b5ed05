"""The channel `sms`: its settings, its file, and a gateway that speaks Twilio's API, well and badly."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import stat
from datetime import UTC, datetime
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
from feedback_app.plugins import sms_notifier
from feedback_app.plugins._twilio import Account, Twilio, retry_after
from feedback_app.plugins.sms_notifier import Settings, SmsNotifier
from tests.servers import (
    LOOPBACK,
    Act,
    HttpAnswer,
    RecordingHttpGateway,
    free_port,
    server_tls,
    twilio_error,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

NUMBER = "+4915112345678"
SERVICE = "MG" + "a1" * 16
TWILIO = {"gateway": "twilio", "account_sid": "AC1", "auth_token": "canary", "sender": "+15005550006"}


def message(text: str = "Thank you!", recipient: str = NUMBER, number: int = 1) -> Message:
    """Return a thank-you by text message."""
    return Message(id=f"thanks-{number}", purpose="thanks", channel="sms", recipient=recipient, text=text)


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
    return sms_notifier.make_notifier(Settings.model_validate(fields))


@contextlib.asynccontextmanager
async def opened(one: Notifier) -> AsyncIterator[Notifier]:
    """Open and close a notifier as the daemon does."""
    await one.open()
    try:
        yield one
    finally:
        await one.close()


# ------------------------------------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"gateway": "twilio"}, "needs account_sid; gateway 'twilio' needs auth_token; gateway 'twilio' needs sender"),
        ({"gateway": "pigeon"}, "'file' or 'twilio'"),
        ({**TWILIO, "auth_token_file": "/x"}, "both given"),
        ({**TWILIO, "auth_token": ""}, "at least 1 item"),
        ({**TWILIO, "account_sid": "AC1/../AC2"}, "not an account's sid"),
        ({"url": "http://api.example.com/2010-04-01"}, "use https"),
        ({"url": "ftp://api.example.com"}, "not a web address"),
        ({"url": "api.twilio.com"}, "not a web address"),
        ({"url": "https://me:canary@api.example.com"}, "settings of its own"),
        ({"url": "https://api.example.com/?token=canary"}, "settings of its own"),
        ({"url": "https://[bad"}, "Invalid IPv6 URL"),
        ({"sender": "ThirteenChars"}, "not a sender"),
        ({"sender": "+0123"}, "not a sender"),
        ({"sender": "123456789"}, "not a sender"),
        ({"sender": "MG123"}, None),
        ({"sender": "a\nb"}, "not a sender"),
        ({"sender": ""}, "not a sender"),
        ({"auth_tokn": "canary"}, "Extra inputs are not permitted"),
    ],
)
def test_settings_that_cannot_work_are_refused(given: dict[str, str], complaint: str | None) -> None:
    """Each with what is wrong, and never with the token; a short MG… is an ordinary name."""
    if complaint is None:
        assert Settings.model_validate(given)
        return
    with pytest.raises(ValidationError) as refusal:
        Settings.model_validate(given)
    assert complaint in str(refusal.value)
    assert "canary" not in str(refusal.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/2010-04-01/", "http://localhost/x", "http://[::1]:80"])
def test_plain_http_is_for_this_machine_only(url: str) -> None:
    """So that tests and local relays need no certificate; a slash at the end does no harm."""
    assert url.rstrip("/") == Settings(url=url).url


def test_token_file_is_read_at_the_start(tmp_path: Path) -> None:
    """A file that is missing fails the start by name; one with a line end serves, and nothing prints it."""
    file = tmp_path / "token"
    settings = Settings.model_validate({**TWILIO, "auth_token": None, "auth_token_file": file})
    with pytest.raises(ValueError, match=f"auth_token_file: cannot read {file}: No such file"):
        sms_notifier.make_notifier(settings)
    file.write_text("canary\n")
    assert sms_notifier.make_notifier(settings).on_unknown == "hold"
    assert "canary" not in repr(Settings.model_validate(TWILIO))


@pytest.mark.parametrize(
    ("phone", "expected"),
    [
        (NUMBER, NUMBER),
        ("+12", None),
        ("015112345678", None),
        ("+49 151 12345678", None),
        ("+1234567890123456", None),
        ("+４９15112345678", None),
        (None, None),
    ],
)
def test_only_international_numbers_are_reached(phone: str | None, expected: str | None) -> None:
    """Anything else would be dialled differently from place to place."""
    assert expected == sms_notifier.make_notifier(Settings()).address(Customer(id="1", phone=phone))


@pytest.mark.parametrize(
    ("wanted", "complaint"),
    [
        (message(recipient="0151"), "not an international number"),
        (message(text="\x00 \r\n"), "the text is empty"),
        (message(text="a" * 460), "4 segments of GSM-7, at most 3"),
        (message(text="д" * 202), "4 segments of UCS-2, at most 3"),
    ],
)
async def test_what_cannot_be_a_text_message_never_leaves(
    wanted: Message, complaint: str, tmp_path: Path
) -> None:
    """It would fail at every attempt, or cost more than it is worth."""
    file = tmp_path / "sms.jsonl"
    async with opened(sms_notifier.make_notifier(Settings(file=file))) as one:
        with pytest.raises(PermanentFailure, match=complaint):
            await one.send(wanted)
    assert file.read_bytes() == b""


# ----------------------------------------------------------------------------------------------------------- the file


async def test_the_file_gets_one_line_for_each_message(tmp_path: Path) -> None:
    """With all there is to know, readable for its owner only; controls are gone, line ends are kept."""
    file = tmp_path / "deep" / "sms.jsonl"
    gateway = sms_notifier.make_notifier(Settings(file=file))
    assert gateway.on_unknown == "resend"
    async with opened(gateway) as one:
        receipt = await one.send(message("Danke,\r\nJörg\x1b[31m 🙂\u2028\ttab\ud800"))
        await asyncio.gather(*(one.send(message(number=number)) for number in range(2, 21)))
    lines = file.read_text("utf-8").split("\n")
    first = json.loads(lines[0])
    assert datetime.fromisoformat(first.pop("time")).tzinfo == UTC
    assert first == {
        "id": "thanks-1",
        "to": NUMBER,
        "from": "Feedback",
        "text": "Danke,\nJörg[31m 🙂\u2028 tab",
        "segments": 1,
    }
    assert receipt.detail == "1 segment"
    assert sorted(f"thanks-{number}" for number in range(1, 21)) == sorted(
        json.loads(line)["id"] for line in lines[:-1]
    )
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A folder in its place fails the start; one that appears later pauses the channel."""
    with pytest.raises(ChannelDown, match=f"cannot write to {tmp_path}: Is a directory"):
        await sms_notifier.make_notifier(Settings(file=tmp_path)).open()
    file = tmp_path / "sms.jsonl"
    async with opened(sms_notifier.make_notifier(Settings(file=file))) as one:
        file.unlink()
        file.mkdir()
        with pytest.raises(ChannelDown, match="Is a directory"):
            await one.send(message())


async def test_a_line_that_does_not_fit_on_the_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    """The file ends with a whole line, so the next one is not glued to half of this one."""
    file = tmp_path / "sms.jsonl"
    async with opened(sms_notifier.make_notifier(Settings(file=file))) as one:
        await one.send(message())
        whole = file.read_bytes()
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 20, hard))  # the kernel then writes 20 bytes only
        try:
            with pytest.raises(ChannelDown, match="the disk is full"):
                await one.send(message(number=2))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert whole == file.read_bytes()
        await one.send(message(number=3))
    assert [json.loads(line)["id"] for line in file.read_text().splitlines()] == ["thanks-1", "thanks-3"]


# --------------------------------------------------------------------------------------------------------- the gateway


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


async def test_many_messages_share_connections() -> None:
    """Thirty at once: each is taken once."""
    with RecordingHttpGateway() as gateway:
        async with opened(notifier(gateway)) as one:
            receipts = await asyncio.gather(*(one.send(message(number=number)) for number in range(30)))
    assert len({receipt.provider_id for receipt in receipts}) == 30 == len(gateway.messages)


DOWN, LATER, NEVER, UNKNOWN = ChannelDown, TemporaryFailure, PermanentFailure, OutcomeUnknown
CASES: list[tuple[HttpAnswer | Act, type[Exception], str]] = [
    (twilio_error(429, 20429), LATER, "error 20429"),
    (twilio_error(429, 21611, Retry_After="7"), LATER, "error 21611"),
    (HttpAnswer(status=429), LATER, "answered 429"),
    (HttpAnswer(status=408), LATER, "answered 408"),
    (twilio_error(400, 21211), NEVER, "https://www.twilio.com/docs/api/errors/21211"),
    (twilio_error(400, 21610), NEVER, "error 21610"),
    (twilio_error(400, 21614), NEVER, "error 21614"),
    (twilio_error(403, 21408), NEVER, "error 21408"),
    (twilio_error(400, 21606), NEVER, "error 21606"),
    (HttpAnswer(status=400, body=b"what"), NEVER, "answered 400"),
    (twilio_error(400, 21212), DOWN, "check account_sid, auth_token and sender"),
    (twilio_error(401, 20003), DOWN, "check account_sid"),
    (HttpAnswer(status=401, body=b"<html>"), DOWN, "check account_sid and auth_token"),
    (HttpAnswer(status=403), DOWN, "check account_sid and auth_token"),
    (twilio_error(404, 20404), DOWN, "check url and account_sid"),
    (HttpAnswer(status=405), DOWN, "check url"),
    (HttpAnswer(status=307, headers={"Location": "/2010-04-01/elsewhere"}), DOWN, "redirects are not followed"),
    (HttpAnswer(status=302, headers={"Location": "http://169.254.169.254/"}), DOWN, "redirects are not followed"),
    (HttpAnswer(status=302, headers={"Location": "file:///etc/passwd"}), DOWN, "redirects are not followed"),
    (HttpAnswer(status=303, headers={"Location": "/elsewhere"}), UNKNOWN, "answered 303"),
    (twilio_error(500, 20500), UNKNOWN, "error 20500"),
    (HttpAnswer(status=502, body=b"<html>bad gateway</html>"), UNKNOWN, "answered 502"),
    (HttpAnswer(status=503, headers={"Retry-After": "5"}), UNKNOWN, "answered 503"),
    (HttpAnswer(status=201), UNKNOWN, "without a message's sid"),
    (HttpAnswer(status=200, body=b"<html>welcome</html>"), UNKNOWN, "without a message's sid"),
    (HttpAnswer(status=201, body=b'{"sid": null}'), UNKNOWN, "without a message's sid"),
    (HttpAnswer(status=201, body=b'["SM1"]'), UNKNOWN, "without a message's sid"),
    (HttpAnswer(status=201, body=b"[" * 60_000), UNKNOWN, "without a message's sid"),
    (HttpAnswer(status=201, body=b'{"sid": "SM1"}' + b" " * 70_000), UNKNOWN, "longer than 65536 bytes"),
    (HttpAnswer(status=201, body=b"x", headers={"Content-Encoding": "gzip"}), UNKNOWN, "without a message's sid"),
    (Act.DROP, UNKNOWN, "gave no answer"),
    (Act.RESET, UNKNOWN, "gave no answer"),
]


@pytest.mark.parametrize(("answer", "wanted", "words"), CASES)
async def test_every_answer_means_what_it_must(
    answer: HttpAnswer | Act, wanted: type[Exception], words: str
) -> None:
    """The error is the right one, without number or token; nothing is tried twice and the next message leaves."""
    with RecordingHttpGateway([answer]) as gateway:
        async with opened(notifier(gateway)) as one:
            with pytest.raises(wanted) as failure:
                await one.send(message())
            assert gateway.requests == 1
            await one.send(message(number=2))
    assert words in str(failure.value)
    assert NUMBER[1:] not in str(failure.value)
    assert "canary" not in str(failure.value)
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
    assert gateway.requests == 0


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
