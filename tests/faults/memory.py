"""Too little memory: the program has less address space than it needs, so that an allocation fails anywhere.

It may end with any code, as if killed, or get through; when it is started again with enough, nothing is lost. It may
hang, too: a thread that finds no memory in its first moment leaves the one that starts it waiting, in Python itself.
"""

from __future__ import annotations

import asyncio
import random
import signal
from dataclasses import dataclass, field

from tests.faults.oracle import Totals
from tests.faults.scenario import scene

_RATINGS = 200
# In its last moments it may notice itself that a send failed in the middle, and queue the message again.
_MAY_DOUBLE = "SELECT count(*) FROM message WHERE state = 'sending' OR maybe_sent_at IS NOT NULL"
_LEAST, _MOST = 60, 420  # MB of address space: from what no start can do with to what always is enough
_PATIENCE = 20.0  # seconds; it takes one or two


@dataclass(kw_only=True)
class Figures(Totals):
    """What came of it."""

    got_through: int = 0
    ended: int = 0  # by itself
    hung: int = 0
    codes: dict[str, int] = field(default_factory=dict)  # exit code, negative for a signal → cases


def run(first_seed: int, seeds: int) -> Figures:
    """Start it so often with so little."""
    figures = Figures()
    for seed in range(first_seed, first_seed + seeds):
        asyncio.run(_case(seed, figures))
    if figures.hung == seeds:
        figures.broken.append(f"seeds from {first_seed}: each hung, so nothing was tried")
    return figures


async def _case(seed: int, figures: Figures) -> None:
    megabytes = random.Random(seed).randint(_LEAST, _MOST)
    async with scene() as one:
        one.make_ledger()
        await one.fill(_RATINGS, seed)
        program = await one.start("run", "--drain", prefix=["prlimit", f"--as={megabytes << 20}"])
        try:
            code = await program.ended(_PATIENCE)
        except TimeoutError:
            figures.hung += 1
            program.signal(signal.SIGKILL)
            await program.ended()
        else:
            figures.got_through += code == 0
            figures.ended += code != 0
            figures.codes[str(code)] = figures.codes.get(str(code), 0) + 1
        (may_double,) = one.ask(_MAY_DOUBLE)[0]
        verdict = await one.settle_and_judge()
    figures.add(verdict, f"seed {seed}, {megabytes} MB", in_flight=may_double)
