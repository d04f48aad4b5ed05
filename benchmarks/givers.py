"""Processes that give ratings to a ledger: `python -m benchmarks.givers KIND FOLDER [RATE]`.

They begin with the line "ready". `add` and `submit` give one for every number that comes on standard input and answer
with a line of two times, when it was asked for and when it was committed, in monotonic nanoseconds. `feed` gives RATE
a second until it is ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

from benchmarks.workload import CUSTOMERS, ratings
from feedback_app import Feedback
from feedback_app.cli import run_command_line
from feedback_app.clock import now_ms
from feedback_app.daemon import Daemon
from feedback_app.intake.identity import content_hash
from feedback_app.intake.records import Incoming
from feedback_app.settings import load_settings
from feedback_app.store import ratings as inbox
from feedback_app.store.sqlite.doorbell import ring
from feedback_app.store.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

_EVERY = 0.1  # seconds between the feeder's commits


def answer(give: Callable[[int], tuple[int, int]]) -> None:
    """Give as told by standard input until it ends."""
    print("ready", flush=True)
    for line in sys.stdin:
        print(*give(int(line)), flush=True)


def _add(folder: Path) -> None:
    """Run `feedback add` for each, in this process: its start would only be waited for, and comes before the commit."""
    committed = 0

    def note(ledger: Path) -> None:
        nonlocal committed
        committed = time.monotonic_ns()
        ring(ledger)

    def give(number: int) -> tuple[int, int]:
        asked = time.monotonic_ns()
        command = ["--config", str(folder / "config.toml"), "feedback", "add", "--id", f"n{number}"]
        command += [
            "--customer",
            f"c{number}",
            "--rating",
            "5",
            "--item",
            "umbrella",
            "--comment",
            "kind words",
        ]
        with contextlib.redirect_stdout(io.StringIO()):
            assert run_command_line(command) == 0
        return asked, committed

    with patch("feedback_app.store.sqlite.store.ring", note):  # what is called right after each commit
        answer(give)


def _submit(folder: Path) -> None:
    """Hold the daemon in a thread, as a surrounding program does, and hand over to it."""
    daemon = Daemon(load_settings(folder / "config.toml", environ={}))
    running = threading.Thread(target=_run, args=(daemon,))
    running.start()
    daemon.ready.wait()

    def give(number: int) -> tuple[int, int]:
        committed = 0

        def note(_answer: Future[int]) -> None:
            nonlocal committed
            committed = time.monotonic_ns()

        one = Feedback(
            id=f"n{number}", customer=f"c{number}", rating=5, item="umbrella", comment="kind words"
        )
        asked = time.monotonic_ns()
        stored = daemon.submit(one)
        stored.add_done_callback(note)
        stored.result()
        return asked, committed

    answer(give)
    daemon.stop()
    running.join()


def _run(daemon: Daemon) -> None:
    with asyncio.Runner(loop_factory=_loops()) as runner:
        runner.run(daemon.run())


def _loops() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's where it is installed, as `feedback-app run` does."""
    try:
        import uvloop
    except ImportError:
        return None
    loops: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return loops


async def _feed(folder: Path, rate: int) -> None:
    """Give ratings of the second half of the customers, a commit every tenth of a second."""
    size = max(1, int(rate * _EVERY))
    begun = time.monotonic()
    arrivals = []
    async with SqliteStore(folder / "feedback.db") as store:
        print("ready", flush=True)
        for number, one in enumerate(ratings(rate * 3600), 1):
            whom = f"c{CUSTOMERS // 2 + number % (CUSTOMERS // 2)}"
            rating = Feedback(
                id=one.id, source="feeder", customer=whom, rating=one.rating, comment=one.comment
            )
            arrivals.append(Incoming(rating, None, content_hash(rating), number, ()))
            if len(arrivals) == size:
                await store.write(partial(inbox.take_in, arrivals=arrivals, now=now_ms()))
                arrivals = []
                await asyncio.sleep(max(0.0, begun + number / rate - time.monotonic()))


def main() -> None:
    """Do what the command line says."""
    kind, folder = sys.argv[1], Path(sys.argv[2])
    if kind == "feed":
        asyncio.run(_feed(folder, int(sys.argv[3])))
    else:
        {"add": _add, "submit": _submit}[kind](folder)


if __name__ == "__main__":
    main()
