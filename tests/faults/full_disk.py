"""A small disk that is filled and freed under load, again and again: a file system of 8 MiB in memory.

While there is no space everything is refused, nothing that was acknowledged is lost, and when space is back the same
daemon goes on by itself. A disk stays full until somebody was refused for it, so that each filling hurts. Mounting
needs root.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.faults.feeder import refusals_beside
from tests.faults.oracle import Totals
from tests.faults.program import Program
from tests.faults.scenario import Scene, scene

HEAL_LIMIT = 5.0  # seconds
_BITE_LIMIT = 10.0  # seconds until a full disk refuses somebody
_CYCLES = 3
_RATE = 60  # ratings a second


@dataclass(kw_only=True)
class Figures(Totals):
    """What the full disks did."""

    skipped: int = 0  # cases for which no disk could be mounted
    fillings: int = 0  # each of which refused a rating, or the daemon
    refusals: int = 0  # ratings that found the disk full
    waits: int = 0  # times that the daemon said that it waits for space: once for all within five seconds
    slowest_heal: float = 0.0  # seconds from the space being back to new ratings stored, old ones processed


@contextlib.contextmanager
def small_disk() -> Iterator[Path]:
    """Mount a file system of 8 MiB. Raises PermissionError where that may not be done."""
    with tempfile.TemporaryDirectory(prefix="feedback-disk-") as name:
        command = ["mount", "-t", "tmpfs", "-o", "size=8m", "none", name]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            raise PermissionError("a small file system cannot be mounted: that needs root")
        try:
            yield Path(name)
        finally:
            subprocess.run(["umount", "--lazy", name], check=True)


def fill(disk: Path) -> Path:
    """Leave no space; returns the file that takes it."""
    filler = disk / "filler"
    with contextlib.suppress(OSError), filler.open("ab", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    return filler


def run(first_seed: int, seeds: int) -> Figures:
    """Fill and free a new disk three times for each seed."""
    figures = Figures()
    for seed in range(first_seed, first_seed + seeds):
        with contextlib.ExitStack() as stack:
            try:
                disk = stack.enter_context(small_disk())
            except PermissionError:
                figures.skipped += 1
            else:
                asyncio.run(_case(seed, disk, figures))
    return figures


async def _case(seed: int, disk: Path, figures: Figures) -> None:
    chance = random.Random(seed)
    async with scene() as one:
        one.ledger.symlink_to(disk / "feedback.db")
        one.make_ledger()
        daemon = await one.start("run")
        await daemon.ready()
        async with one.fed(seed, _RATE) as feeder:
            for _ in range(_CYCLES):
                await asyncio.sleep(chance.uniform(0.2, 0.6))  # the moment is the random part
                before = _refused(one, daemon)
                filler = fill(disk)
                await asyncio.sleep(chance.uniform(0.3, 1.5))
                bit = await _bites(disk, one, daemon, before)
                filler.unlink()
                if not bit:
                    figures.broken.append(f"seed {seed}: the disk was full and refused nobody")
                    break
                figures.fillings += 1
                if not await _heals(one, daemon, feeder, figures):
                    figures.broken.append(f"seed {seed}: no recovery: {daemon.said[-500:]}")
                    break
        daemon.signal(signal.SIGTERM)
        if code := await daemon.ended():
            figures.broken.append(f"seed {seed}: ended with {code}: {daemon.said[-500:]}")
        await _judge(one, seed, daemon, figures)


async def _bites(disk: Path, one: Scene, daemon: Program, before: tuple[int, int]) -> bool:
    """Keep the disk full until somebody was refused: folding its log back gives the program a little space again."""
    deadline = time.perf_counter() + _BITE_LIMIT
    while _refused(one, daemon) == before:
        if time.perf_counter() > deadline:
            return False
        fill(disk)
        await asyncio.sleep(0.02)
    return True


def _refused(one: Scene, daemon: Program) -> tuple[int, int]:
    """Return how many ratings of the feeder were refused, and how often the daemon said that it waits for space."""
    noted = refusals_beside(one.log)
    return (
        noted.stat().st_size if noted.exists() else 0,
        daemon.said.count("no space left on the disk"),
    )


async def _heals(one: Scene, daemon: Program, feeder: asyncio.subprocess.Process, figures: Figures) -> bool:
    """Wait until ratings are taken in and processed again."""
    seconds = await one.goes_on(daemon, feeder, HEAL_LIMIT)
    figures.slowest_heal = max(figures.slowest_heal, seconds or 0.0)
    return seconds is not None


async def _judge(one: Scene, seed: int, daemon: Program, figures: Figures) -> None:
    verdict = await one.settle_and_judge()  # it was never killed, so it knows of each message how it ended
    unclear = [f"{verdict.maybe_sent} messages marked, {verdict.held} held"] if verdict.maybe_sent else []
    refusals, waits = _refused(one, daemon)
    figures.refusals += refusals
    figures.waits += waits
    figures.add(verdict, f"seed {seed}", in_flight=0, more=unclear)
