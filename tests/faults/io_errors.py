"""Disks with bad blocks: strace makes the Nth sync, write or read of the ledger fail while a daemon works.

It must end with 74 and one clear line (of a disk without space it may also wait and heal), and the next start must find
everything: after an error the state of the file is unknown, so nobody goes on with it.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.faults.oracle import Totals
from tests.faults.scenario import Scene, scene

_STOPPED = 74


class Fault(NamedTuple):
    """A system call that fails."""

    call: str
    error: str
    most: int  # calls of one thread among which the failing one is chosen


FAULTS = (
    Fault("fdatasync", "EIO", 20),
    Fault("pwrite64", "EIO", 200),
    Fault("pread64", "EIO", 150),
    Fault("pwrite64", "ENOSPC", 200),
)


@dataclass(kw_only=True)
class Figures(Totals):
    """What came of the errors."""

    stopped: int = 0  # ended with 74
    healed: int = 0  # waited for space and went on
    harmless: int = 0  # the call never came, or when all was done and closed


def run(first_seed: int, seeds: int) -> Figures:
    """Let one call fail in each of `seeds` runs."""
    figures = Figures()
    for seed in range(first_seed, first_seed + seeds):
        asyncio.run(_case(seed, figures))
    return figures


async def _case(seed: int, figures: Figures) -> None:
    chance = random.Random(seed)
    fault = FAULTS[seed % len(FAULTS)]
    async with scene() as one:
        one.make_ledger()
        await one.fill(chance.randint(20, 60), seed)
        code, said = await one.run("run", "--drain", prefix=_strace(one, fault, chance))
        fatal = _fatal(_trace(one).read_text().splitlines())
        (in_flight,) = one.ask("SELECT count(*) FROM message WHERE state = 'sending'")[0]
        verdict = await one.settle_and_judge()
    wrong = _wrong_with(code, said)
    if code == 0 and fatal:
        wrong.append(f"went on after {fatal[0]}")
    figures.add(verdict, f"seed {seed}, {fault.error} of {fault.call}", in_flight=in_flight, more=wrong)
    figures.stopped += code == _STOPPED
    figures.healed += code == 0 and "no space left" in said
    figures.harmless += code == 0 and "no space left" not in said


def _strace(one: Scene, fault: Fault, chance: random.Random) -> list[str]:
    """Return the command under which the calls on the ledger's files fail, counted in each thread for itself."""
    files = [part for end in ("", "-wal", "-shm") for part in ("-P", f"{one.ledger}{end}")]
    nth = chance.randint(1, fault.most)
    when = f"{nth}..{nth + chance.choice((0, 0, 3))}"
    inject = f"inject={fault.call}:error={fault.error}:when={when}"
    return [
        "strace",
        "-D",
        "-f",
        "-y",
        "-o",
        str(_trace(one)),
        *files,
        "-e",
        f"trace={','.join({fault.call, 'pwrite64', 'fdatasync'})}",
        "-e",
        inject,
    ]


def _trace(one: Scene) -> Path:
    return one.folder / "trace"


def _fatal(calls: list[str]) -> list[str]:
    """Return the failed calls that leave no way but to stop.

    When the ledger is closed its log is read, synced once more and folded back, and SQLite rightly passes over errors
    of that: what is in the log was synced at its commit.
    """
    fatal = []
    unsynced = False  # something was written to the log since it was synced last
    for call in calls:
        of_log = "feedback.db-wal>" in call
        if "pwrite64(" in call and of_log:
            unsynced = True
        if "EIO" in call:
            fatal += [call] * (not of_log if "pread64(" in call else of_log and unsynced)
        elif "fdatasync(" in call and of_log:
            unsynced = False
    return fatal


def _wrong_with(code: int, said: str) -> list[str]:
    wrong = []
    if code not in (0, _STOPPED):
        wrong.append(f"ended with {code}: {said[-500:]}")
    last = (said.splitlines() or [""])[-1]
    if code == _STOPPED and not (last.startswith("feedback-app: ") and "feedback.db: " in last):
        wrong.append(f"ended without a clear line: {said[-500:]}")
    if '"exception"' in said or "a bug in the program" in said:
        wrong.append(f"an error was logged as a bug: {said[-500:]}")
    return wrong
