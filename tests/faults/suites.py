"""The fault suites, and how a part of one is run in a process of its own."""

from __future__ import annotations

import signal
import traceback
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from tests.faults import (
    backup,
    big,
    calls,
    checks,
    clock,
    commands,
    copying,
    corrupt,
    days,
    due,
    fleet,
    freeze,
    full_disk,
    instances,
    io_errors,
    kill,
    locked,
    memory,
    nats,
    neighbours,
    outage,
    plugins,
    points,
    power,
    power_daemon,
    restore,
    starts,
    storms,
    stress,
    throughput,
    trim,
    upgrade,
    year,
)
from tests.faults.program import take_leaks

Figures = dict[str, Any]


class Suite(NamedTuple):
    """One kind of fault."""

    title: str
    run: Callable[[int, int], Any]  # (first seed, cases) → a dataclass of figures
    cases: int  # that the promise is made for
    chunk: int  # cases between two notes of the state
    at_most: int | None = None  # it judges times: so many parts of it at once, and nothing else beside them


def _tests(*paths: str) -> Callable[[int, int], checks.Figures]:
    """Return a suite whose cases are the tests under these paths."""
    return partial(checks.run, paths=paths)


_GATEWAYS = (
    "tests/plugins/test_twilio*.py",
    "tests/plugins/test_sms_*.py",
    "tests/plugins/test_webhook*.py",
    "tests/plugins/test_http_gateway.py",
    "tests/plugins/test_kannel.py",
    "tests/plugins/test_apprise.py",
)
_STORAGE = ("tests/store", "tests/faults/test_storage.py", "tests/faults/test_sync_order.py")
_PROCESS = (
    "tests/faults/test_process_faults.py",
    "tests/test_process.py",
    "tests/test_supervisor.py",
    "tests/test_reload.py",
    "tests/logs",
)
_REPORT = ("tests/report", "tests/test_clock.py", "tests/test_daily_report.py")

