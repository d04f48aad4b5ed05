"""The whole program at work, to be recorded: fed, killed once, drained, asked for reports; its servers are here.

`python -m tests.faults.power_play FOLDER SEED MODE` plays it in a folder with an empty ledger. What a server took is
noted in a file, before the answer, so the recording has it in its place among the writes; so is each report that a
command said is made.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path

from tests.faults import altered
from tests.faults.kill import config_text
from tests.faults.program import take_leaks
from tests.faults.scenario import Scene
from tests.faults.sinks import Sinks

ACKNOWLEDGED, TOLD = "acknowledged.log", "told.log"  # the feeder's; what was taken and made, a line each
DATES = ("2026-01-01", "2026-01-02")  # of the reports
_AT_FIRST = 20  # ratings that wait when the daemon starts
_IN_ALL = 50  # of which the daemon is killed
_RATE = 25  # ratings a second
_LIMIT = 60.0  # seconds


def config(sinks: Sinks) -> str:
    """Return the configuration: that of the kill loop, and a report."""
    return config_text(sinks) + '\n[reports.daily]\nto = ["owner@example.com"]\n'


class _Notes:
    """Notes what the servers take: `at` hears of it, right after it was counted."""

    def __init__(self, file: Path) -> None:
        self._file = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._known: dict[str, Counter[str]] = {"mail": Counter(), "sms": Counter()}
        self.sinks: Sinks | None = None

    def at(self, stage: str) -> None:
        if self.sinks is not None and stage in ("dot", "taken"):
            kind, counts = (
                ("mail", self.sinks.taken.mails) if stage == "dot" else ("sms", self.sinks.taken.texts)
            )
            for name in counts - self._known[kind]:
                self.say(f"{kind} {name}")
            self._known[kind].update(counts - self._known[kind])

    def say(self, line: str) -> None:
        os.write(self._file, f"{line}\n".encode())


async def play(folder: Path, seed: int, mode: str) -> None:
    """Feed a daemon, kill it, let `run --drain` finish its work; a report is made beside each of them."""
    notes = _Notes(folder / TOLD)
    async with Sinks(delay=0.02, at=notes.at) as sinks:
        notes.sinks = sinks
        one = Scene(folder, sinks)
        (folder / "config.toml").write_text(config(sinks))
        await one.fill(_AT_FIRST, seed)
        daemon = await one.start("run", prefix=altered.prefix(mode))
        feeder = await _feed(one, seed + 1, mode)
        try:
            await daemon.ready()
            await _report(one, DATES[0], notes, mode)
            await _fed(one)
            daemon.signal(signal.SIGKILL)
            await daemon.ended()
        finally:
            feeder.kill()
            await feeder.wait()
        await asyncio.gather(_report(one, DATES[1], notes, mode), _run(one, mode, "run", "--drain"))
    if leaks := take_leaks():
        raise RuntimeError(f"G12: {leaks[:3]}")


async def _feed(one: Scene, seed: int, mode: str) -> asyncio.subprocess.Process:
    command = [*altered.prefix(mode), sys.executable, "-m", "tests.faults.feeder"]
    return await asyncio.create_subprocess_exec(
        *command, str(one.ledger), str(one.log), str(seed), str(_RATE)
    )


async def _fed(one: Scene) -> None:
    deadline = time.monotonic() + _LIMIT
    while one.log.read_text().count("\n") < _IN_ALL:
        if time.monotonic() > deadline:
            raise TimeoutError("the feeder is too slow")
        await asyncio.sleep(0.01)


async def _report(one: Scene, date: str, notes: _Notes, mode: str) -> None:
    await _run(one, mode, "report", "send", "daily", "--date", date)
    notes.say(f"report {date}")


async def _run(one: Scene, mode: str, *arguments: str) -> None:
    code, said = await one.run(*arguments, prefix=altered.prefix(mode))
    if code:
        raise RuntimeError(f"{arguments} ended with {code}: {said}")


if __name__ == "__main__":
    asyncio.run(play(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
