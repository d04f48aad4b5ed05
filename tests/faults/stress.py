"""Writers, readers and checkpoints in each other's way: SQLite before 3.51.3 can, rarely, corrupt a ledger so.

A case is a round of a few seconds on one ledger: commands write from three processes, a daemon's store writes and
folds the log back all the time, a reader holds snapshots. After each round the ledger is checked page by page.

`python -m tests.faults.stress PART LEDGER LOG SEED` is one of the processes: a daemon, a command or a reader.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import sys
import tempfile
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from feedback_app.store import ratings
from feedback_app.store.sqlite import file, writer
from feedback_app.store.sqlite.store import SqliteStore
from tests.faults.feeder import arrival

_SECONDS = 4.0
_OFTEN = 64 * 1024  # bytes of log that are folded back: several times a second
_PARTS = ("daemon", "command", "command", "command", "reader")


@dataclass(kw_only=True)
class Figures:
    """What the rounds found."""

    rounds: int = 0
    checkpoints: int = 0  # that emptied the log
    acknowledged: int = 0
    lost: int = 0
    corrupt: int = 0
    broken: list[str] = field(default_factory=list)


def run(first_seed: int, rounds: int) -> Figures:
    """Let them meet on one ledger, which grows from round to round."""
    figures = Figures()
    with tempfile.TemporaryDirectory(prefix="feedback-stress-") as name:
        ledger = Path(name) / "feedback.db"
        file.create(ledger)
        for seed in range(first_seed, first_seed + rounds):
            asyncio.run(_round(ledger, seed, figures))
    return figures


async def _round(ledger: Path, seed: int, figures: Figures) -> None:
    logs = [ledger.with_name(f"{seed}-{number}.log") for number in range(len(_PARTS))]
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.faults.stress", part, str(ledger), str(log), f"{seed}{number}"
        )
        for number, (part, log) in enumerate(zip(_PARTS, logs, strict=True))
    ]  # fmt: skip
    ends = [await process.wait() for process in processes]
    if any(ends):
        figures.broken.append(f"seed {seed}: ended with {ends}")
    told = [line for log in logs if log.exists() for line in log.read_text().splitlines()]
    figures.checkpoints += told.count("checkpoint")
    figures.rounds += 1
    _check(ledger, seed, set(told) - {"checkpoint"}, figures)


def _check(ledger: Path, seed: int, acknowledged: set[str], figures: Figures) -> None:
    base = sqlite3.connect(ledger)
    found = base.execute("PRAGMA integrity_check").fetchone()[0]
    stored = {key for (key,) in base.execute("SELECT external_id FROM feedback")}
    base.close()
    figures.acknowledged += len(acknowledged)
    figures.lost += len(acknowledged - stored)
    if found != "ok":
        figures.corrupt += 1
        figures.broken.append(f"seed {seed}: {found}")
    if lost := acknowledged - stored:
        figures.broken.append(f"seed {seed}: lost {sorted(lost)[:3]}")


async def _write(ledger: Path, log: Path, seed: str, role: str) -> None:
    """Store ratings, some in one commit, and note what was acknowledged and when the log was emptied."""
    chance = random.Random(seed)
    until = time.monotonic() + _SECONDS
    number = 0
    with log.open("w") as told:
        async with SqliteStore(ledger, "daemon" if role == "daemon" else "command") as store:
            while time.monotonic() < until:
                some = [arrival(f"s{seed}n{number + k}", chance) for k in range(chance.randint(1, 20))]
                number += len(some)
                grown = ledger.with_name(ledger.name + "-wal").stat().st_size
                await store.write(partial(ratings.take_in, arrivals=some, now=1))
                told.writelines(f"{one.feedback.id}\n" for one in some)
                if role == "daemon" and ledger.with_name(ledger.name + "-wal").stat().st_size < grown:
                    told.write("checkpoint\n")


def _read(ledger: Path, seed: str) -> None:
    """Hold snapshots for moments; each must stay as it is."""
    chance = random.Random(seed)
    until = time.monotonic() + _SECONDS
    base = sqlite3.connect(ledger, isolation_level=None, timeout=20)
    while time.monotonic() < until:
        base.execute("BEGIN")
        counts = []
        for _ in range(2):
            counts.append(base.execute("SELECT count(*), sum(rating) FROM feedback").fetchone())
            time.sleep(chance.uniform(0, 0.05))
        base.execute("ROLLBACK")
        time.sleep(chance.uniform(0, 0.1))  # while nobody reads, the log can be folded back
        assert counts[0] == counts[1], counts
    base.close()


if __name__ == "__main__":
    writer._CHECKPOINT_BYTES = _OFTEN
    which, where, note, name = sys.argv[1:]
    if which == "reader":
        _read(Path(where), name)
    else:
        asyncio.run(_write(Path(where), Path(note), name, which))
