"""The channel `sms` through a real Kannel, and through one that answers what Kannel may answer."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr, ValidationError

from feedback_app import (
    ChannelDown,
    DeliveryReceipt,
    Notifier,
    OutcomeUnknown,
    PermanentFailure,
    Receipt,
    ReceiptRequest,
    TemporaryFailure,
)
from feedback_app.plugins import sms_notifier
from feedback_app.plugins._kannel import Kannel as Gateway
from feedback_app.plugins._kannel import KannelUser
from feedback_app.plugins._sms_receipts import KannelReceipts
from feedback_app.plugins.sms_notifier import Settings, SmsNotifier
from tests.plugins.http_helpers import answer, outcome_of
from tests.plugins.kannel_server import Kannel, bytes_of, need_kannel, text_of
from tests.plugins.mail_helpers import opened
from tests.plugins.scripted_http import ScriptedHttpServer
from tests.plugins.sms_helpers import NUMBER, message
from tests.plugins.wire import Reply, label
from tests.running import until
from tests.servers import LOOPBACK, Act, RecordingHttpServer, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KANNEL = {"gateway": "kannel", "username": "shop", "password": "canary", "sender": "Shop"}


@pytest.fixture
def kannel(tmp_path: Path) -> Iterator[Kannel]:
    """Start a Kannel."""
    need_kannel()
    with Kannel(tmp_path) as running:
        yield running


SECRET = SecretStr("canary-0123456789 %d")


def notifier(url: str, limit: float = 10.0, password: str = Kannel.password, dlr: str = "") -> SmsNotifier:
    """Return the notifier for a Kannel there, which is to call `dlr`."""
    user = KannelUser(url=url, username=Kannel.username, password=SecretStr(password))
    receipts = KannelReceipts(dlr, SECRET) if dlr else None
    return SmsNotifier(Gateway(user, receipts, limit), "Shop", on_unknown="hold", receipts=receipts)


async def test_texts_of_all_kinds_arrive_as_they_were(kannel: Kannel) -> None:
    """In GSM-7 where that has all letters, else in UCS-2; Kannel's own words are in the receipt."""
    texts = ["Danke, Jörg! 10 € & 5 % + {} \\ ?", "Спасибо 🙂 д", "x"]
    async with opened(notifier(kannel.url)) as one:
        receipts = [await one.send(message(text, number=number)) for number, text in enumerate(texts)]
    arrived = await asyncio.to_thread(kannel.received, 3)
    assert [text_of(one) for one in arrived] == texts
    assert {tuple(one.split(" ")[:2]) for one in arrived} == {("Shop", NUMBER)}
    assert [one.split(" ")[2] for one in arrived] == ["text", "ucs-2", "text"]
    assert receipts == [Receipt(detail="1 segment; 0: Accepted for delivery")] * 3


@pytest.mark.parametrize(
    ("text", "parts", "encoding"), [("long € " * 50, 3, "utf-8"), ("длинно🙂" * 16, 2, "utf-16-be")]
)
async def test_long_texts_arrive_whole_in_segments_as_counted(
    kannel: Kannel, text: str, parts: int, encoding: str
) -> None:
    """Kannel splits them, where its user may send as many."""
    async with opened(notifier(kannel.url)) as one:
        receipt = await one.send(message(text))
    arrived = await asyncio.to_thread(kannel.received, parts)
    assert receipt.detail == f"{parts} segments; 0: Accepted for delivery"
    assert all(" udh %05%00%03" in one for one in arrived)
    assert text.strip() == b"".join(bytes_of(one) for one in arrived).decode(encoding)


async def test_twenty_at_once_arrive_once_each(kannel: Kannel) -> None:
    """None twice, none lost."""
    async with opened(notifier(kannel.url)) as one:
        await asyncio.gather(*(one.send(message(f"number {number}", number=number)) for number in range(20)))
    arrived = await asyncio.to_thread(kannel.received, 20)
    assert sorted(text_of(one) for one in arrived) == sorted(f"number {number}" for number in range(20))


async def test_a_wrong_password_pauses_the_channel(kannel: Kannel) -> None:
    """As Kannel itself decides."""
    async with opened(notifier(kannel.url, password="canary-wrong")) as one:
        outcome = await outcome_of(one, message())
    assert isinstance(outcome, ChannelDown)
    assert "answered 403; check the secrets" in outcome.reason
    assert "canary" not in outcome.reason


