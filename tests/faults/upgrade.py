"""SIGKILL at every call by which an upgrade changes a file, and at `ledger.migrated`: the old ledger or the new one.

The ledgers are those of the old programs in `tests/data/ledgers`, as a daemon that died leaves them: the last commit is
in the log. Whoever upgrades is the real program, `db upgrade` or a daemon that starts. What is there after a kill, and
after the next start, is compared to the last row with what an undisturbed upgrade makes.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import shutil
import signal
import sqlite3
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from feedback_app.store.migrate import HEAD
from feedback_app.store.sqlite.file import APPLICATION_ID
from tests.faults import calls
from tests.faults.program import Program
from tests.faults.restore import CALLS
from tests.faults.scenario import FAILPOINT
from tests.running import business

OLD = ("0001", "0002", "0003")  # schemas
_WAYS = {"command": ("db", "upgrade"), "daemon": ("run", "--drain")}
_AT_MIGRATED = 13  # cases at the fail point for each old schema and way: 25 kills, so 50 for each schema
_LEDGERS = Path(__file__).parents[1] / "data" / "ledgers"
_CONFIG = '[pipeline]\ndefault_channels = ["chat"]\n[reports.daily]\nchannel = "chat"\nto = ["team"]\n'
# Committed last, so it is in the log only; what the program says must not tell any of it.
_LAST = "UPDATE feedback SET comment = 'canary ' || comment; UPDATE customer SET name = 'Canary Bird';"
_CHECKS = ("PRAGMA integrity_check", "PRAGMA foreign_key_check", "PRAGMA application_id")
_SOUND = ["('ok',)", f"({APPLICATION_ID},)"]
_START_LIMIT = 30.0  # seconds for the next start to finish an upgrade; the machine may be busy


class Case(NamedTuple):
    """Who upgrades what, and where it is killed."""

    old: str  # schema
    way: str  # command, daemon
    call: calls.Call | None  # None: at `ledger.migrated`
    times: int = 1  # starts in a row that are killed there


@dataclass(kw_only=True)
class Figures:
    """What the kills left."""

    kills: int = 0
    beyond: int = 0  # cases whose call never came: an upgrade makes fewer
    old: int = 0  # ledgers
    new: int = 0
    copies: int = 0  # of the old ledger, found whole after a kill
    slowest_restart: float = 0.0  # seconds in which a next start finished the upgrade, its own start included
    broken: list[str] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)


def run(first_seed: int, seeds: int) -> Figures:
    """Run the cases number `first_seed` + 1 to `first_seed` + `seeds` of all that there are."""
    chosen = all_cases()[first_seed : first_seed + seeds]
    figures = of(chosen)
    figures.beyond = seeds - len(chosen)
    return figures


def of(cases: list[Case]) -> Figures:
    """Kill in each of these cases."""
    figures = Figures()
    for case in cases:
        with tempfile.TemporaryDirectory(prefix="feedback-faults-") as name:
            wrong = _case(Path(name), case, figures)
        figures.broken += [f"{case}: {line}" for line in wrong]
    return figures


@functools.cache
def all_cases() -> list[Case]:
    """Return the kills at the fail point, then those at each call, by the command and by the daemon."""
    pairs = [(old, way) for old in OLD for way in _WAYS]
    at_migrated = [Case(*pair, None, times=1 + nth % 3) for nth in range(_AT_MIGRATED) for pair in pairs]
    return at_migrated + [Case(*pair, call) for pair in pairs for call in watched(*pair)]


@functools.cache
def watched(old: str, way: str) -> list[calls.Call]:
    """Return the calls of a whole upgrade, in order: all until a second thread makes one, as a daemon's writer does."""
    with tempfile.TemporaryDirectory(prefix="feedback-faults-") as name:
        folder = prepare(Path(name), old)
        log = folder / "calls"
        code, said = _start(folder, way, prefix=_strace(log))
        assert code == 0, said
        lines = [line for line in log.read_text().splitlines() if "(" in line]
    first = lines[0].split()[0]
    return calls.made_in(itertools.takewhile(lambda line: line.split()[0] == first, lines))


def _strace(log: Path, *options: str) -> list[str]:
    return ["strace", "-D", "-f", "-o", str(log), "-e", f"trace={CALLS}", *options]


def _case(folder: Path, case: Case, figures: Figures) -> list[str]:
    prepare(folder, case.old)
    wrong: list[str] = []
    for _ in range(case.times):
        code, said = _killed(folder, case)
        if code != -signal.SIGKILL:
            return [*wrong, f"ended with {code}: {said[-500:]}"]
        figures.kills += 1
        wrong += _judge(folder, case, figures)
    return wrong + _go_on(folder, case, figures)


def _killed(folder: Path, case: Case) -> tuple[int, str]:
    if case.call is None:
        armed = {FAILPOINT: "ledger.migrated:kill", f"{FAILPOINT}_TEST": "yes"}
        return _start(folder, case.way, environ=armed)
    inject = f"inject={case.call.name}:signal=KILL:when={case.call.nth}"
    return _start(folder, case.way, prefix=_strace(Path("/dev/null"), "-e", inject))


