"""SIGKILL at every single write and sync: a run over twenty ratings, killed at its 1st, 2nd, 3rd … such system call."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass

from tests.faults.oracle import Totals
from tests.faults.scenario import scene

CALLS = "pwrite64,fdatasync,fsync,ftruncate"  # by which SQLite reaches the disk
_RATINGS = 20


@dataclass(kw_only=True)
class Figures(Totals):
    """What the kills left."""

    kills: int = 0
    beyond: int = 0  # cases whose call never came: the run makes fewer


def run(first_seed: int, seeds: int) -> Figures:
    """Kill at the calls number `first_seed` + 1 to `first_seed` + `seeds`."""
    figures = Figures()
    for nth in range(first_seed + 1, first_seed + seeds + 1):
        asyncio.run(_case(nth, figures))
    return figures


async def _case(nth: int, figures: Figures) -> None:
    strace = [
        "strace",
        "-f",
        "-o",
        "/dev/null",
        "-e",
        f"trace={CALLS}",
        "-e",
        f"inject={CALLS}:signal=KILL:when={nth}",
    ]
    async with scene() as one:
        one.make_ledger()
        await one.fill(_RATINGS, nth)
        # -D keeps the program the child of this process, so that its end is what is waited for.
        code, said = await one.run("run", "--drain", prefix=[strace[0], "-D", *strace[1:]])
        if code not in (0, -signal.SIGKILL):
            figures.broken.append(f"call {nth}: ended with {code}: {said[-500:]}")
        figures.kills += code != 0
        figures.beyond += code == 0
        (in_flight,) = one.ask("SELECT count(*) FROM message WHERE state = 'sending'")[0]
        verdict = await one.settle_and_judge()
    figures.add(verdict, f"call {nth}", in_flight=in_flight, more=one.leaks)
