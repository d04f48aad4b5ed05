"""The channel `console`: what is printed, and what a terminal must not see."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator

import pytest
from pydantic import ValidationError

from feedback_app import ChannelDown, Message, OutcomeUnknown, Receipt
from feedback_app.plugins import console_notifier
from feedback_app.plugins.console_notifier import ConsoleNotifier, Settings

HEAD = "--- thanks.1: thanks to ada\n"
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


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], io.FileIO]]:
    """Let a test, once it runs, have its standard output in a pipe, whose other end is returned."""
    with contextlib.ExitStack() as opened:

        def begin() -> io.FileIO:
            reader, writer = os.pipe()
            source = opened.enter_context(io.FileIO(reader))
            monkeypatch.setattr(sys, "stdout", opened.enter_context(open(writer, "w", encoding="utf-8")))  # noqa: PTH123
            return source

        yield begin


async def read_from(source: io.FileIO, size: int) -> bytes:
    """Read so many bytes."""
    read = b""
    while len(read) < size:
        read += await asyncio.to_thread(source.read, 65_536) or b""
    return read


async def attempt(sending: Awaitable[Receipt]) -> Receipt | BaseException:
    """Return how it ended."""
    (end,) = await asyncio.gather(sending, return_exceptions=True)
    return end


async def test_a_print_that_nobody_waits_for_any_more_is_waited_for(pipe: Callable[[], io.FileIO]) -> None:
    """Whoever waited was cancelled; the next message comes whole behind the first, once somebody reads."""
    source = pipe()
    one = ConsoleNotifier("text")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await one.send(message("x" * 200_000))
    after = asyncio.create_task(one.send(message("again", number=2)))
    wanted = f"{HEAD}{'x' * 200_000}\n\n{HEAD.replace('1', '2')}again\n\n".encode()
    assert wanted == await read_from(source, len(wanted))
    assert (await after).detail == "printed"


async def test_a_reader_that_has_stopped_is_a_channel_that_is_down(pipe: Callable[[], io.FileIO]) -> None:
    """Of the message in the pipe nobody knows, the others were not sent; one thread is held, then it goes on."""
    source = pipe()
    one = ConsoleNotifier("text", patience=0.2)
    before = set(threading.enumerate())
    ends = await asyncio.gather(
        *(one.send(message("x" * 200_000, number=number)) for number in range(3)), return_exceptions=True
    )
    assert [type(end) for end in ends] == [OutcomeUnknown, ChannelDown, ChannelDown]
    assert len(set(threading.enumerate()) - before) == 1
    await read_from(source, 200_000 + len(HEAD))
    async with asyncio.timeout(10):  # all is read, but the thread has yet to come back with it
        while isinstance(end := await attempt(one.send(message("again"))), ChannelDown):
            pass
    assert end == Receipt(detail="printed")
    assert b"again" in await read_from(source, 1)


def test_it_is_off_unless_configured() -> None:
    """The table needs the format, so without one the plugin is idle."""
    with pytest.raises(ValidationError, match="Field required"):
        Settings.model_validate({})
    made = console_notifier.make_notifier(Settings(format="text"))
    assert (made.channel, made.on_unknown) == ("console", "resend")
