"""The channel `sms` through gateways that are spoken to as the settings say."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from feedback_app import ChannelDown, OutcomeUnknown, PermanentFailure, Receipt, TemporaryFailure
from feedback_app.plugins import sms_notifier
from feedback_app.plugins._placeholders import as_it_is, fill, fill_json, in_url
from feedback_app.plugins._sms_http import HttpSms
from feedback_app.plugins._sms_http_settings import HttpSettings
from feedback_app.plugins.sms_notifier import Settings, SmsNotifier
from tests.plugins.http_helpers import answer, outcome_of
from tests.plugins.mail_helpers import opened
from tests.plugins.scripted_http import ScriptedHttpServer
from tests.plugins.sms_helpers import NUMBER, message
from tests.plugins.wire import Endlessly, Reply, Slowly, label
from tests.servers import LOOPBACK, Act, free_port

if TYPE_CHECKING:
    from pathlib import Path

FORM = {"to": "{to}", "text": "{text}"}
TEXT = '"Grüße" & <5 %> + {to} {secret} \\ \' 🙂\nzwei'


def notifier(url: str, limit: float = 10.0, **http: Any) -> SmsNotifier:
    """Return the notifier for a gateway there, by default one that takes a form."""
    if not {"body_json", "body_raw", "method"} & http.keys():
        http.setdefault("body_form", FORM)
    table = HttpSettings.model_validate({"url": url, **http})
    known = table.idempotency_header is not None
    secret = table.secret.get_secret_value() if table.secret else ""
    gateway = HttpSms(url, table, secret, limit)
    return SmsNotifier(gateway, "Shop", on_unknown="resend" if known else "hold")


async def test_a_form_is_filled_and_escaped() -> None:
    """A name that stands in a text is a text; the id is the same at every attempt."""
    form = {"to": "{to}", "from": "{sender}", "text": "{text}", "fixed": "a&b", "ref": "{id}"}
    key = "Idempotency-Key"
    async with (
        ScriptedHttpServer([answer("200 OK")]) as server,
        opened(notifier(server.url, body_form=form, idempotency_header=key)) as one,
    ):
        receipt = await one.send(message(TEXT))
        assert one.on_unknown == "resend"
    (request,) = server.requests
    wanted = {"to": NUMBER, "from": "Shop", "text": TEXT, "fixed": "a&b", "ref": "thanks-1"}
    assert {name: [value] for name, value in wanted.items()} == parse_qs(request.body.decode())
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.headers["idempotency-key"] == "thanks-1"
    assert receipt == Receipt(detail="1 segment; answered 200")


async def test_json_keeps_its_shape_whatever_the_text() -> None:
    """Numbers, lists and tables stay as configured; the secret stands in a header."""
    body = {"messages": [{"to": ["{number}"], "body": "{text}", "flash": False, "class": 1}], "v": 2.5}
    headers = {"Authorization": "Bearer {secret}", "Accept": "text/plain"}
    async with ScriptedHttpServer([answer("201 Created", b'{"messages": [{"id": 77}]}')]) as server:
        table: dict[str, Any] = {
            "body_json": body,
            "headers": headers,
            "secret": "canary",
            "id_json": "messages.0.id",
        }
        async with opened(notifier(server.url, **table)) as one:
            receipt = await one.send(message(TEXT))
    (request,) = server.requests
    assert json.loads(request.body) == {
        "messages": [{"to": [NUMBER[1:]], "body": TEXT, "flash": False, "class": 1}],
        "v": 2.5,
    }
    assert (request.headers["authorization"], request.headers["accept"]) == ("Bearer canary", "text/plain")
    assert request.headers["content-type"] == "application/json"
    assert receipt.provider_id == "77"


@pytest.mark.parametrize(
    ("content_type", "raw"),
    [
        ("text/xml; charset=utf-8", '<m to="{to}"><t>{text}</t></m>'),
        ("application/json", '{"to": "{to}", "t": "{text}"}'),
        ("application/x-www-form-urlencoded", "to={to}&t={text}"),
    ],
)
async def test_a_raw_body_is_escaped_as_its_type_asks_for(content_type: str, raw: str) -> None:
    """What comes out at the other end is what went in."""
    async with (
        ScriptedHttpServer() as server,
        opened(notifier(server.url, body_raw=raw, content_type=content_type)) as one,
    ):
        await one.send(message(TEXT))
    (request,) = server.requests
    assert request.headers["content-type"] == content_type
    if "xml" in content_type:
        root = ET.fromstring(request.body)
        arrived = {"to": root.attrib["to"], "t": root.findtext("t")}
    elif "json" in content_type:
        arrived = json.loads(request.body)
    else:
        arrived = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
    assert arrived == {"to": NUMBER, "t": TEXT}


async def test_a_plain_text_is_the_body_itself_and_a_get_has_none() -> None:
    """Names in the address are escaped, and a text does not add to the query."""
    async with ScriptedHttpServer([answer("200 OK", b"OK: 4711")] * 2) as server:
        query = f"{server.url}/{{number}}?key={{secret}}&text={{text}}"
        async with opened(notifier(query, method="GET", secret="c&n ry", id_regex="OK: ([0-9]+)")) as one:
            receipt = await one.send(message(TEXT + "&key=other"))
        async with opened(notifier(f"{server.url}/{{to}}", body_raw="{text}", method="PUT")) as one:
            await one.send(message(TEXT))
    get, put = server.requests
    assert (get.method, get.body, urlsplit(get.target).path) == ("GET", b"", f"/2010-04-01/{NUMBER[1:]}")
    assert parse_qs(urlsplit(get.target).query) == {"key": ["c&n ry"], "text": [TEXT + "&key=other"]}
    assert receipt.provider_id == "4711"
    assert (put.method, put.target, put.body.decode()) == ("PUT", "/2010-04-01/%2B4915112345678", TEXT)


@given(st.text(alphabet="{}abctoexd\"\\&=%<'\n🙂"))
def test_no_value_is_taken_for_a_name_or_for_syntax(value: str) -> None:
    """Filled in once, and what is read back is what was put in."""
    values = {"text": value, "to": "T"}
    assert fill("{text}", values, as_it_is) == value
    assert json.loads(json.dumps(fill_json({"a": ["{text}", 1]}, values))) == {"a": [value, 1]}
    assert parse_qs("x=" + fill("{text}", values, in_url), keep_blank_values=True) == {"x": [value]}


CHECK: dict[str, Any] = {"success_json": {"status": "ok", "code": 0}, "id_json": "data.id"}
CASES: list[tuple[dict[str, Any], Reply, type, str]] = [
    (CHECK, answer("200 OK", b'{"status": "ok", "code": 0, "data": {"id": "A1"}}'), Receipt, "answered 200"),
    (CHECK, answer("200 OK", b'{"status": "ok", "code": "0"}'), Receipt, "answered 200"),
    (
        CHECK,
        answer("200 OK", b'{"status": "error", "code": 0}'),
        OutcomeUnknown,
        "no success as it is configured",
    ),
    (CHECK, answer("200 OK", b'{"status": "ok"}'), OutcomeUnknown, "no success as it is configured"),
    (CHECK, answer("200 OK", b"[" * 60_000), OutcomeUnknown, "no success as it is configured"),
    (CHECK, answer("200 OK"), OutcomeUnknown, "no success as it is configured"),
    ({"success_regex": "^OK"}, answer("200 OK", b"OK 1"), Receipt, "OK 1"),
    (
        {"success_regex": "^OK"},
        answer("200 OK", b"ERR: no credit"),
        OutcomeUnknown,
        "ERR: no credit; that is no",
    ),
    ({"success_status": [202]}, answer("200 OK", b"x"), OutcomeUnknown, "answered 200: x"),
    ({"id_regex": "id=(.*)"}, answer("200 OK", b"no such thing"), Receipt, "answered 200"),
    ({}, answer("400 Bad", b"bad number +4915112345678"), PermanentFailure, "bad number (private)"),
    ({}, answer("401 Who"), ChannelDown, "check the secrets"),
    ({}, answer("404 Not Found"), ChannelDown, "check url"),
    (
        {},
        answer("307 Moved", b"", "Location: http://169.254.169.254/"),
        ChannelDown,
        "redirects are not followed",
    ),
    ({}, answer("429 Busy", b"", "Retry-After: 7"), TemporaryFailure, "answered 429"),
    ({}, answer("503 Later"), OutcomeUnknown, "answered 503"),
    ({"idempotency_header": "X-Id"}, answer("503 Later"), OutcomeUnknown, "answered 503"),
    ({}, answer("200 OK", b" " * 70_000), OutcomeUnknown, "more than 65536 bytes"),
    ({}, (b"HTTP/1.1 200 OK\r\n", Endlessly(b"X: y\r\n" * 100)), OutcomeUnknown, "gave no answer"),
    ({}, Slowly(answer("200 OK", b"x" * 40), 0.02), OutcomeUnknown, "TimeoutError"),
    ({}, Act.HANG, OutcomeUnknown, "TimeoutError"),
    ({}, Act.DROP, OutcomeUnknown, "gave no answer"),
    ({}, Act.RESET, OutcomeUnknown, "gave no answer"),
]


@pytest.mark.parametrize(
    ("http", "reply", "wanted", "words"),
    [pytest.param(*case, id=f"{[*case[0]]}-{label(case[1])}-{case[2].__name__}") for case in CASES],
)
async def test_every_answer_means_what_it_must(
    http: dict[str, Any], reply: Reply, wanted: type, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Asked once, whatever is answered; number, text and secret are neither shown nor logged."""
    caplog.set_level(logging.DEBUG)
    async with ScriptedHttpServer([reply]) as server:
        url = f"{server.url}?key={{secret}}"
        async with opened(notifier(url, 0.4, secret="canary", **http)) as one:
            outcome = await outcome_of(one, message())
    assert len(server.requests) == 1
    assert isinstance(outcome, wanted)
    shown = (outcome.detail or "") if isinstance(outcome, Receipt) else outcome.reason
    assert words in shown
    assert not [word for word in (NUMBER[1:], "Thank", "canary") if word in f"{shown} {caplog.text}"]


