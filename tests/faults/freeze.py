"""A daemon that is frozen longer than its leases and goes on: a virtual machine that was paused, a laptop's lid."""

from __future__ import annotations

import asyncio
import random
import signal
from dataclasses import dataclass

from tests.faults.oracle import Totals
from tests.faults.scenario import Scene, scene

_RATINGS = 60
_LEASE = 30.0  # seconds
_LIMIT = 60.0
_OPEN = """SELECT (SELECT count(*) FROM feedback WHERE state = 'received')
                + (SELECT count(*) FROM message WHERE state IN ('queued', 'sending'))"""


@dataclass(kw_only=True)
class Figures(Totals):
    """What the pauses left."""

    pauses: int = 0


def run(first_seed: int, seeds: int, seconds: float = _LEASE + 5) -> Figures:
    """Freeze `seeds` daemons at work, all at once, for so many seconds."""
    figures = Figures()

    async def together() -> None:
        await asyncio.gather(*(_case(first_seed + number, seconds, figures) for number in range(seeds)))

    asyncio.run(together())
    return figures


async def _case(seed: int, seconds: float, figures: Figures) -> None:
    async with scene() as one:
        one.make_ledger()
        await one.fill(_RATINGS, seed)
        program = await one.start("run")
        await program.ready()
        await asyncio.sleep(random.Random(seed).uniform(0, 0.2))  # the moment is the random part
        program.signal(signal.SIGSTOP)
        (in_flight,) = one.ask("SELECT count(*) FROM message WHERE state = 'sending'")[0]
        await asyncio.sleep(seconds)  # the fault itself
        program.signal(signal.SIGCONT)
        await _done(one)
        program.signal(signal.SIGTERM)
        code = await program.ended()
        verdict = await one.settle_and_judge()
    problems = [f"ended with {code}: {program.said[-500:]}"] if code else []
    figures.pauses += 1
    figures.add(verdict, f"seed {seed}", in_flight=in_flight, more=problems)


async def _done(one: Scene) -> None:
    """Return once the daemon itself, not a new start, has brought all to an end."""
    async with asyncio.timeout(_LIMIT):
        while one.ask(_OPEN) != [(0,)]:  # noqa: ASYNC110 - it happens in another process
            await asyncio.sleep(0.05)
