"""The channels of Apprise: a URL for each, and customers' own, through the library to a server on loopback."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sys
import threading
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
    Receipt,
    TemporaryFailure,
)
from feedback_app.plugins import apprise_notifier
from feedback_app.plugins._apprise import Sender
from feedback_app.plugins.apprise_notifier import AppriseNotifier, OwnUrlNotifier, Settings
from tests.plugins.http_helpers import answer, outcome_of
from tests.plugins.mail_helpers import opened
from tests.plugins.scripted_http import ScriptedHttpServer
from tests.plugins.wire import Reply, label
from tests.servers import LOOPBACK, Act, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OK = answer("200 OK")


def message(
    text: str = "Danke, Zoë 🙂", recipient: str = "ada", subject: str = "", number: int = 1
) -> Message:
    """Return a thank-you to Ada."""
    return Message(
        id=f"thanks.{number}",
        purpose="thanks",
        channel="team",
        recipient=recipient,
        customer_name="Zoë Meier",
        subject=subject,
        text=text,
    )


def url_of(server: ScriptedHttpServer, path: str = "/canary") -> str:
    """Return Apprise's URL for a server."""
    return f"json://shop:canary@{server.url.split('/')[2]}{path}"


def team(url: str, limit: float = 10.0) -> AppriseNotifier:
    """Return the notifier of a URL."""
    return AppriseNotifier("team", SecretStr(url), Sender(limit))


async def test_a_message_arrives_as_it_was() -> None:
    """Long, with an empty subject or one, and half a letter; braces and emoji names are nothing but text."""
    texts = ["Danke, Zoë 🙂\nzwei <b> & {{name}} :smile: \\n", "lang " * 5000, "a\ud800b"]
    async with ScriptedHttpServer([OK] * 3) as server, opened(team(url_of(server))) as one:
        receipts = [await one.send(message(text)) for text in texts[:2]]
        await one.send(message(texts[2], subject="Thanks"))
    bodies = [json.loads(request.body) for request in server.requests]
    assert [body["message"] for body in bodies] == [texts[0], texts[1].strip(), "a?b"]
    assert [body["title"] for body in bodies] == ["", "", "Thanks"]
    assert {request.target for request in server.requests} == {"/canary"}
    assert receipts == [Receipt(detail="sent by JSON")] * 2


async def test_twenty_at_once_never_block_the_loop() -> None:
    """Each leaves once; meanwhile the loop runs, or the server in it could not answer."""
    async with ScriptedHttpServer([OK] * 20) as server, opened(team(url_of(server))) as one:
        await asyncio.gather(*(one.send(message(f"n{number}", number=number)) for number in range(20)))
    texts = sorted(json.loads(request.body)["message"] for request in server.requests)
    assert texts == sorted(f"n{number}" for number in range(20))


async def test_the_customers_address_stands_where_the_url_has_a_place_for_it() -> None:
    """Escaped, so that it is one part of the path whatever is in it."""
    async with ScriptedHttpServer([OK]) as server, opened(team(url_of(server, "/to/{recipient}"))) as one:
        await one.send(message(recipient="a/b?verify=no&x=ö"))
        assert one.address(Customer(id="ada")) is None
        assert one.address(Customer(id="ada", addresses={"team": "T1"})) == "T1"
    assert server.requests[0].target.startswith("/to/a%2Fb%3Fverify=no&x=%C3%B6")
    fixed = team("json://localhost")
    assert fixed.address(Customer(id="ada")) == "ada"