async def test_an_answer_that_repeats_the_request_does_not_show_it() -> None:
    """Error pages like to show the address that was asked for."""
    echo = b"cannot GET /?key=c%26n%20ry&text=Thank%20you%21 or c&n ry Thank+you%21"
    async with (
        ScriptedHttpServer([answer("400 Bad", echo)]) as server,
        opened(notifier(f"{server.url}?key={{secret}}", secret="c&n ry")) as one,
    ):
        outcome = await outcome_of(one, message())
    assert isinstance(outcome, PermanentFailure)
    assert outcome.reason.endswith("cannot GET /?key=(private)&text=(private) or (private) (private)")


async def test_twenty_at_once_and_one_that_is_cancelled() -> None:
    """Each is asked for once; the cancelled one hurts nobody."""
    async with ScriptedHttpServer([Act.HANG]) as server, opened(notifier(server.url)) as one:
        hanging = asyncio.create_task(one.send(message("hangs")))
        await server.wait_until_asked()
        hanging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hanging
        await asyncio.gather(*(one.send(message(f"n{number}")) for number in range(20)))
    texts = [parse_qs(request.body.decode())["text"][0] for request in server.requests]
    assert sorted(texts) == sorted(["hangs", *(f"n{number}" for number in range(20))])


async def test_nobody_there_surely_took_nothing() -> None:
    """The channel is paused; the address is not shown."""
    port = free_port()
    async with opened(notifier(f"http://{LOOPBACK}:{port}/canary?k=canary")) as one:
        with pytest.raises(ChannelDown, match=f"^cannot connect to {LOOPBACK}:{port}: [^/]*$"):
            await one.send(message())


