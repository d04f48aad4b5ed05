"""Ledgers that rot: bytes flipped, pages overwritten, files cut, in the ledger and in its log.

Each case damages a copy of a good ledger and gives it to the commands. Each must refuse it with 65 or 74 and one
line that names the file and how to go on, and leave it as it is; or work, as where the damage hit what holds
nothing. SQLite keeps no checksums of a ledger's pages, so a letter that changed within a text cannot be noticed:
such cases are counted.

`python -m tests.faults.corrupt FOLDER` makes the good ledger: with a log, as after a crash.
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

from feedback_app.cli import run_command_line
from feedback_app.intake.records import Incoming
from feedback_app.store import ratings
from feedback_app.store.sqlite.store import SqliteStore
from tests.faults.feeder import arrival
from tests.faults.program import CANARY
from tests.making import NOW
from tests.running import add, business

_RATINGS = 120
_LEDGER, _LOG = "feedback.db", "feedback.db-wal"
_READING = (
    ("status", "--json"),
    ("feedback", "list", "--json"),
    ("messages", "list", "--json"),
    ("low-ratings", "list", "--json"),
    ("customers", "list", "--json"),
)
_RATINGS_LIST = 1  # among them
_WRITING = (("feedback", "add", "--rating", "4", "--id", "late"), ("run", "--drain"))
_REFUSALS = {65, 74}
_ADVICE = ("restore it from a backup", "remove it to start with a new one")


@dataclass(kw_only=True)
class Figures:
    """What came of the damage."""

    refused: int = 0  # cases in which at least one command refused
    unhurt: int = 0  # cases in which every command said what it says of the good ledger
    unnoticed: int = (
        0  # cases in which none refused and one said something else: letters changed within a text
    )
    shortened: int = 0  # cases of a damaged log in which what was committed last is missing
    broken: list[str] = field(default_factory=list)


class Ran(NamedTuple):
    """What a command left."""

    code: int
    said: str  # stderr
    told: str  # stdout


def make(folder: Path) -> None:
    """Fill a ledger by the program's own hands and leave what came last in its log, as a crash does."""
    chance = random.Random(1)
    arrivals = [arrival(f"s{number:06d}", chance) for number in range(_RATINGS)]
    asyncio.run(add(folder / _LEDGER, arrivals[: _RATINGS // 2], NOW))
    for command in (("run", "--drain"), ("low-ratings", "note", "1", "seen")):
        assert _run(folder, command).code == 0
    asyncio.run(_add_and_crash(folder / _LEDGER, arrivals[_RATINGS // 2 :]))


async def _add_and_crash(ledger: Path, arrivals: list[Incoming]) -> None:
    async with SqliteStore(ledger) as store:
        for one in arrivals:
            await store.write(partial(ratings.take_in, arrivals=[one], now=NOW))
        os._exit(0)


def _run(folder: Path, arguments: tuple[str, ...]) -> Ran:
    """Run a command in this process: a process for each would take an hour."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = run_command_line(["--config", str(folder / "config.toml"), *arguments])
    finally:
        root.handlers[:], level = before
        root.setLevel(level)
    for stream in (out, err):
        stream.seek(0)
    return Ran(code, err.read(), out.read())


Damage = Callable[[random.Random, bytearray], None]


def _flip(chance: random.Random, content: bytearray) -> None:
    for _ in range(chance.choice((1, 1, 1, 8))):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)


def _flip_header(chance: random.Random, content: bytearray) -> None:
    content[chance.randrange(100)] ^= 1 << chance.randrange(8)


def _garbage_page(chance: random.Random, content: bytearray) -> None:
    start = chance.randrange(len(content) // 4096) * 4096
    content[start : start + 4096] = chance.randbytes(4096)


def _zero_page(chance: random.Random, content: bytearray) -> None:
    start = chance.randrange(len(content) // 4096) * 4096
    content[start : start + 4096] = bytes(4096)


def _swap_pages(chance: random.Random, content: bytearray) -> None:
    one, two = (chance.randrange(len(content) // 4096) * 4096 for _ in range(2))
    content[one : one + 4096], content[two : two + 4096] = (
        content[two : two + 4096],
        content[one : one + 4096],
    )


def _cut(chance: random.Random, content: bytearray) -> None:
    del content[chance.randrange(len(content)) :]


_KINDS: tuple[tuple[str, Damage], ...] = (
    (_LEDGER, _flip), (_LEDGER, _flip), (_LEDGER, _flip_header), (_LEDGER, _garbage_page), (_LEDGER, _zero_page),
    (_LEDGER, _swap_pages), (_LEDGER, _cut), (_LOG, _flip), (_LOG, _garbage_page), (_LOG, _cut),
)  # fmt: skip


class _Suite:
    """One good ledger, and what becomes of its copies."""

    def __init__(self, work: Path) -> None:
        self._good, self._work, self.figures = work / "good", work, Figures()
        self._good.mkdir()
        business(self._good)
        subprocess.run([sys.executable, "-m", "tests.faults.corrupt", str(self._good)], check=True)
        self._bytes = _contents(self._good)
        assert _LOG in self._bytes
        self._wanted = self._tell("reference", None)

    def _tell(self, name: str, seed: int | None) -> list[Ran]:
        """Give a copy, damaged by the seed, to every command; returns what they said."""
        folder = self._work / name
        shutil.copytree(self._good, folder, ignore=shutil.ignore_patterns("*-lock", "*-shm"))
        if seed is not None:
            _damage(folder, seed)
        ran = []
        for command in (*_READING, *_WRITING):
            before = _contents(folder)
            ran.append(_run(folder, command))
            # A daemon writes that it has begun, and may find the damage later.
            if ran[-1].code and command[0] != "run" and _contents(folder) != before:
                self._broken(seed, command, "refused, but the files have changed")
        shutil.rmtree(folder)
        return [Ran(one.code, one.said, one.told.replace(name, "")) for one in ran]

    def case(self, seed: int) -> None:
        ran = self._tell(f"case-{seed}", seed)
        for command, one in zip((*_READING, *_WRITING), ran, strict=True):
            if one.code and not _is_clear_refusal(one):
                self._broken(seed, command, f"exit {one.code}: {one.said[-300:]}")
            if found := CANARY.search(one.said):
                self._broken(seed, command, f"G12: printed {found[0]}")
        told, wanted = ([*map(_lasting, some[: len(_READING)])] for some in (ran, self._wanted))
        if any(one.code for one in ran):
            self.figures.refused += 1
        elif told == wanted:
            self.figures.unhurt += 1
        elif _KINDS[seed % len(_KINDS)][0] == _LEDGER:
            self.figures.unnoticed += 1
        elif _is_beginning(told[_RATINGS_LIST], wanted[_RATINGS_LIST]):
            self.figures.shortened += 1
        else:
            self._broken(seed, _READING[_RATINGS_LIST], "a damaged log gave what never was committed")

    def _broken(self, seed: int | None, command: tuple[str, ...], what: str) -> None:
        self.figures.broken.append(f"seed {seed}: {' '.join(command)}: {what}")


def _lasting(ran: Ran) -> str:
    """Return what it told, of `status` only what neither the clock nor the disk's free room changes."""
    if ran.code or not ran.told.startswith("{"):
        return ran.told
    return json.dumps({key: json.loads(ran.told)[key] for key in ("feedback", "low_ratings", "messages")})


def _contents(folder: Path) -> dict[str, bytes]:
    """Return what is in the ledger's files; an empty log is none."""
    files = [folder / name for name in (_LEDGER, _LOG) if (folder / name).exists()]
    return {file.name: content for file in files if (content := file.read_bytes())}


def _damage(folder: Path, seed: int) -> None:
    chance = random.Random(seed)
    name, damage = _KINDS[seed % len(_KINDS)]
    content = bytearray((folder / name).read_bytes())
    damage(chance, content)
    (folder / name).write_bytes(content)


def _is_clear_refusal(ran: Ran) -> bool:
    said = [line for line in ran.said.splitlines() if line.startswith("feedback-app: ")]
    return (
        ran.code in _REFUSALS
        and len(said) == 1
        and _LEDGER in said[0]
        and any(advice in said[0] for advice in _ADVICE)
        and "Traceback" not in ran.said
    )


def _is_beginning(told: str, wanted: str) -> bool:
    """Say whether the first of the wanted ratings were told, unchanged."""
    some, everything = json.loads(told), json.loads(wanted)
    return bool(some == everything[: len(some)])


def run(first_seed: int, cases: int) -> Figures:
    """Damage `cases` copies."""
    with tempfile.TemporaryDirectory(prefix="feedback-corrupt-") as name:
        suite = _Suite(Path(name))
        for seed in range(first_seed, first_seed + cases):
            suite.case(seed)
        return suite.figures


if __name__ == "__main__":
    make(Path(sys.argv[1]))
