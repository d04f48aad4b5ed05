"""The log of the program as a process of its own: whoever reads it, or does not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from feedback_app.model import Customer
from tests.making import NOW, incoming
from tests.running import DEADLINE, RECORDER, add, business, rows, sent, until

CHATTERING = RECORDER.replace(
    "        with LOG.open",
    "        import logging\n        for _ in range(500):\n"
    '            logging.getLogger("feedback_app_dropins.chat").info("sending %s", "x" * 500)\n'
    "            await asyncio.sleep(0)  # else a slow machine says that the loop is blocked\n        with LOG.open",
)
FATAL = RECORDER.replace("    return Recorder()", '    raise SystemError("broken")') + (
    "\n\nimport threading\nthreading.Thread(target=threading.Event().wait, name='left').start()\n"
)
SPEAKING = RECORDER.replace(
    "        with LOG.open",
    """        import logging
        logging.getLogger("feedback_app_dropins.chat").warning("hello")
        with LOG.open""",
)


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Return a list of processes that do not outlive the test."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for one in started:
        one.kill()
        one.wait()


def _start(
    processes: list[subprocess.Popen[bytes]],
    config: Path,
    *arguments: str,
    stderr: int | None,
    **environ: str,
) -> subprocess.Popen[bytes]:
    program = [sys.executable, "-m", "feedback_app", "--config", str(config), *arguments]
    process = subprocess.Popen(
        program if stderr is not None else ["sh", "-c", 'exec "$@" 2>&-', "sh", *program],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        cwd=config.parent,
        env={**os.environ, **environ},
    )
    processes.append(process)
    return process


def _customers(count: int) -> list[Customer]:
    return [Customer(id=f"c{number}", preferred_channels=("chat",)) for number in range(count)]


async def test_a_reader_that_has_stopped_reading_stops_nothing(
    tmp_path: Path, processes: list[subprocess.Popen[bytes]]
) -> None:
    """Everything is sent while the pipe is full, what did not fit is counted, and the end does not wait for it."""
    config = business(tmp_path, plugin=CHATTERING)
    people = _customers(20)
    await add(
        tmp_path / "feedback.db",
        [incoming(f"r{one.id}", customer=one.id, contact=one) for one in people],
        NOW,
    )
    reading, writing = os.pipe()
    process = _start(processes, config, "run", stderr=writing)
    os.close(writing)
    try:
        await until(lambda: len(sent(tmp_path)) == 20)  # 10,000 lines of 600 bytes, and nobody read one
        process.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        assert process.wait(DEADLINE) == 0
        assert time.monotonic() - begun < 10
    finally:
        os.close(reading)
    assert rows(tmp_path / "feedback.db", "SELECT count(*) FROM message WHERE state = 'sent'") == [(20,)]


async def test_a_reader_that_reads_again_hears_how_many_were_dropped(
    tmp_path: Path, processes: list[subprocess.Popen[bytes]]
) -> None:
    """And then the next lines; all that are there are whole and in order."""
    config = business(tmp_path, plugin=CHATTERING)
    people = _customers(20)
    await add(
        tmp_path / "feedback.db",
        [incoming(f"r{one.id}", customer=one.id, contact=one) for one in people],
        NOW,
    )
    reading, writing = os.pipe()
    process = _start(processes, config, "run", stderr=writing)
    os.close(writing)
    await until(lambda: len(sent(tmp_path)) == 20)
    process.send_signal(signal.SIGTERM)
    with os.fdopen(reading, encoding="utf-8") as log:
        lines = [json.loads(line) for line in log]
    assert process.wait(DEADLINE) == 0
    said = [line["event"] for line in lines]
    dropped = sum(line["count"] for line in lines if line["event"] == "log lines were dropped")
    whole = 20 * 500 + len(("ready", "asked to stop", "stopping"))  # the pipe may be full then
    kept = [event for event in said if event.startswith(("sending", "ready", "asked to stop", "stopping"))]
    assert dropped == whole - len(kept) > 0
    stamps = [line["timestamp"] for line in lines if line["event"] != "log lines were dropped"]
    assert stamps == sorted(stamps)
    assert said[-1] in ("stopping", "log lines were dropped")


async def test_behind_head_the_daemon_goes_on(
    tmp_path: Path, processes: list[subprocess.Popen[bytes]]
) -> None:
    """As in `feedback-app run 2>&1 | head -1`."""
    config = business(tmp_path)
    reading, writing = os.pipe()
    process = _start(processes, config, "run", stderr=writing)
    os.close(writing)
    os.read(reading, 1)
    os.close(reading)
    (person,) = _customers(1)
    await add(tmp_path / "feedback.db", [incoming(customer=person.id, contact=person)], NOW)
    await until(lambda: len(sent(tmp_path)) == 1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(DEADLINE) == 0


async def test_a_log_that_is_closed_is_no_file(
    tmp_path: Path, processes: list[subprocess.Popen[bytes]]
) -> None:
    """Its number may be the ledger's by then."""
    config = business(tmp_path)
    (person,) = _customers(1)
    await add(tmp_path / "feedback.db", [incoming(customer=person.id, contact=person)], NOW)
    process = _start(processes, config, "run", "--drain", stderr=None)
    assert process.wait(DEADLINE) == 0
    assert rows(tmp_path / "feedback.db", "PRAGMA integrity_check") == [("ok",)]
    assert len(sent(tmp_path)) == 1


def test_the_last_words_of_an_end_by_an_error_are_there(
    tmp_path: Path, processes: list[subprocess.Popen[bytes]]
) -> None:
    """In order: the log first, then the error's line, then what is said before the process is ended hard."""
    config = business(tmp_path, plugin=FATAL, config="")
    config.write_text(config.read_text() + 'required = ["chat"]\n')
    log = tmp_path / "log"
    with log.open("wb") as file:
        process = _start(processes, config, "run", stderr=file.fileno())
        assert process.wait(DEADLINE) == 78
    lines = log.read_text().splitlines()
    assert any(line.startswith("feedback-app: ") for line in lines)
    assert json.loads(lines[-1])["event"] == "not waiting for what a plugin left behind: thread left"


async def test_journald_gets_priorities_and_no_second_time(
    tmp_path: Path, processes: list[subprocess.Popen[bytes]]
) -> None:
    """Where it says that stderr is its own; lines of a plugin say which message they are about."""
    config = business(tmp_path, plugin=SPEAKING)
    (person,) = _customers(1)
    await add(tmp_path / "feedback.db", [incoming(customer=person.id, contact=person)], NOW)
    log = tmp_path / "log"
    with log.open("wb") as file:
        found = os.fstat(file.fileno())
        journal = f"{found.st_dev}:{found.st_ino}"
        process = _start(processes, config, "run", "--drain", stderr=file.fileno(), JOURNAL_STREAM=journal)
        assert process.wait(DEADLINE) == 0
    lines = log.read_text().splitlines()
    priorities = {json.loads(line[3:])["event"]: line[:3] for line in lines}
    assert priorities["ready"] == "<6>"
    assert priorities["hello"] == "<4>"
    assert not [line for line in lines if "timestamp" in line]
    hello = next(json.loads(line[3:]) for line in lines if "hello" in line)
    assert {"message_number": 1, "feedback": 1, "attempt": 1, "channel": "chat"}.items() <= hello.items()
    assert hello["message_id"] == sent(tmp_path)[0]