def _start(folder: Path, way: str, **options: Any) -> tuple[int, str]:
    """Run the program to its end; returns (exit code, what it said)."""

    async def run_it() -> tuple[int, str]:
        program = await Program.start(folder, *_WAYS[way], **options)
        return await program.ended(), program.said

    return asyncio.run(run_it())


def prepare(folder: Path, old: str) -> Path:
    """Put an old ledger there, with its log."""
    business(folder, config=_CONFIG)
    for name, content in _left_by_the_old_program(old).items():
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o600)
    return folder


@functools.cache
def _left_by_the_old_program(old: str) -> dict[str, bytes]:
    """Return the files of its ledger as they are when it is killed."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "feedback.db"
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as ledger:
            ledger.executescript((_LEDGERS / f"{old}.sql").read_text(encoding="utf-8"))
            ledger.execute("PRAGMA journal_mode = WAL")
            ledger.executescript(f"BEGIN; {_LAST} COMMIT;")
            return {one: (path.parent / one).read_bytes() for one in ("feedback.db", "feedback.db-wal")}


class _Wanted(NamedTuple):
    """The dumps of a ledger before and after an upgrade that nobody disturbs."""

    old: list[str]
    new: list[str]


@functools.cache
def _wanted(old: str) -> _Wanted:
    with tempfile.TemporaryDirectory(prefix="feedback-faults-") as name:
        folder = prepare(Path(name), old)
        before = _dump(folder / "feedback.db")
        code, said = _start(folder, "command")
        assert code == 0, said
        return _Wanted(before, _dump(folder / "feedback.db"))


def _dump(path: Path) -> list[str]:
    """Return schema, rows and what SQLite finds in a ledger; a copy is asked, so the ledger stays as it is."""
    with tempfile.TemporaryDirectory(prefix="feedback-faults-") as name:
        for ending in ("", "-wal", "-journal"):
            if (part := path.with_name(path.name + ending)).exists():
                shutil.copy(part, Path(name) / part.name)
        try:
            with contextlib.closing(sqlite3.connect(Path(name) / path.name)) as ledger:
                checked = [str(line) for pragma in _CHECKS for line in ledger.execute(pragma)]
                return [*ledger.iterdump(), *checked]
        except sqlite3.Error as error:
            return [f"{type(error).__name__}: {error}"]


def _judge(folder: Path, case: Case, figures: Figures) -> list[str]:
    """Return what is wrong with what a kill left."""
    ledger, copy = folder / "feedback.db", folder / f"feedback.db.before-{HEAD}"
    wanted, found = _wanted(case.old), _dump(ledger)
    figures.old += found == wanted.old
    figures.new += found == wanted.new
    wrong = []
    if found not in wanted:
        wrong.append(f"neither the old ledger nor the new one: {_differing(found, wanted.old)}")
    if copy.exists():
        wrong_copy = _wrong_copy(copy, wanted.old)
        figures.copies += not wrong_copy
        wrong += wrong_copy
    elif found == wanted.new:
        wrong.append("the new ledger without a copy of the old one")
    return wrong


def _wrong_copy(copy: Path, wanted: list[str]) -> list[str]:
    found = _dump(copy)
    wrong = [] if found == wanted else [f"{copy.name} is not whole: {_differing(found, wanted)}"]
    return wrong + [f"beside the copy {one.name}" for one in copy.parent.glob(f"{copy.name}-*")]


def _go_on(folder: Path, case: Case, figures: Figures) -> list[str]:
    """Start it again as users do, and return what is wrong with how it went on."""
    ledger = folder / "feedback.db"
    if case.way == "daemon":  # which changes rows when it has upgraded, so the upgrade is looked at beside it
        beside = folder / "beside"
        shutil.copytree(folder, beside, ignore=shutil.ignore_patterns("*-lock", "*-shm", "*-bell"))
        wrong = [f"by a command: {line}" for line in _go_on(beside, case._replace(way="command"), figures)]
    else:
        wrong = []
    begun = time.perf_counter()
    code, said = _start(folder, case.way)
    took = time.perf_counter() - begun
    figures.slowest_restart = max(figures.slowest_restart, took)
    if took > _START_LIMIT:
        figures.slow.append(f"{case}: gone on after {took:.1f} s")
    if code:
        return [*wrong, f"the next start ended with {code}: {said[-500:]}"]
    wanted = _wanted(case.old)
    found = _dump(ledger)
    if case.way == "command" and found != wanted.new:
        wrong.append(f"another ledger than undisturbed: {_differing(found, wanted.new)}")
    if found[-len(_SOUND) :] != _SOUND or f"INSERT INTO \"alembic_version\" VALUES('{HEAD}');" not in found:
        wrong.append(f"no sound ledger of this program: {found[-1]}")
    wrong += _wrong_copy(ledger.with_name(f"feedback.db.before-{HEAD}"), wanted.old)
    return wrong + [f"left {one.name}" for one in folder.glob(".*.new*")]


def _differing(found: list[str], wanted: list[str]) -> str:
    """Return the first difference."""
    pairs = itertools.zip_longest(found, wanted)
    return next((f"{one!r:.150} for {other!r:.150}" for one, other in pairs if one != other), "none")
