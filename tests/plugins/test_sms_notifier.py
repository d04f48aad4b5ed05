"""The channel `sms`: its settings, what it refuses to send, and its file."""

from __future__ import annotations

import asyncio
import json
import resource
import stat
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from feedback_app import (
    ChannelDown,
    Customer,
    Message,
    PermanentFailure,
)
from feedback_app.plugins import sms_notifier
from feedback_app.plugins.sms_notifier import Settings
from tests.plugins.mail_helpers import opened
from tests.plugins.sms_helpers import NUMBER, message

if TYPE_CHECKING:
    from pathlib import Path

TWILIO = {"gateway": "twilio", "account_sid": "AC1", "auth_token": "canary", "sender": "+15005550006"}


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (
            {"gateway": "twilio"},
            "needs account_sid; gateway 'twilio' needs auth_token; gateway 'twilio' needs sender",
        ),
        ({"gateway": "pigeon"}, "'file', 'twilio', 'kannel' or 'http'"),
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


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/2010-04-01/", "http://localhost/x", "http://[::1]:80"]
)
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
    assert receipt.detail == "1 segment; written to sms.jsonl"
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
        resource.setrlimit(
            resource.RLIMIT_FSIZE, (len(whole) + 20, hard)
        )  # the kernel then writes 20 bytes only
        try:
            with pytest.raises(ChannelDown, match="the disk is full"):
                await one.send(message(number=2))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert whole == file.read_bytes()
        await one.send(message(number=3))
    assert [json.loads(line)["id"] for line in file.read_text().splitlines()] == ["thanks-1", "thanks-3"]
