"""Another process keeps everybody from writing, for seconds or for a minute, while a daemon works under load.

Whoever waits in vain is told who is in the way, nothing that was acknowledged is lost, nothing is sent twice, and once
the lock is gone the same daemon goes on by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
from collections.abc import Sequence
from dataclasses import dataclass

from tests.faults.oracle import Totals
from tests.faults.scenario import Scene, scene
from tests.store.strangers import stranger

HEAL_LIMIT = 5.0  # seconds
_SHORT, _LONG = (1.0, 12.0), 60.0  # seconds
_PATIENCE = 8.0  # seconds; whoever writes waits for five, and under load somebody always does
_LONG_EVERY = 5  # cases
_LOCKS = 3  # short ones in a case
_RATE = 60  # ratings a second


@dataclass(kw_only=True)
class Figures(Totals):
    """What the locks did."""

    locks: int = 0
    named: int = 0  # lines of the daemon's log that say who holds the ledger: one until it is steady again
    most_locked_seconds: float = 0.0
    slowest_heal: float = 0.0  # seconds from the lock's end to new ratings stored, old ones processed


def run(first_seed: int, seeds: int, times: Sequence[float] = ()) -> Figures:
    """Lock a ledger for so many seconds each, by default three times for some or once for a minute, for each seed."""
    figures = Figures()
    for seed in range(first_seed, first_seed + seeds):
        asyncio.run(_case(seed, figures, times))
    return figures


async def _case(seed: int, figures: Figures, times: Sequence[float]) -> None:
    chance = random.Random(seed)
    times = times or (
        [_LONG] if seed % _LONG_EVERY == 0 else [chance.uniform(*_SHORT) for _ in range(_LOCKS)]
    )
    async with scene() as one:
        one.make_ledger()
        daemon = await one.start("run")
        await daemon.ready()
        async with one.fed(seed, _RATE) as feeder:
            told = 0
            for seconds in times:
                await asyncio.sleep(chance.uniform(0.3, 0.8))  # the moment is the random part
                holder = await _locked(one, seconds)
                figures.locks += 1
                figures.most_locked_seconds = max(figures.most_locked_seconds, seconds)
                if (healed := await one.goes_on(daemon, feeder, HEAL_LIMIT)) is None:
                    figures.broken.append(
                        f"seed {seed}: no recovery after {seconds:.1f} s: {daemon.said[-500:]}"
                    )
                    break
                figures.slowest_heal = max(figures.slowest_heal, healed)
                told += daemon.said.count(f"(pid {holder}) holds the ledger locked")
        figures.named += told
        if max(times) > _PATIENCE and not told:
            figures.broken.append(f"seed {seed}: nobody was told of a lock of {max(times):.1f} s")
        daemon.signal(signal.SIGTERM)
        if code := await daemon.ended():
            figures.broken.append(f"seed {seed}: ended with {code}: {daemon.said[-500:]}")
        # It was never killed, so it knows of each message how it ended.
        verdict = await one.settle_and_judge()
    unclear = [f"{verdict.maybe_sent} messages marked"] if verdict.maybe_sent else []
    figures.add(verdict, f"seed {seed}", in_flight=0, more=unclear)


async def _locked(one: Scene, seconds: float) -> int:
    """Let another process hold the ledger for so long; returns its number."""
    with contextlib.ExitStack() as lock:
        pid = await asyncio.to_thread(lock.enter_context, stranger(one.ledger, "BEGIN EXCLUSIVE"))
        await asyncio.sleep(seconds)
        await asyncio.to_thread(lock.close)
    return pid