async def test_a_number_that_nothing_leads_to_is_given_up(kannel: Kannel) -> None:
    """It would be refused at every attempt."""
    async with opened(notifier(kannel.url)) as one:
        outcome = await outcome_of(one, message(recipient="+99123456789"))
    assert isinstance(outcome, PermanentFailure)
    assert "answered 403: Not routable" in outcome.reason
    assert "99123456789" not in outcome.reason


async def test_without_a_centre_kannel_keeps_the_message(kannel: Kannel) -> None:
    """It has taken responsibility: the message is sent."""
    kannel.centre.kill()
    await asyncio.to_thread(kannel.bearerbox.wait_for, "EOF from fakesmsc")
    async with opened(notifier(kannel.url)) as one:
        receipt = await one.send(message())
    assert receipt.detail == "1 segment; 3: Queued for later delivery"


async def test_d8_a_bearerbox_that_dies_or_hangs_in_the_middle(kannel: Kannel) -> None:
    """Hanging leaves the outcome unknown; dead is down, since nothing left; started again, messages leave."""
    async with opened(notifier(kannel.url, 0.5)) as one:
        await one.send(message())
        kannel.bearerbox.freeze()
        hanging = await outcome_of(one, message(number=2))
        kannel.bearerbox.kill()
        await asyncio.to_thread(kannel.smsbox.wait)
        dead = await outcome_of(one, message(number=3))
        kannel.centre.kill()
        await asyncio.to_thread(kannel.start)
        again = await outcome_of(one, message("again", number=4))
    assert isinstance(hanging, OutcomeUnknown)
    assert isinstance(dead, ChannelDown)
    assert isinstance(again, Receipt)
    assert "again" in [text_of(one) for one in await asyncio.to_thread(kannel.received, 1)]


CASES: list[tuple[Reply, type, str]] = [
    (answer("202 Accepted", b"0: Accepted for delivery"), Receipt, "0: Accepted for delivery"),
    (answer("202 Accepted"), Receipt, "1 segment"),
    (answer("200 OK", b"<html>welcome</html>"), OutcomeUnknown, "answered 200: <html>welcome"),
    (answer("204 Nothing"), OutcomeUnknown, "answered 204"),
    (answer("400 Bad", b"Sender missing and no global set, rejected"), PermanentFailure, "Sender missing"),
    (answer("403 Forbidden", b"Not routable. Do not try again."), PermanentFailure, "Not routable"),
    (
        answer("403 Forbidden", b"Authorization failed for sendsms"),
        ChannelDown,
        "answered 403; check the secrets",
    ),
    (
        answer("400 Bad", b"to=%2B4915112345678&text=Thank%20you%21+Thank+you%21"),
        PermanentFailure,
        "answered 400: to=(private)&text=(private)+(private)",
    ),
    (answer("404 Not Found", b"Unknown request."), ChannelDown, "check url"),
    (
        answer("302 Found", b"", "Location: http://169.254.169.254/"),
        ChannelDown,
        "redirects are not followed",
    ),
    (answer("503 Busy", b"Temporal failure, try again later."), TemporaryFailure, "Temporal failure"),
    (answer("429 Busy", b"", "Retry-After: 9"), TemporaryFailure, "answered 429"),
    (answer("502 Bad Gateway", b"proxy"), OutcomeUnknown, "answered 502: proxy"),
    (
        answer("400 Bad", b"to +4915112345678 4915112345678 Thank you! canary %41+&"),
        PermanentFailure,
        "(private)",
    ),
    (Act.DROP, OutcomeUnknown, "gave no answer"),
    (Act.RESET, OutcomeUnknown, "gave no answer"),
    (Act.HANG, OutcomeUnknown, "gave no answer: TimeoutError"),
    (answer("202 Accepted", b" " * 70_000), OutcomeUnknown, "more than 65536 bytes"),
]


