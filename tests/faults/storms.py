"""Signals in storms, and processes that are stopped and go on: what an impatient operator or a hypervisor does."""

from __future__ import annotations

import asyncio
import random
import signal
from dataclasses import dataclass

from tests.faults.oracle import Totals
from tests.faults.scenario import Scene, scene

# By our handler, or after it has gone, in the last milliseconds of the process, by the system's.
_ENDS = {0, 128 + signal.SIGTERM, 128 + signal.SIGINT, -signal.SIGTERM, -signal.SIGINT}
_RATINGS = 60


@dataclass(kw_only=True)
class Figures(Totals):
    """What the storms left."""

    storms: int = 0
    ended_in_order: int = 0  # exit 0: everything was done before the second signal


def run(first_seed: int, seeds: int) -> Figures:
    """Send five signals 0.1 s apart to `seeds` daemons at work."""
    figures = Figures()
    for seed in range(first_seed, first_seed + seeds):
        asyncio.run(_storm(seed, figures))
    return figures


async def _storm(seed: int, figures: Figures) -> None:
    chance = random.Random(seed)
    async with scene() as one:
        one.make_ledger()
        await one.fill(_RATINGS, seed)
        program = await one.start("run")
        await program.ready()
        await asyncio.sleep(chance.uniform(0, 0.2))  # the moment is the random part
        for _ in range(5):
            program.signal(chance.choice((signal.SIGTERM, signal.SIGINT)))
            await asyncio.sleep(0.1)
        code = await program.ended(5)
        if code not in _ENDS or "Traceback" in program.said:
            figures.broken.append(f"seed {seed}: ended with {code}: {program.said[-500:]}")
        figures.ended_in_order += code == 0
        await _judge(one, seed, figures)
    figures.storms += 1


async def _judge(one: Scene, seed: int, figures: Figures) -> None:
    (in_flight,) = one.ask("SELECT count(*) FROM message WHERE state = 'sending'")[0]
    verdict = await one.settle_and_judge()
    figures.add(verdict, f"seed {seed}", in_flight=in_flight)
