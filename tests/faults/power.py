"""Power cuts: records every write and sync of the program, then rebuilds the files as of any moment.

What was synced before the cut is there; of the rest, each write is there or not by the toss of a coin, as a disk's
cache may have it. The rebuilt ledger is opened and compared with what had been acknowledged by then. The test of the
test is a part of it: the same program is recorded with `synchronous = NORMAL`, too, and its cuts must show losses.

`python -m tests.faults.power LEDGER LOG COUNT` is the program that is recorded.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
import sys
import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from feedback_app.store import ratings
from feedback_app.store.sqlite import file
from feedback_app.store.sqlite.store import SqliteStore
from tests.faults import altered
from tests.faults.feeder import arrival
from tests.faults.recording import Disk, Event, record

RECORDED = 150  # ratings, a commit each
_NORMAL_CUTS = 300  # of the recording that must show losses


@dataclass(kw_only=True)
class Figures:
    """What the cuts found."""

    cuts: int = 0
    acknowledged: int = 0  # summed over the cuts
    lost: int = 0
    corrupt: int = 0
    lost_with_normal: int = 0  # ratings; without any the cuts would show nothing
    broken: list[str] = field(default_factory=list)


async def program(ledger: Path, log: Path, count: int) -> None:
    """Store `count` ratings, a commit each; each is noted in the log when it was acknowledged."""
    chance = random.Random(1)
    with log.open("ab", buffering=0) as acknowledged:
        async with SqliteStore(ledger) as store:
            for number in range(count):
                one = arrival(f"s{number:06d}", chance)
                await store.write(partial(ratings.take_in, arrivals=[one], now=number))
                acknowledged.write(f"{one.feedback.id}\n".encode())


def _record(folder: Path, mode: str) -> list[Event]:
    file.create(folder / "feedback.db")
    shutil.copy(folder / "feedback.db", folder / "before.db")
    program = [sys.executable, "-m", "tests.faults.power", str(folder / "feedback.db"), str(folder / "log"),
               str(RECORDED)]  # fmt: skip
    return record(folder, [*altered.prefix(mode), *program], folder / "trace")


def run(first_seed: int, cuts: int) -> Figures:
    """Cut `cuts` times; then see that cuts of a program that syncs less are found to lose something."""
    figures = cut(first_seed, cuts)
    figures.lost_with_normal = cut(first_seed, _NORMAL_CUTS, "NORMAL").lost
    if not figures.lost_with_normal:
        figures.broken.append(
            "power: no loss was found with synchronous = NORMAL, so these cuts show nothing"
        )
    return figures


def cut(first_seed: int, cuts: int, mode: str = "FULL") -> Figures:
    """Record once, then cut `cuts` times at random moments."""
    chance = random.Random(first_seed)
    figures = Figures()
    with tempfile.TemporaryDirectory(prefix="feedback-power-") as name:
        folder = Path(name)
        events = _record(folder, mode)
        moments = sorted(chance.randrange(len(events) + 1) for _ in range(cuts))
        disk = Disk({"feedback.db": (folder / "before.db").read_bytes()})
        acknowledged = b""
        done = 0
        for moment in moments:
            for event in events[done:moment]:
                if event.name == "log":
                    acknowledged += event.data
                else:
                    disk.take(event)
            done = max(done, moment)
            look(folder / "after", disk.after_a_cut(chance), set(acknowledged.decode().split()), figures)
    return figures


def look(folder: Path, files: dict[str, bytes], acknowledged: set[str], figures: Figures) -> None:
    """Open the files as they were found after a cut, in a new `folder`, and note what is wrong with them."""
    folder.mkdir()
    for name in ("feedback.db", "feedback.db-wal"):
        if name in files:
            (folder / name).write_bytes(files[name])
    figures.cuts += 1
    figures.acknowledged += len(acknowledged)
    try:
        ledger = sqlite3.connect(folder / "feedback.db")
        ledger.execute("PRAGMA synchronous = OFF")  # this copy is thrown away
        sound = ledger.execute("PRAGMA integrity_check").fetchone()[0]
        stored = {row[0] for row in ledger.execute("SELECT external_id FROM feedback")}
        ledger.close()
    except sqlite3.Error as error:
        figures.corrupt += 1
        figures.broken.append(f"power: {error}")
    else:
        if sound != "ok":
            figures.corrupt += 1
            figures.broken.append(f"power: integrity_check: {sound}")
        if lost := acknowledged - stored:
            figures.lost += len(lost)
            figures.broken.append(f"power: lost {sorted(lost)[:3]}")
    shutil.rmtree(folder)


if __name__ == "__main__":
    asyncio.run(program(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
