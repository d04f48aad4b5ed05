"""The channel `console`: what is printed, and what a terminal must not see."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys

import pytest
from pydantic import ValidationError

from feedback_app import ChannelDown, Message
from feedback_app.plugins import console_notifier
from feedback_app.plugins.console_notifier import ConsoleNotifier, Settings

ATTACK = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202edrowssap\u202c\x00\x7f\u2028"


def message(text: str = "Danke, Zoë 👩\u200d👧\nBis bald", subject: str = "", number: int = 1) -> Message:
    """Return a thank-you to Ada."""
    return Message(
        id=f"thanks.{number}",
        purpose="thanks",
        channel="console",
        recipient="ada",
        subject=subject,
        text=text,
    )


async def test_a_block_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """A head, the subject where there is one, the text, an empty line."""
    one = ConsoleNotifier("text")
    assert (await one.send(message())).detail == "printed"
    await one.send(message("x\r\n\ty", "Thanks", 2))
    assert capsys.readouterr().out == (
        "--- thanks.1: thanks to ada\nDanke, Zoë 👩\u200d👧\nBis bald\n\n--- thanks.2: thanks to ada\nThanks\nx\n y\n\n"
    )


async def test_a_line_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """All fields, in ASCII, even half a letter."""
    await ConsoleNotifier("json").send(message(f"ö🙂\ud800{ATTACK}\n"))
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert out.isascii()
    assert out[:-1].isprintable()
    record = json.loads(out)
    assert (record["id"], record["recipient"], record["html"]) == ("thanks.1", "ada", "")
    assert record["text"] == f"ö🙂\ud800{ATTACK}\n"


async def test_nothing_that_a_terminal_would_obey_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither from the text nor from any other field."""
    await ConsoleNotifier("text").send(
        Message(
            id="a",
            purpose="thanks",
            channel="console",
            recipient=f"{ATTACK}\n--- b",
            subject=ATTACK,
            text=ATTACK,
        )
    )
    out = capsys.readouterr().out
    rest = "]0;owned[2J31mdrowssap"
    assert out == f"--- a: thanks to {rest}--- b\n{rest}\n{rest}\n\n"


async def test_many_at_once_are_printed_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """One after the other, long ones too."""
    one = ConsoleNotifier("json")
    await asyncio.gather(*(one.send(message("long " * 5000, number=number)) for number in range(30)))
    ids = [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()]
    assert sorted(ids) == sorted(f"thanks.{number}" for number in range(30))


async def test_letters_that_the_terminal_cannot_show_are_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with LANG=C."""
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, "ascii"))
    await ConsoleNotifier("text").send(message("ö🙂"))
    assert out.getvalue() == b"--- thanks.1: thanks to ada\n\\xf6\\U0001f642\n\n"


async def test_a_reader_that_has_gone_is_a_channel_that_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after `| head`; and so is an output that was closed."""
    reader, writer = os.pipe()
    os.close(reader)
    with io.FileIO(writer, "w") as raw:
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, "utf-8", write_through=True))
        with pytest.raises(ChannelDown, match="standard output: Broken pipe"):
            await ConsoleNotifier("text").send(message())
    with pytest.raises(ChannelDown, match="standard output: it is closed"):
        await ConsoleNotifier("text").send(message())


async def test_a_reader_that_has_stopped_holds_one_thread_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits is cancelled, the next one finds the channel down; once somebody reads, it goes on."""
    reader, writer = os.pipe()
    with open(reader, "rb", buffering=0) as source, open(writer, "w", encoding="utf-8") as sink:  # noqa: ASYNC230, PTH123
        monkeypatch.setattr(sys, "stdout", sink)
        one = ConsoleNotifier("text")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await one.send(message("x" * 200_000))
        with pytest.raises(ChannelDown, match="whoever reads it has stopped"):
            await one.send(message())
        read = 0
        while read < 200_000:
            read += len(await asyncio.to_thread(source.read, 65_536))
        assert one._printing
        await one._printing
        await one.send(message("again"))
        assert b"again" in await asyncio.to_thread(source.read, 65_536)


def test_it_is_off_unless_configured() -> None:
    """The table needs the format, so without one the plugin is idle."""
    with pytest.raises(ValidationError, match="Field required"):
        Settings.model_validate({})
    made = console_notifier.make_notifier(Settings(format="text"))
    assert (made.channel, made.on_unknown) == ("console", "resend")
