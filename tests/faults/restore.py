"""SIGKILL at every single call by which a restore changes a file: there is the old ledger or the new one, whole."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from feedback_app.errors import FeedbackAppError
from feedback_app.store import ratings
from feedback_app.store.sqlite.backup import Backup
from feedback_app.store.sqlite.checking import check
from feedback_app.store.sqlite.restore import restoring
from feedback_app.store.sqlite.store import SqliteStore
from tests.copies import SQLITE, contents
from tests.faults import calls
from tests.making import NOW, incoming

_OLD, _NEW = 40, 25  # ratings
# By which SQLite and the program change files and names; "?" for those that a machine may not have.
CALLS = "pwrite64,fdatasync,fsync,ftruncate,?rename,renameat,renameat2,?link,linkat,?unlink,unlinkat"


@dataclass(kw_only=True)
class Figures:
    """What the kills left."""

    kills: int = 0
    beyond: int = 0  # cases whose call never came: a restore makes fewer
    old: int = 0  # ledgers
    new: int = 0
    broken: list[str] = field(default_factory=list)


def run(first_seed: int, seeds: int) -> Figures:
    """Kill at the calls number `first_seed` + 1 to `first_seed` + `seeds`, as one that was watched makes them."""
    figures = Figures()
    made = watched()
    for nth in range(first_seed, first_seed + seeds):
        if nth >= len(made):
            figures.beyond += 1
            continue
        with tempfile.TemporaryDirectory(prefix="feedback-faults-") as name:
            figures.broken += [f"call {made[nth]}: {line}" for line in _case(Path(name), made[nth], figures)]
    return figures


def watched() -> list[calls.Call]:
    """Return the calls of a whole restore, in order."""
    with tempfile.TemporaryDirectory(prefix="feedback-faults-") as name:
        prepare(Path(name))
        code, said = _restore(Path(name), "-o", "calls")
        assert code == 0, said
        return calls.made_in((Path(name) / "calls").read_text().splitlines())


def _case(folder: Path, call: calls.Call, figures: Figures) -> list[str]:
    ledger, backup = prepare(folder)
    inject = f"inject={call.name}:signal=KILL:when={call.nth}"
    code, said = _restore(folder, "-o", "/dev/null", "-e", inject)
    if code != -signal.SIGKILL:
        return [f"ended with {code}: {said[-500:]}"]
    figures.kills += 1
    return _judge(ledger, backup, figures)


def prepare(folder: Path) -> tuple[Path, Path]:
    """Put a ledger there whose last commits are in its log, and a backup of what it was before; returns both."""
    ledger, backup = folder / "feedback.db", folder / "b.db"
    asyncio.run(_fill(ledger, _NEW))
    Backup(ledger, backup).make()
    asyncio.run(_fill(ledger, _OLD, crashed=True))
    return ledger, backup


async def _fill(ledger: Path, count: int, *, crashed: bool = False) -> None:
    """Store ratings; with `crashed`, leave the last of them in the log."""
    if crashed:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _CRASH.format(ledger=str(ledger), count=count)
        )
        await process.wait()
        return
    async with SqliteStore(ledger) as store:
        arrivals = [incoming(f"r{number}") for number in range(count)]
        await store.write(partial(ratings.take_in, arrivals=arrivals, now=NOW))


# A daemon that dies with its last commits in the log.
_CRASH = """
import asyncio, os, signal
from functools import partial
from pathlib import Path
from feedback_app.store import ratings
from feedback_app.store.sqlite.store import SqliteStore
from tests.making import NOW, incoming

async def main():
    async with SqliteStore(Path({ledger!r}), "daemon") as store:
        arrivals = [incoming(f"r{{number}}") for number in range({count})]
        await store.write(partial(ratings.take_in, arrivals=arrivals, now=NOW))
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


def _restore(folder: Path, *options: str) -> tuple[int, str]:
    """Restore under strace; returns (exit code, what was said)."""
    strace = ["strace", "-D", "-f", "-e", f"trace={CALLS}", *options]
    command = [sys.executable, "-m", "feedback_app", "db", "restore", "b.db", "--yes", "--resend"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [*strace, *command],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


def _judge(ledger: Path, backup: Path, figures: Figures) -> list[str]:
    """Return what is wrong with what is there now, and with going on."""
    wrong = []
    wanted = contents(f"{SQLITE}{backup}")
    found = len(contents(f"{SQLITE}{ledger}")["feedback"])
    figures.old += found == _OLD
    figures.new += found == _NEW
    if found not in (_OLD, _NEW):
        wrong.append(f"{found} ratings")
    try:
        asyncio.run(_fill(ledger, _OLD + 1))  # whoever starts next goes on with it
        wrong += [f"{one.check}: {one.problem}" for one in check(ledger).problems]
        with restoring(ledger, backup) as ready:
            ready.finish(resend=True, stamp="again", now=NOW)
    except FeedbackAppError as error:
        wrong.append(str(error))
    if contents(f"{SQLITE}{ledger}") != wanted:
        wrong.append("the same restore again gives another ledger")
    wrong += [f"left {one.name}" for one in ledger.parent.glob(".*.new*")]
    kept = [
        one for one in ledger.parent.glob("feedback.db.before-restore-*") if not one.name.endswith("again")
    ]
    if found == _NEW and not any(len(contents(f"{SQLITE}{one}")["feedback"]) == _OLD for one in kept):
        wrong.append("the old ledger is not kept")
    return wrong
