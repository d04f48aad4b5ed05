"""Backups under full load, each restored and compared with what was acknowledged before it began.

Some are killed at a random moment first: then there is no file of that name, or a whole one. What a restored ledger
has waiting is held, the rest is processed, and each rating has taken effect once.
"""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.oracle import Totals, Verdict, asking, judge_ratings, said_so
from tests.faults.program import Program
from tests.faults.scenario import Scene, scene

_BACKLOG = 4_000  # ratings that wait when the daemon starts: it works as fast as it can
_RATE = 120.0  # ratings a second that come beside them
_KILLED = 0.3  # share of the backups that are killed and made again
_PLAIN = """
[business]
name = "Restored"
"""  # mails become files: nothing of a restored ledger leaves


@dataclass(kw_only=True)
class Figures(Totals):
    """What became of the backups; the totals are those of the ledger that was in use."""

    backups: int = 0
    kills: int = 0  # backups that were killed half-way
    ratings: int = 0  # in the backups, summed
    meanwhile: int = 0  # ratings acknowledged while backups were made
    held_by_restores: int = 0  # messages
    slowest_backup: float = 0.0  # seconds of the command


def run(first_seed: int, seeds: int, backlog: int = _BACKLOG) -> Figures:
    """Make `seeds` backups of one ledger under load, restore each, and return the figures."""
    figures = Figures()
    asyncio.run(_load(first_seed, seeds, backlog, figures))
    return figures


async def _load(first_seed: int, seeds: int, backlog: int, figures: Figures) -> None:
    async with scene() as one:
        one.make_ledger()
        await one.fill(backlog, first_seed)
        daemon = await one.start("run")
        await daemon.ready()
        feeder = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.faults.feeder",
            str(one.ledger), str(one.log), str(first_seed + 50_000), str(_RATE),
        )  # fmt: skip
        try:
            for seed in range(first_seed, first_seed + seeds):
                await _case(one, seed, figures)
        finally:
            feeder.kill()
            await feeder.wait()
            daemon.signal(signal.SIGTERM)
        if code := await daemon.ended():
            figures.broken.append(f"the daemon ended with {code}: {daemon.said[-500:]}")
        verdict = await one.settle_and_judge()
        figures.add(verdict, f"seeds {first_seed} to {first_seed + seeds - 1}", in_flight=0)


async def _case(one: Scene, seed: int, figures: Figures) -> None:
    chance = random.Random(seed)
    target = one.folder / f"backup-{seed}.db"
    await asyncio.sleep(chance.uniform(0.0, 0.5))  # the moment is the random part
    if chance.random() < _KILLED:
        await _kill_one(one, target, chance, figures)
    before = said_so(one.log)
    begun = time.perf_counter()
    code, said = await one.run("db", "backup", str(target), "--json")
    figures.slowest_backup = max(figures.slowest_backup, time.perf_counter() - begun)
    figures.meanwhile += len(said_so(one.log)) - len(before)
    if code:
        figures.broken.append(f"seed {seed}: no backup, {code}: {said[-300:]}")
        return
    figures.backups += 1
    told = json.loads(said)
    figures.ratings += told["ratings"]
    wrong = await _restored(one, seed, target, before, told, figures)
    figures.broken += [f"seed {seed}: {line}" for line in wrong]


async def _kill_one(one: Scene, target: Path, chance: random.Random, figures: Figures) -> None:
    """End a backup at a random moment; its file may have its name by then."""
    program = await one.start("db", "backup", str(target))
    await asyncio.sleep(chance.uniform(0.2, 0.9))
    program.signal(signal.SIGKILL)
    if await program.ended():
        figures.kills += 1
        if await asyncio.to_thread(target.exists) and not _is_whole(target):
            figures.broken.append(f"{target.name}: killed, and a file of that name is no backup")
    await asyncio.to_thread(target.unlink, missing_ok=True)


def _is_whole(target: Path) -> bool:
    """Whether a backup that was killed had come to its end: then it is one."""
    try:
        with asking(target) as ask:
            (said,) = ask("PRAGMA integrity_check")
            return said == {"integrity_check": "ok"} and bool(ask("SELECT 1 FROM feedback LIMIT 1"))
    except sqlite3.Error:
        return False


async def _restored(
    one: Scene, seed: int, target: Path, before: Mapping[str, str], told: Mapping[str, Any], figures: Figures
) -> list[str]:
    """Restore a backup in a folder of its own, work on it there, and return what is wrong."""
    folder = one.folder / f"restored-{seed}"
    folder.mkdir()
    (folder / "config.toml").write_text(_PLAIN)
    wrong = []
    try:
        done = json.loads(await _ok(folder, figures, "db", "restore", str(target), "--yes", "--json"))
        figures.held_by_restores += done["messages_held"]
        ledger = folder / "feedback.db"
        with asking(ledger) as ask:
            (counted,) = ask("SELECT count(*) AS ratings FROM feedback")
            waiting = ask("SELECT id FROM message WHERE state IN ('queued', 'sending')")
        if counted["ratings"] != told["ratings"]:
            wrong.append(f"{counted['ratings']} ratings, {told['ratings']} were said to be in it")
        if waiting:
            wrong.append(f"{len(waiting)} messages wait that may have left")
        await _ok(folder, figures, "run", "--drain")
        await _ok(folder, figures, "db", "check")
        verdict = Verdict()
        with asking(ledger) as ask:
            judge_ratings(ask, dict(before), verdict)
        wrong += verdict.broken
    except RuntimeError as error:
        wrong.append(str(error))
    await asyncio.to_thread(shutil.rmtree, folder)
    await asyncio.to_thread(target.unlink)
    return wrong


async def _ok(folder: Path, figures: Figures, *arguments: str) -> str:
    """Run a command that must succeed; returns what it said."""
    program = await Program.start(folder, *arguments)
    code = await program.ended()
    if code:
        raise RuntimeError(f"{' '.join(arguments[:2])} ended with {code}: {program.said[-500:]}")
    return program.said
