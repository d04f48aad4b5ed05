"""Copies of a ledger that are killed again and again, and gone on with: the end is the same ledger."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from feedback_app.errors import BadData
from feedback_app.model import Customer, Feedback, Message, Outcome
from feedback_app.store import outcomes, ratings
from feedback_app.store.sqlite.store import SqliteStore
from tests.copies import SQLITE, ask, contents
from tests.making import NOW, incoming
from tests.postgres import Server

RATINGS = 1_500
_MOST_KILLS = 5
PLACES = ("copy.written", "ledger.committed")  # in the middle of a chunk, and between two
# The program itself, with chunks so small that a small ledger has many.
_PROGRAM = (
    "import sys; from feedback_app.store.copying import copier; copier._ROWS = 1;"
    " from feedback_app.cli import run_command_line; sys.exit(run_command_line())"
)


_NOTE = "SELECT 1 FROM meta WHERE key = 'unfinished_copy'"


@dataclass(kw_only=True)
class Figures:
    """What became of the copies."""

    copies: int = 0
    kills: int = 0
    rows: int = 0  # compared
    refused: int = 0  # commands that were told that the copy is not finished
    broken: list[str] = field(default_factory=list)


def run(first_seed: int, seeds: int, count: int = RATINGS) -> Figures:
    """Make `seeds` copies of a ledger of `count` ratings, from SQLite to PostgreSQL and back in turn."""
    figures = Figures()
    with tempfile.TemporaryDirectory(prefix="feedback-faults-") as name, ExitStack() as stack:
        folder = Path(name)
        server = Server("-c", "fsync=off")
        stack.callback(server.stop)
        asyncio.run(_fill(folder / "old.db", count))
        there = f"{SQLITE}{folder / 'old.db'}", server.new_database()
        _copy(*there)
        for seed in range(first_seed, first_seed + seeds):
            source = there[seed % 2]
            target = f"{SQLITE}{folder / f'{seed}.db'}" if seed % 2 else server.new_database()
            _case(seed, source, target, figures)
            if not seed % 2:
                server.drop(target)
    return figures


def _case(seed: int, source: str, target: str, figures: Figures) -> None:
    chance = random.Random(seed)
    for _ in range(chance.randint(1, _MOST_KILLS)):
        point = f"{chance.choice(PLACES)}:kill:{chance.randint(1, 12)}"
        code = _copy(source, target, point)
        if code == 0 or _is_finished(code, target):
            break  # it came to its end before the place was reached so often, or an earlier one did
        if code != -signal.SIGKILL:
            figures.broken.append(f"seed {seed}: {point} ended with {code}")
        figures.kills += 1
        figures.refused += _is_refused(target)
    code = _copy(source, target)
    if code and not _is_finished(code, target):
        figures.broken.append(f"seed {seed}: could not go on, ended with {code}")
    wanted, found = contents(source), contents(target)
    figures.broken += [f"seed {seed}: {name} differs" for name in wanted if wanted[name] != found[name]]
    figures.rows += sum(map(len, found.values()))
    figures.copies += 1


def _is_finished(code: int, target: str) -> bool:
    """Whether an earlier copy was killed after the last note and before its end was heard: the next one says so."""
    return code == BadData.exit_code and not ask(target, _NOTE)


def _copy(source: str, target: str, point: str = "") -> int:
    armed = {"FEEDBACK_FAILPOINT": point, "FEEDBACK_FAILPOINT_TEST": "yes"} if point else {}
    command = [sys.executable, "-c", _PROGRAM, "db", "copy", "--from", source, "--to", target]
    done = subprocess.run(command, env={**os.environ, **armed}, capture_output=True, timeout=120, check=False)
    return done.returncode


def _is_refused(target: str) -> bool:
    """Whether others are told that a copy has begun and is not finished."""
    environment = {**os.environ, "FEEDBACK_APP_STORE__URL": target}
    command = [sys.executable, "-m", "feedback_app", "status"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode == 78 and "unfinished copy" in done.stderr


async def _fill(ledger: Path, count: int) -> None:
    contact = Customer(id="c1", name="Ada", preferred_channels=("chat",))
    async with SqliteStore(ledger) as store:
        arrivals = [
            incoming(f"r{n}", rating=1 + n % 5, comment="kind words", contact=contact) for n in range(count)
        ]
        await store.write(partial(ratings.take_in, arrivals=arrivals, now=NOW))
        claimed = await store.read(partial(ratings.claim_fresh, after=0, limit=count // 2))
        done = [_outcome(one.feedback, store.ledger_id) for one in claimed]
        await store.write(partial(outcomes.commit, outcomes=done, now=NOW))


def _outcome(feedback: Feedback, ledger_id: str) -> Outcome:
    is_low = feedback.rating < 3
    thanks = Message(
        id=f"thanks.{feedback.number}.{ledger_id}", purpose="thanks", channel="chat", recipient="c1",
        text="Thank you.", feedback_id=feedback.number, customer_id="c1",
    )  # fmt: skip
    return Outcome(
        feedback=feedback,
        ended="low" if is_low else "thanked",
        analysis={"tags": ["kind"]},
        keep_low=is_low,
        messages=() if is_low else (thanks,),
    )