CASES: list[tuple[Reply, type, type, str]] = [
    (OK, Receipt, Receipt, "sent by JSON"),
    (answer("400 Bad", b"canary"), PermanentFailure, PermanentFailure, "JSON answered 400"),
    (answer("401 Who"), ChannelDown, PermanentFailure, "check the secrets"),
    (answer("404 Not Found"), ChannelDown, PermanentFailure, "check url"),
    (
        answer("302 Moved", b"", "Location: http://169.254.169.254/"),
        ChannelDown,
        PermanentFailure,
        "redirects",
    ),
    (answer("429 Busy"), TemporaryFailure, TemporaryFailure, "JSON answered 429"),
    (answer("500 Oops"), OutcomeUnknown, OutcomeUnknown, "JSON answered 500"),
    (Act.DROP, OutcomeUnknown, OutcomeUnknown, "does not say whether the message was sent"),
    (Act.RESET, OutcomeUnknown, OutcomeUnknown, "does not say whether the message was sent"),
    (b"<html>welcome</html>\r\n\r\n", OutcomeUnknown, OutcomeUnknown, "does not say"),
    (Act.HANG, OutcomeUnknown, OutcomeUnknown, "no answer in time"),
]


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """Write down what reaches the program's log, but for urllib3's talk at DEBUG, which has hosts and paths in it."""
    root, lines = logging.getLogger(), io.StringIO()
    handler = logging.StreamHandler(lines)
    handler.addFilter(lambda record: not record.name.startswith("urllib3"))
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield lines
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.mark.parametrize("is_own", [False, True], ids=["fixed", "own"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{label(case[0])}-{case[1].__name__}")
async def test_every_answer_means_what_it_must(
    case: tuple[Reply, type, type, str],
    is_own: bool,
    logged: io.StringIO,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Asked once; what is wrong with one customer's URL stops nobody else; nothing private is shown or logged."""
    reply, fixed, own, words = case
    async with ScriptedHttpServer([reply]) as server:
        url = url_of(server)
        one: Notifier = OwnUrlNotifier(["json"], Sender(0.5)) if is_own else team(url, 0.5)
        async with opened(one):
            outcome = await outcome_of(one, message(recipient=url if is_own else "ada"))
        assert len(server.requests) == 1
    assert isinstance(outcome, own if is_own else fixed)
    shown = (outcome.detail or "") if isinstance(outcome, Receipt) else outcome.reason
    assert words in shown
    everything = f"{shown} {logged.getvalue()} {capfd.readouterr()} {one!r}"
    assert not [word for word in ("canary", "Zoë", "Danke", "127.0.0.1") if word in everything]


@pytest.mark.parametrize("is_own", [False, True])
async def test_nobody_there_surely_took_nothing(is_own: bool) -> None:
    """The channel is paused; for a customer's own URL only their message waits."""
    url = f"json://shop:canary@{LOOPBACK}:{free_port()}/canary"
    one: Notifier = OwnUrlNotifier(["json"], Sender()) if is_own else team(url)
    async with opened(one):
        outcome = await outcome_of(one, message(recipient=url))
    assert isinstance(outcome, TemporaryFailure if is_own else ChannelDown)
    assert outcome.reason == "cannot connect to JSON"


async def test_one_that_is_cancelled_leaves_the_next_one_alone() -> None:
    """The daemon stops, or the notifier's time is over."""
    async with ScriptedHttpServer([Act.HANG, OK]) as server, opened(team(url_of(server))) as one:
        sending = asyncio.create_task(one.send(message()))
        await server.wait_until_asked()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert isinstance(await outcome_of(one, message(number=2)), Receipt)
    await asyncio.to_thread(_wait_for_threads)


def _wait_for_threads() -> None:
    """Return when no thread of a closed notifier is left: none outlives its request."""
    for thread in threading.enumerate():
        if thread.name.startswith("apprise"):
            thread.join(5)
            assert not thread.is_alive()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ThreadPoolExecutor")]


async def test_an_empty_text_is_given_up() -> None:
    """Services refuse it."""
    assert isinstance(await outcome_of(team("json://localhost"), message(" \n")), PermanentFailure)


@pytest.mark.parametrize(
    ("url", "is_allowed"),
    [
        ("jsons://example.com/canary", True),
        ("ntfys://example.com/canary", True),
        ("json://example.com/canary", False),
        ("JSONS://example.com/canary", False),
        ("jsons://example.com/canary?verify=no", False),
        ("jsons://example.com/canary jsons://other", False),
        ("file:///etc/passwd", False),
        ("jsons://" + "x" * 3000, False),
        ("canary", False),
        ("", False),
    ],
)
async def test_customers_urls_are_of_allowed_kinds_only(url: str, is_allowed: bool) -> None:
    """Where the preference is looked at, and again where the message is sent."""
    one = OwnUrlNotifier(["jsons", "ntfys"], Sender())
    customer = Customer(id="ada", addresses={"apprise": url})
    assert one.address(customer) == (url if is_allowed else None)
    assert one.address(Customer(id="ada")) is None
    if not is_allowed:
        outcome = await outcome_of(one, message(recipient=url))
        assert isinstance(outcome, PermanentFailure)
        assert "canary" not in outcome.reason


async def test_a_url_that_apprise_does_not_know_is_given_up(
    logged: io.StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither shown nor logged, though the library likes to."""
    async with opened(OwnUrlNotifier(["nosuch"], Sender())) as one:
        outcome = await outcome_of(one, message(recipient="nosuch://canary"))
    assert isinstance(outcome, PermanentFailure)
    assert "not a URL that Apprise knows" in outcome.reason
    assert "canary" not in f"{outcome} {logged.getvalue()} {capfd.readouterr()}"


def made(**table: object) -> list[Notifier] | None:
    """Return what the plugin gives for a table."""
    notifiers: list[Notifier] | None = apprise_notifier.make_notifier(Settings.model_validate(table))
    return notifiers


def test_each_url_serves_its_channel(tmp_path: Path) -> None:
    """And `apprise` is there where kinds of customers' URLs are allowed; without a table there is none."""
    assert made() is None
    file = tmp_path / "url"
    file.write_text("json://localhost/canary\n")
    notifiers = made(urls={"team": "jsons://example.com/canary"}, url_files={"shop": file}, schemas=["tgram"])
    assert notifiers
    assert [one.channel for one in notifiers] == ["team", "shop", "apprise"]
    assert {one.on_unknown for one in notifiers} == {"hold"}
    assert (
        "canary"
        not in f"{[vars(one) for one in notifiers]!r} {Settings.model_validate({'urls': {'a': 'canary'}})!r}"
    )


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ({"urls": {"team": "canary"}}, "urls.team: not a URL that Apprise knows"),
        (
            {"urls": {"team": "json://{recipient}/canary"}},
            "urls.team: {recipient} must not stand in the host",
        ),
        (
            {"urls": {"team": "json://h/{canary}"}},
            "urls.team: there is no {canary} here; there are {recipient}",
        ),
        ({"urls": {"Team": "json://canary"}}, "should match pattern"),
        ({"schemas": ["json://"]}, "should match pattern"),
        ({"urls": {"apprise": "json://canary"}, "schemas": ["json"]}, "for customers' own URLs"),
        ({"urls": {"a": "json://canary"}, "url_files": {"a": "/x"}}, "a stands in urls and in url_files"),
        ({"url_files": {"a": "/no/such"}}, "url_files.a: url_file: cannot read /no/such"),
    ],
)
def test_settings_that_cannot_work_are_refused(table: dict[str, object], complaint: str) -> None:
    """Each with what is wrong, and never with the URL."""
    with pytest.raises((ValidationError, ValueError)) as refused:
        made(**table)
    assert complaint in str(refused.value)
    if "{canary}" not in complaint:
        assert "canary" not in str(refused.value)


def test_without_the_package_the_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for all extras."""
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(ValueError, match=r"pip install 'feedback-app\[apprise\]'"):
        made(schemas=["json"])
