"""Twenty daemons started at once on one ledger: one runs, and when it is killed the next one may at once."""

from __future__ import annotations

import asyncio
import re
import signal
from dataclasses import dataclass, field

from tests.faults.program import Program
from tests.faults.scenario import Scene, scene

TOGETHER = 20
TAKEOVER_LIMIT = 10.0  # seconds; what a start takes anyway, on a machine where twenty others run
_BUSY = 75
_REFUSAL = re.compile(
    r"a daemon with pid (\d+) already runs on this ledger, since \d{4}-\d\d-\d\d \d\d:\d\d UTC$"
)


@dataclass(kw_only=True)
class Figures:
    """What came of the starts."""

    starts: int = 0
    refused: int = 0  # with 75, the pid of the one that runs and since when
    slowest_takeover: float = 0.0  # seconds from the start after a kill until it is ready
    slow: list[str] = field(default_factory=list)  # what took longer than promised; tests do not look at it
    broken: list[str] = field(default_factory=list)


def run(first_seed: int, seeds: int, together: int = TOGETHER) -> Figures:
    """Start so many at once, `seeds` times."""
    figures = Figures()
    for seed in range(first_seed, first_seed + seeds):
        asyncio.run(_case(seed, together, figures))
    return figures


async def _case(seed: int, together: int, figures: Figures) -> None:
    async with scene() as one:
        if seed % 2:
            one.make_ledger()  # else all of them come upon none and make it
        programs = [await one.start("run") for _ in range(together)]
        try:
            running = await _only_runner(programs)
            figures.starts += together
            if running is None:
                figures.broken.append(f"seed {seed}: not exactly one of {together} runs")
                return
            refusals = [program for program in programs if program is not running]
            wrong = [program.said[-300:] for program in refusals if not await _is_refused(program, running)]
            figures.refused += len(refusals) - len(wrong)
            figures.broken += [f"seed {seed}: {said}" for said in wrong]
            running.signal(signal.SIGKILL)
            await running.ended()
            await _take_over(one, seed, figures)
        finally:
            for program in programs:
                program.signal(signal.SIGKILL)
                await program.ended()


async def _only_runner(programs: list[Program]) -> Program | None:
    """Wait until all but one have ended; None when more or fewer are left."""
    ends = {asyncio.create_task(program.ended(), name=str(program.pid)): program for program in programs}
    async with asyncio.timeout(60):
        while len(ends) > 1:
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for end in done:
                del ends[end]
    ((end, running),) = ends.items()
    try:
        await running.ready()
    except RuntimeError:
        return None  # all have ended
    finally:
        end.cancel()
    return running


async def _is_refused(program: Program, running: Program) -> bool:
    found = _REFUSAL.search(program.said.rstrip())
    return await program.ended() == _BUSY and found is not None and int(found.group(1)) == running.pid


async def _take_over(one: Scene, seed: int, figures: Figures) -> None:
    following = await one.start("run")
    try:
        seconds = await following.ready()
    finally:
        following.signal(signal.SIGTERM)
        await following.ended()
    figures.slowest_takeover = max(figures.slowest_takeover, seconds)
    if seconds > TAKEOVER_LIMIT:
        figures.slow.append(f"seed {seed}: the next daemon was ready after {seconds:.1f} s only")