GOOD: dict[str, Any] = {"url": "https://sms.example.com/send", "body_form": FORM}


@pytest.mark.parametrize(
    ("http", "complaint"),
    [
        ({}, "needs the table [plugins.sms_notifier.http] with a url"),
        ({"url": GOOD["url"]}, "{text} and {to} (or {number}) must stand in url or in a body"),
        ({**GOOD, "url": "https://{to}.example.com/"}, "the host must stand in it as it is"),
        ({**GOOD, "url": "http://sms.example.com/"}, "use https"),
        ({**GOOD, "url": "https://sms.example.com/{txt}"}, "there is no {txt} here; there are {id}, {to}"),
        ({**GOOD, "body_form": {"a": "{to}{text}{name}"}}, "the body: there is no {name} here"),
        ({**GOOD, "body_raw": "{text}"}, "keep one"),
        ({**GOOD, "method": "GET"}, "method 'GET' has no body"),
        ({**GOOD, "method": "DELETE"}, "Input should be"),
        ({**GOOD, "secret": "canary"}, "{secret} stands nowhere"),
        ({**GOOD, "headers": {"X-Key": "{secret}"}}, "{secret} needs secret or secret_file"),
        ({**GOOD, "headers": {"X": "{text}"}}, "there is no {text} here"),
        ({**GOOD, "headers": {"X": "a\r\nY: canary"}}, "ASCII letters"),
        ({**GOOD, "headers": {"Host": "canary"}}, "not a name of a header that can be set"),
        ({**GOOD, "content_type": "application/pdf"}, "nothing is known of how to write values in it"),
        ({**GOOD, "success_status": []}, "at least 1 item"),
        ({**GOOD, "success_status": [404]}, "less than or equal to 299"),
        ({**GOOD, "success_regex": "("}, "not a regular expression"),
        ({**GOOD, "id_regex": "id"}, "the id must stand in parentheses"),
        ({**GOOD, "idempotency_header": "a b"}, "not a name of a header"),
        ({**GOOD, "id_jsn": "canary"}, "Extra inputs are not permitted"),
    ],
)
def test_settings_that_cannot_work_are_refused(http: dict[str, Any], complaint: str) -> None:
    """Each with what is wrong, and never with the secret."""
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate({"gateway": "http", "http": http})
    assert complaint in str(refused.value)
    assert "canary" not in str(refused.value)


def test_the_secrets_file_is_read_at_the_start(tmp_path: Path) -> None:
    """And checked: no header can hold every secret."""
    file = tmp_path / "secret"
    table = {**GOOD, "headers": {"X-Key": "{secret}"}, "secret_file": file}
    settings = Settings.model_validate({"gateway": "http", "http": table})
    with pytest.raises(ValueError, match="secret_file: cannot read"):
        sms_notifier.make_notifier(settings)
    file.write_text("canary\nX-Other: 1\n")
    with pytest.raises(ValueError, match="secret: only ASCII letters"):
        sms_notifier.make_notifier(settings)
    file.write_text("canary\n")
    assert sms_notifier.make_notifier(settings).on_unknown == "hold"
    shown = repr(
        Settings.model_validate(
            {"gateway": "http", "http": {**table, "secret_file": None, "secret": "canary"}}
        )
    )
    assert "canary" not in shown