SUITES = {
    "kill": Suite("SIGKILL at random times under load", kill.run, 2000, kill.CYCLES, at_most=1),
    "term": Suite(
        "SIGTERM at random times under load",
        partial(kill.run, which=signal.SIGTERM),
        200,
        kill.CYCLES,
        at_most=1,
    ),
    "points": Suite(
        "SIGKILL at named places, K0 to K18", points.run, 50 * len(points.POINTS), len(points.POINTS)
    ),
    "calls": Suite("SIGKILL at every write and sync of a run over 20 ratings", calls.run, 200, 10),
    "storms": Suite("five signals 0.1 s apart", storms.run, 50, 10),
    "freeze": Suite("SIGSTOP for longer than a lease", freeze.run, 6, 6),
    "throughput": Suite("work done while killed every 5 s", throughput.run, 3, 1, at_most=1),
    "power": Suite("power cuts at random moments", power.run, 10_000, 2000),
    "power-daemon": Suite("power cuts of the whole program at work", power_daemon.run, 4000, 1000),
    "disk": Suite("a small disk filled and freed under load", full_disk.run, 100, 5),
    "locked": Suite("a ledger that another process locks under load", locked.run, 20, 2, at_most=4),
    "io": Suite("I/O errors of syncs, writes and reads", io_errors.run, 200, 8),
    "memory": Suite("less memory than it takes", memory.run, 100, 10),
    "corrupt": Suite("damaged ledgers and logs", corrupt.run, 1000, 250),
    "starts": Suite("twenty daemons started at once", starts.run, 20, 2, at_most=1),
    "commands": Suite("commands beside a daemon under load", commands.run, 1000, 100, at_most=1),
    "backup": Suite("backups under full load, each restored and compared", backup.run, 50, 5),
    "restore": Suite("SIGKILL at every call by which a restore changes a file", restore.run, 160, 20),
    "upgrade": Suite(
        "SIGKILL at every call by which an upgrade changes a file, and at `ledger.migrated`",
        upgrade.run,
        900,
        30,
    ),
    "copy": Suite("copies of a ledger killed and gone on with", copying.run, 100, 10),
    "big": Suite("large ledgers, a case is 1,000 ratings", big.run, 1000, 10_000, at_most=1),
    "stress": Suite("writers, readers and checkpoints, rounds of 4 s", stress.run, 75, 5),
    "days": Suite("years of reports in ten zones, over every clock change", days.run, 100, 10),
    "trim": Suite("a writer beside `db trim`, a case is 1,000 ratings", trim.run, 100, 100, at_most=1),
    "year": Suite("a year of a daemon in minutes, 1,000 ratings a day", year.run, 1, 1),
    "due": Suite("SIGKILL around the hour of the report", due.run, 1000, 40),
    "instances": Suite("ten processes asked for one report at once", instances.run, 100, 20),
    "clock": Suite("clocks set under a running daemon", clock.run, 12, 2),
    "fleet": Suite("one of four daemons on PostgreSQL killed every 3 s", fleet.run, 200, 20),
    "fleet-freeze": Suite("one of four daemons frozen for longer than its lease", fleet.freeze, 10, 2),
    "fleet-restart": Suite("PostgreSQL crashed and started again under load", fleet.restart, 20, 10),
    "nats": Suite("three NATS nodes, one killed every 5 s for two minutes", nats.run, 3, 1, at_most=1),
    "outage": Suite("a mail server dead for an hour, a case is 1,000 messages", outage.run, 10, 10),
    "smtp": Suite("mail servers that misbehave", _tests("tests/plugins/test_smtp_*.py"), 1, 1),
    "http": Suite("gateways that misbehave", _tests(*_GATEWAYS), 1, 1),
    "delivery": Suite(
        "channels that are down, in doubt, fall back and are probed", _tests("tests/delivery"), 1, 1
    ),
    "storage": Suite("ledgers that are locked, foreign, replaced, too new or fail", _tests(*_STORAGE), 1, 1),
    "process": Suite(
        "tasks that die, ratings that kill, reloads, logs nobody can write", _tests(*_PROCESS), 1, 1
    ),
    "report": Suite("reports made late, twice, or while the clock is set", _tests(*_REPORT), 1, 1),
    "plugins": Suite("plugins that do one wrong thing", plugins.run, 133, 19),
    "neighbours": Suite(
        "one of four plugins hangs, raises, blocks", neighbours.run, len(neighbours.FAULTS), 1, at_most=1
    ),
    "hooks": Suite(
        "plugin files that are wrong", _tests("tests/plugin_host", "tests/faults/test_plugin_faults.py"), 1, 1
    ),
    "security": Suite("what strangers may send, and what nobody may read", _tests("tests/security"), 1, 1),
    "input": Suite("bad input: message and exit code", _tests("tests/golden"), 1, 1),
}


class Part(NamedTuple):
    """Some cases of a suite, which are run and noted together."""

    suite: str
    first: int  # seed
    cases: int


def parts_of(name: str, cases: int, first_seed: int) -> list[Part]:
    """Cut the cases of a suite into parts."""
    chunk = SUITES[name].chunk
    return [Part(name, first_seed + at, min(chunk, cases - at)) for at in range(0, cases, chunk)]


def unwind_when_ended() -> None:
    """Let SIGTERM end this process as Ctrl-C does, so that the programs under test do not outlive it.

    Ctrl-C, too: what a script starts in the background ignores it, and so would all that it starts.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


def run_part(part: Part) -> Figures:
    """Run the cases and return what they found; what they raise is something broken, which no later run may hide."""
    try:
        figures = asdict(SUITES[part.suite].run(part.first, part.cases))
    except Exception as error:  # noqa: BLE001 - whatever it is
        where = traceback.extract_tb(error.__traceback__)[-1]
        said = (
            f"{type(error).__name__}: {str(error)[-2000:]} ({Path(where.filename).name}, line {where.lineno})"
        )
        figures = {"broken": [f"seeds {part.first} to {part.first + part.cases - 1}: {said}"]}
    leaks = take_leaks()
    figures["leaks"] = len(leaks)
    figures["broken"] = [*figures["broken"], *(f"G12: {line}" for line in leaks[:3])]
    return figures
