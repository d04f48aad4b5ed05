"""SIGKILL at every single write and sync of a run over twenty ratings: at each kind's 1st, 2nd, 3rd … call."""

from __future__ import annotations

import asyncio
import re
import signal
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.faults.oracle import Totals
from tests.faults.scenario import scene

CALLS = "pwrite64,fdatasync,fsync,ftruncate"  # by which SQLite reaches the disk
_RATINGS = 20
_CALL = re.compile(r"(?:(\d+) +)?(\w+)\(")


class Call(NamedTuple):
    """A system call, told as strace tells it: it counts each kind on its own, and in each thread."""

    name: str
    nth: int


def made_in(lines: Iterable[str]) -> list[Call]:
    """Return the calls of what strace wrote down, in order; of threads that made as many, the first."""
    counts: Counter[tuple[str, str]] = Counter()
    calls: dict[Call, None] = {}
    for line in lines:
        if found := _CALL.match(line):
            counts[found[1], found[2]] += 1
            calls[Call(found[2], counts[found[1], found[2]])] = None
    return list(calls)


@dataclass(kw_only=True)
class Figures(Totals):
    """What the kills left."""

    kills: int = 0
    beyond: int = 0  # cases whose call never came: the run makes fewer


def run(first_seed: int, seeds: int) -> Figures:
    """Kill at the calls number `first_seed` + 1 to `first_seed` + `seeds`, as a run that was watched makes them."""
    return asyncio.run(_run(first_seed, seeds))


async def _run(first_seed: int, seeds: int) -> Figures:
    figures = Figures()
    made = await watched()
    for number in range(first_seed, first_seed + seeds):
        if number < len(made):
            await _case(number, made[number], figures)
        else:
            figures.beyond += 1
    return figures


async def watched() -> list[Call]:
    """Return the calls of a whole run."""
    async with scene() as one:
        log = one.folder / "calls"
        one.make_ledger()
        await one.fill(_RATINGS, 0)
        code, said = await one.run("run", "--drain", prefix=_strace(log, one.ledger))
        assert code == 0, said
        return made_in(log.read_text().splitlines())


async def _case(seed: int, call: Call, figures: Figures) -> None:
    inject = f"inject={call.name}:signal=KILL:when={call.nth}"
    async with scene() as one:
        one.make_ledger()
        await one.fill(_RATINGS, seed)
        code, said = await one.run("run", "--drain", prefix=_strace(Path("/dev/null"), one.ledger, inject))
        if code not in (0, -signal.SIGKILL):
            figures.broken.append(f"{call}: ended with {code}: {said[-500:]}")
        figures.kills += code != 0
        figures.beyond += code == 0
        (in_flight,) = one.ask("SELECT count(*) FROM message WHERE state = 'sending'")[0]
        verdict = await one.settle_and_judge()
    figures.add(verdict, str(call), in_flight=in_flight)


def _strace(log: Path, ledger: Path, inject: str = "") -> list[str]:
    # Only the ledger, its log and their folder: else the n-th call that another thread makes of its memory's file
    # (-shm) would come before the writer's. -D keeps the program the child of this process, whose end is waited for.
    paths = (ledger, ledger.with_name(f"{ledger.name}-wal"), ledger.parent)
    options = [f"trace={CALLS}", *([inject] if inject else [])]
    return [
        *("strace", "-D", "-f", "-o", str(log)),
        *(word for path in paths for word in ("-P", str(path))),
        *(word for option in options for word in ("-e", option)),
    ]
