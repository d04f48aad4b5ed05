"""The channel `file`: whole lines, on the disk, for their owner only."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import stat
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from feedback_app import ChannelDown, Customer, Message, Notifier
from feedback_app.plugins import file_notifier
from feedback_app.plugins.file_notifier import FileNotifier, Settings
from tests.plugins.mail_helpers import opened

NOW = 1_795_348_800.25  # 2026-11-22T12:00:00.250Z
WRITER = """
import asyncio, sys
from pathlib import Path
from feedback_app import Message
from feedback_app.plugins.file_notifier import FileNotifier

async def main():
    one = FileNotifier(Path(sys.argv[1]))
    await asyncio.gather(*(
        one.send(Message(id=f"{sys.argv[2]}.{number}", purpose="thanks", channel="file", recipient="ada",
                         text="long " * 2000))
        for number in range(20)
    ))

asyncio.run(main())
"""


def message(number: int = 1, text: str = "Danke, Zoë 🙂\n\u2028") -> Message:
    """Return a thank-you to Ada."""
    return Message(id=f"thanks.{number}", purpose="thanks", channel="file", recipient="ada", text=text)


def lines_of(file: Path) -> list[dict[str, object]]:
    """Return the records of a file whose last line is whole."""
    lines = file.read_text("utf-8").split("\n")
    assert lines.pop() == ""
    return [json.loads(line) for line in lines]


async def test_a_line_holds_the_whole_message(tmp_path: Path) -> None:
    """Empty fields too; the folder is made, nobody else may read it."""
    file = tmp_path / "deep" / "messages.jsonl"
    async with opened(FileNotifier(file, clock=lambda: NOW)) as one:
        receipt = await one.send(message())
        await one.send(message(2, "a\ud800b"))
    first, second = lines_of(file)
    assert first == {
        "time": "2026-11-22T12:00:00.250+00:00",
        "id": "thanks.1",
        "purpose": "thanks",
        "channel": "file",
        "recipient": "ada",
        "text": "Danke, Zoë 🙂\n\u2028",
        "feedback_id": None,
        "customer_id": None,
        "customer_name": None,
        "subject": "",
        "html": "",
        "locale": None,
        "attempt": 1,
    }
    assert second["text"] == "a?b"
    assert receipt.detail == f"{len(file.read_bytes().split(bytes([10]))[0]) + 1} bytes"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


async def test_lines_of_several_processes_stay_whole(tmp_path: Path) -> None:
    """Three daemons, each with twenty messages at once."""
    file = tmp_path / "messages.jsonl"
    writers = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", WRITER, str(file), str(number))
        for number in range(3)
    ]
    assert [await writer.wait() for writer in writers] == [0, 0, 0]
    wanted = {f"{process}.{number}" for process in range(3) for number in range(20)}
    assert wanted == {record["id"] for record in lines_of(file)}


async def test_a_line_that_does_not_fit_on_the_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    """The channel is down until there is room; the next line is whole."""
    file = tmp_path / "messages.jsonl"
    async with opened(FileNotifier(file)) as one:
        await one.send(message())
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + 20, hard))
        try:
            with pytest.raises(ChannelDown, match="the disk is full"):
                await one.send(message(2))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        await one.send(message(3))
    assert [record["id"] for record in lines_of(file)] == ["thanks.1", "thanks.3"]


@pytest.mark.skipif(not os.access("/dev/full", os.W_OK), reason="/dev/full is not here")
async def test_a_device_that_is_full_is_down_and_says_so() -> None:
    """With the system's own words; nothing of the message in them."""
    with pytest.raises(ChannelDown, match=r"^cannot write to /dev/full: No space left on device$"):
        await FileNotifier(Path("/dev/full")).send(message())


async def test_a_file_that_cannot_be_is_named(tmp_path: Path) -> None:
    """A folder in its place fails the start, and so does a pipe that nobody reads."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for place, reason in ((tmp_path, "Is a directory"), (pipe, "No such device")):
        with pytest.raises(ChannelDown, match=f"^cannot write to {place}: {reason}"):
            await FileNotifier(place).open()


async def test_one_that_is_cancelled_leaves_a_whole_line_or_none(tmp_path: Path) -> None:
    """Its thread goes on; the message comes again with the same id."""
    file = tmp_path / "messages.jsonl"
    async with opened(FileNotifier(file)) as one:
        sending = asyncio.create_task(one.send(message()))
        await asyncio.sleep(0)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await one.send(message(2))
    assert "thanks.2" in [record["id"] for record in lines_of(file)]


def test_it_is_off_unless_configured(tmp_path: Path) -> None:
    """The table needs the file, so without one the plugin is idle."""
    with pytest.raises(ValidationError, match="Field required"):
        Settings.model_validate({})
    made: Notifier = file_notifier.make_notifier(Settings(file=tmp_path / "x"))
    assert (made.channel, made.on_unknown) == ("file", "resend")
    assert made.address(Customer(id="ada")) == "ada"