@pytest.mark.parametrize(
    ("reply", "wanted", "words"),
    [pytest.param(*case, id=f"{label(case[0])}-{case[1].__name__}") for case in CASES],
)
async def test_every_answer_means_what_it_must(
    reply: Reply, wanted: type, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Posted once, whatever is answered; number, text and password are neither shown nor logged."""
    caplog.set_level(logging.DEBUG)
    async with ScriptedHttpServer([reply]) as server, opened(notifier(server.url, 0.4)) as one:
        outcome = await outcome_of(one, message())
    assert len(server.requests) == 1
    assert isinstance(outcome, wanted)
    shown = (outcome.detail or "") if isinstance(outcome, Receipt) else outcome.reason
    assert words in shown
    assert not [word for word in (NUMBER[1:], "Thank", "canary") if word in f"{shown} {caplog.text}"]


async def test_kannel_is_told_whom_to_tell(caplog: pytest.LogCaptureFixture) -> None:
    """Delivery reports come with the message's id; without a URL Kannel is asked for none."""
    url = "https://shop.example.com/dlr?shop=1"
    async with ScriptedHttpServer([answer("202 OK")] * 2) as server:
        for wanted in (url, ""):
            async with opened(notifier(server.url, dlr=wanted)) as one:
                await one.send(message())
    told, untold = (request.headers for request in server.requests)
    assert told["x-kannel-dlr-url"] == (f"{url}&message=thanks-1&secret=canary-0123456789%%20%%25d&status=%d")
    assert told["x-kannel-dlr-mask"] == "31"
    assert not [name for name in untold if "dlr" in name]
    assert server.requests[0].target == "/2010-04-01", "neither login nor text stand in the address"


async def test_a_real_kannel_calls_the_url_and_is_known_by_it(kannel: Kannel) -> None:
    """With the event in the place of %d; what nobody but Kannel knows tells it from others."""
    with RecordingHttpServer() as ours:
        one = notifier(kannel.url, dlr=f"{ours.url}/receipts?shop=1")
        async with opened(one):
            await one.send(message())
        await until(lambda: ours.requests)
        called = re.sub(r"status=\d+", "status=%d", f"{ours.url}{ours.requests[0].path}")
    assert one.read_receipts(ReceiptRequest(url=called.replace("%d", "1"), method="GET")) == [
        DeliveryReceipt(message_id="thanks-1", state="delivered", detail="Kannel: delivered")
    ]
    on_the_way = called.replace("%d", "8")  # taken by the centre
    assert one.read_receipts(ReceiptRequest(url=on_the_way, method="GET")) == ()


async def test_who_is_cancelled_leaves_the_next_one_alone() -> None:
    """The connection that was cut is not used again."""
    async with (
        ScriptedHttpServer([Act.HANG, answer("202 OK")]) as server,
        opened(notifier(server.url)) as one,
    ):
        sending = asyncio.create_task(one.send(message()))
        await server.wait_until_asked()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert isinstance(await outcome_of(one, message(number=2)), Receipt)


async def test_nobody_there_surely_took_nothing() -> None:
    """The channel is paused."""
    async with opened(notifier(f"http://{LOOPBACK}:{free_port()}/cgi-bin/sendsms")) as one:
        with pytest.raises(ChannelDown, match="cannot connect to"):
            await one.send(message())


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (
            {"gateway": "kannel"},
            "'kannel' needs username; gateway 'kannel' needs password; gateway 'kannel' needs sender",
        ),
        ({**KANNEL, "password_file": "/x"}, "password and password_file are both given"),
        ({**KANNEL, "username": "sh\nop"}, "should match pattern"),
        ({**KANNEL, "sender": "MG" + "a1" * 16}, "is for gateway 'twilio'"),
        ({**KANNEL, "dlr_url": "https://x/\r\nX-Kannel-To: 1"}, "not a web address"),
        ({**KANNEL, "dlr_url": "http://shop.example.com/dlr"}, "use https"),
        ({**KANNEL, "dlr_url": "https://shop.example.com/dlr"}, "dlr_url needs dlr_secret"),
        ({**KANNEL, "dlr_secret": "short"}, "at least 16"),
        ({**KANNEL, "url": "http://kannel.example.com:13013/cgi-bin/sendsms"}, "use https"),
    ],
)
def test_settings_that_cannot_work_are_refused(given: dict[str, object], complaint: str) -> None:
    """Each with what is wrong, and never with the password."""
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate(given)
    assert complaint in str(refused.value)
    assert "canary" not in str(refused.value)


def test_a_password_that_no_header_can_hold_is_refused() -> None:
    """At the start, not at the first message."""
    made: Notifier = sms_notifier.make_notifier(Settings.model_validate(KANNEL))
    assert made.on_unknown == "hold"
    for password in ("canary\n", "canarÿ", " canary"):
        with pytest.raises(ValueError, match="password: only ASCII letters") as refused:
            sms_notifier.make_notifier(Settings.model_validate({**KANNEL, "password": password}))
        assert "canar" not in str(refused.value)
    assert "canary" not in repr(Settings.model_validate(KANNEL)) + repr(vars(vars(made)["_gateway"]))
