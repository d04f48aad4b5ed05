"""The log's way out: it keeps the order, holds nobody up, and says what it lost."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from feedback_app.logs.queue import LogQueue
from feedback_app.logs.repeats import MOST, WINDOW
from tests.running import DEADLINE, until

PIPE = 65536  # bytes that a pipe holds


class Watch:
    """A stopwatch that stands still."""

    now = 0.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Return (reading end, writing end)."""
    ends = os.pipe()
    yield ends
    for one in ends:
        with contextlib.suppress(OSError):  # closed by the test
            os.close(one)


def _record(text: str, level: int = logging.INFO, **fields: object) -> logging.LogRecord:
    return logging.makeLogRecord({"name": "test", "msg": text, "levelno": level, **fields})


def _read(descriptor: int, enough: Callable[[bytes], bool]) -> bytes:
    said = b""
    while not enough(said):
        said += os.read(descriptor, PIPE)
    return said


def test_lines_keep_their_order(pipe: tuple[int, int]) -> None:
    """Those of each thread."""
    queue = LogQueue(pipe[1])

    def log(name: str) -> None:
        for number in range(200):
            queue.handle(_record(f"{name} {number}"))

    threads = [threading.Thread(target=log, args=(name,)) for name in "abc"]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    queue.flush()
    lines = os.read(pipe[0], PIPE).decode().splitlines()

    assert len(lines) == 600
    for name in "abc":
        assert [one for one in lines if one.startswith(name)] == [f"{name} {n}" for n in range(200)]


def test_who_does_not_read_holds_nobody_up(pipe: tuple[int, int]) -> None:
    """What does not fit is dropped and counted, and once there is room again a line says how many."""
    queue = LogQueue(pipe[1], capacity=100)
    line = "x" * 1000

    for _ in range(1000):  # a pipe that holds 65 of them; a write that waited would wait for ever
        queue.handle(_record(line))
    dropped = queue.dropped
    queue.flush(0.05)
    assert queue.is_behind
    assert dropped >= 1000 - 100 - PIPE // 1000 - 1

    said = _read(pipe[0], lambda said: b"dropped\n" in said)

    assert said.decode().splitlines()[:-1] == [line] * (1000 - dropped)
    assert said.endswith(b"log lines were dropped\n")
    queue.flush()
    assert queue.dropped == dropped
    assert not queue.is_behind


def test_a_pipe_that_nobody_has_open_costs_only_the_lines(pipe: tuple[int, int]) -> None:
    """As behind `| head -1`."""
    os.close(pipe[0])
    queue = LogQueue(pipe[1])
    for _ in range(3):
        queue.handle(_record("unheard"))
    queue.flush()
    assert queue.dropped == 3


def test_a_full_disk_tears_no_line_but_the_last_one(tmp_path: Path) -> None:
    """Where space is back, the next line begins anew, and the loss is told."""
    log = tmp_path / "log"
    script = f"""
import logging, os, resource, signal
from feedback_app.logs.queue import LogQueue
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (25, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
queue = LogQueue(os.open({str(log)!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND))
def say(text):
    queue.handle(logging.makeLogRecord(dict(name="test", msg=text, levelno=20)))
    queue.flush()
for _ in range(3):
    say("a line of 20 letters")
assert queue.dropped == 2, queue.dropped
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
say("room again")
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
    assert log.read_text().splitlines() == [
        "a line of 20 letters",
        "a li",
        "room again",
        "log lines were dropped",
    ]


def test_a_descriptor_that_does_not_wait_is_waited_for(pipe: tuple[int, int]) -> None:
    """A terminal is shared, and others may have made it so."""
    os.set_blocking(pipe[1], False)
    queue = LogQueue(pipe[1])
    for number in range(200):
        queue.handle(_record(f"{number} " + "x" * 1000))
    said = _read(pipe[0], lambda said: said.count(b"\n") == 200)
    assert [int(line.split()[0]) for line in said.splitlines()] == list(range(200))
    assert queue.dropped == 0


async def test_lines_like_each_other_are_summed_up(pipe: tuple[int, int]) -> None:
    """After a minute, without another one; the first ten are said."""
    watch = Watch()
    queue = LogQueue(pipe[1], stopwatch=watch)
    queue.setFormatter(logging.Formatter("%(message)s %(count)s", defaults={"count": ""}))
    for number in range(MOST + 5):
        queue.handle(_record("message not sent", logging.WARNING, message_number=number, channel="email"))
    queue.handle(_record("message not sent", logging.WARNING, message_number=1, channel="sms"))
    watch.now = WINDOW
    await until(lambda: not queue.is_behind and queue._repeats.oldest is None)
    queue.flush()
    said = os.read(pipe[0], PIPE).decode().splitlines()

    assert [line.strip() for line in said] == ["message not sent"] * (MOST + 1) + [
        "lines like this one were left out 5"
    ]


def test_a_log_that_is_never_quiet_sums_up_too(pipe: tuple[int, int]) -> None:
    """Each line that is written looks for minutes that are over, not only the pause between two."""
    watch = Watch()
    queue = LogQueue(pipe[1], stopwatch=watch)
    for _ in range(MOST + 1):
        queue.handle(_record("again", logging.ERROR))
    watch.now = WINDOW
    said = b""
    for _ in range(50):  # each sooner than the writer is tired of waiting
        queue.handle(_record("busy"))
        said += _read(pipe[0], lambda some: b"busy\n" in some)
    assert b"lines like this one were left out" in said


def test_what_is_left_out_is_told_at_the_end(pipe: tuple[int, int]) -> None:
    """A flush closes the minute."""
    queue = LogQueue(pipe[1], stopwatch=Watch())
    for _ in range(MOST + 1):
        queue.handle(_record("again", logging.ERROR))
    queue.flush()
    assert os.read(pipe[0], PIPE).decode().splitlines() == ["again"] * MOST + [
        "lines like this one were left out"
    ]


def test_what_cannot_be_shown_is_counted(pipe: tuple[int, int]) -> None:
    """And its author hears nothing of it."""
    queue = LogQueue(pipe[1])
    queue.handle(_record("%d", args=("no number",)))
    queue.flush()
    assert queue.dropped == 1


def test_closed_it_writes_what_it_has_and_ends(pipe: tuple[int, int]) -> None:
    """What comes later is dropped, and nobody waits for it."""
    queue = LogQueue(pipe[1])
    queue.handle(_record("the last one"))
    queue.close()
    queue.close()
    queue._thread.join(DEADLINE)
    queue.handle(_record("too late"))
    queue.flush(0)
    assert os.read(pipe[0], PIPE) == b"the last one\n"
    assert not queue._thread.is_alive()
    assert (queue.dropped, queue.is_behind) == (1, False)
