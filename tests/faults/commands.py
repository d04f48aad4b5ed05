"""Commands beside a daemon under load: all of them succeed, and none keeps the daemon's writer waiting.

How long a command holds the ledger is what the kernel says of its lock, looked at every millisecond.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.faults.lock_watch import LockWatch
from tests.faults.scenario import Scene, scene

HOLD_LIMIT = 0.05  # seconds
_RATE = 100  # ratings a second
_PREPARED = 300  # ratings that are through when it begins
_COMMANDS = (
    ("status", "--json"),
    ("feedback", "list", "--json"),
    ("low-ratings", "list"),
    ("low-ratings", "export", "--format", "csv"),
    ("messages", "list", "--state", "sent"),
    ("low-ratings", "note", "{number}", "seen"),
    ("feedback", "add", "--rating", "5", "--comment", "canary"),
    ("customers", "add", "--id", "canary-{number}", "--email", "canary@example.com"),
    ("messages", "retry", "{dead}"),
)


@dataclass(kw_only=True)
class Figures:
    """How the commands fared."""

    commands: int = 0
    held: int = 0  # commands that were seen to hold the ledger
    held_long: int = 0  # of them, those beyond the limit; the machine may have had no time for them
    slowest_hold: float = 0.0  # seconds that a command kept everybody else from writing
    slowest_command: float = 0.0  # seconds from its start to its end
    slow: list[str] = field(default_factory=list)  # what took longer than promised; tests do not look at it
    broken: list[str] = field(default_factory=list)


def run(first_seed: int, seeds: int) -> Figures:
    """Run `seeds` commands beside one daemon."""
    figures = Figures()
    asyncio.run(_load(random.Random(first_seed), seeds, figures))
    return figures


async def _load(chance: random.Random, commands: int, figures: Figures) -> None:
    async with scene() as one:
        one.make_ledger()
        await one.fill(_PREPARED, chance.randrange(10_000), by_sms=0.0)
        await one.run("run", "--drain")
        dead = _bury(one, commands)
        daemon = await one.start("run")
        await daemon.ready()
        feeder = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.faults.feeder",
            str(one.ledger), str(one.log), str(chance.randrange(10_000, 20_000)), str(_RATE),
        )  # fmt: skip
        watch = LockWatch(one.ledger, spare={daemon.pid, feeder.pid})
        try:
            with watch.watching():
                for _ in range(commands):
                    await _command(one, chance, dead, figures)
        finally:
            feeder.kill()
            await feeder.wait()
            daemon.signal(signal.SIGTERM)
        if code := await daemon.ended():
            figures.broken.append(f"the daemon ended with {code}: {daemon.said[-500:]}")
    figures.held = len(watch.longest)
    figures.slowest_hold = max(watch.longest.values(), default=0.0)
    figures.held_long = sum(seconds > HOLD_LIMIT for seconds in watch.longest.values())
    if figures.held_long:
        figures.slow.append(
            f"{figures.held_long} commands held the ledger longer than {HOLD_LIMIT * 1000:.0f} ms"
        )


def _bury(one: Scene, count: int) -> Iterator[int]:
    """Make dead letters, for `messages retry`; returns their numbers."""
    numbers = [number for (number,) in one.ask(f"SELECT id FROM message LIMIT {count}")]
    with contextlib.closing(sqlite3.connect(one.ledger)) as base, base:
        base.execute("UPDATE message SET state = 'dead'")
    return iter(numbers)


async def _command(one: Scene, chance: random.Random, dead: Iterator[int], figures: Figures) -> None:
    words = chance.choice(_COMMANDS)
    names = {"number": str(chance.randint(1, 50)), "dead": ""}
    if "{dead}" in words:
        names["dead"] = str(next(dead, ""))
        if not names["dead"]:
            words = _COMMANDS[0]
    begun = time.perf_counter()
    code, said = await one.run(*(word.format(**names) for word in words))
    figures.slowest_command = max(figures.slowest_command, time.perf_counter() - begun)
    figures.commands += 1
    if code:
        figures.broken.append(f"{' '.join(words)}: exit {code}: {said[-300:]}")
