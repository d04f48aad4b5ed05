"""`python -m tests.faults [SUITE …] [--seeds N] [--json FILE]`: runs the fault suites and prints their figures.

A run that was stopped goes on where it was: what is done stands in the state file (`--state`), which a finished run
removes. The exit code is 1 when a promise was broken.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from tests.faults import (
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
    nats,
    plugins,
    points,
    power,
    starts,
    storms,
    stress,
    throughput,
)

Figures = dict[str, Any]


class Suite(NamedTuple):
    """One kind of fault."""

    title: str
    run: Callable[[int, int], Any]  # (first seed, cases) → a dataclass of figures
    cases: int  # that the promise is made for
    chunk: int  # cases between two notes of the state


def _tests(*paths: str) -> Callable[[int, int], checks.Figures]:
    """Return a suite whose cases are the tests under these paths."""
    return partial(checks.run, paths=paths)


SUITES = {
    "kill": Suite("SIGKILL at random times under load", kill.run, 2000, 20),
    "term": Suite("SIGTERM at random times under load", partial(kill.run, which=signal.SIGTERM), 200, 20),
    "points": Suite(
        "SIGKILL at named places, K0 to K18", points.run, 50 * len(points.POINTS), len(points.POINTS)
    ),
    "calls": Suite("SIGKILL at every write and sync of a run over 20 ratings", calls.run, 200, 10),
    "storms": Suite("five signals 0.1 s apart", storms.run, 50, 10),
    "freeze": Suite("SIGSTOP for longer than a lease", freeze.run, 6, 6),
    "throughput": Suite("work done while killed every 5 s", throughput.run, 3, 1),
    "power": Suite("power cuts at random moments", power.run, 10_000, 500),
    "disk": Suite("a small disk filled and freed under load", full_disk.run, 100, 5),
    "io": Suite("I/O errors of syncs, writes and reads", io_errors.run, 200, 8),
    "corrupt": Suite("damaged ledgers and logs", corrupt.run, 1000, 250),
    "starts": Suite("twenty daemons started at once", starts.run, 20, 2),
    "commands": Suite("commands beside a daemon under load", commands.run, 1000, 100),
    "copy": Suite("copies of a ledger killed and gone on with", copying.run, 100, 10),
    "big": Suite("large ledgers, a case is 1,000 ratings", big.run, 1000, 10_000),
    "stress": Suite("writers, readers and checkpoints, rounds of 4 s", stress.run, 75, 5),
    "days": Suite("years of reports in ten zones, over every clock change", days.run, 100, 10),
    "due": Suite("SIGKILL around the hour of the report", due.run, 1000, 40),
    "instances": Suite("ten processes asked for one report at once", instances.run, 100, 20),
    "clock": Suite("clocks set under a running daemon", clock.run, 12, 2),
    "fleet": Suite("one of four daemons on PostgreSQL killed every 3 s", fleet.run, 200, 20),
    "fleet-freeze": Suite("one of four daemons frozen for longer than its lease", fleet.freeze, 10, 2),
    "fleet-restart": Suite("PostgreSQL crashed and started again under load", fleet.restart, 20, 10),
    "nats": Suite("three NATS nodes, one killed every 5 s for two minutes", nats.run, 3, 1),
    "smtp": Suite("mail servers that misbehave", _tests("tests/plugins/test_smtp_*.py"), 1, 1),
    "http": Suite("SMS gateways that misbehave", _tests("tests/plugins/test_twilio*.py"), 1, 1),
    "plugins": Suite("plugins that do one wrong thing", plugins.run, 133, 19),
    "hooks": Suite(
        "plugin files that are wrong", _tests("tests/plugin_host", "tests/faults/test_plugin_faults.py"), 1, 1
    ),
    "security": Suite("what strangers may send, and what nobody may read", _tests("tests/security"), 1, 1),
    "input": Suite("bad input: message and exit code", _tests("tests/golden"), 1, 1),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for and return the exit code."""
    options = _options(arguments)
    # Ended from outside, it unwinds as after Ctrl-C, so that the programs under test do not outlive it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    state: dict[str, Figures] = json.loads(options.state.read_text()) if options.state.exists() else {}
    for name in options.suites or SUITES:
        suite = SUITES[name]
        wanted = options.seeds or suite.cases
        figures = state.setdefault(name, {"cases": 0, "broken": [], "slow": []})
        while figures["cases"] < wanted:
            cases = min(suite.chunk, wanted - figures["cases"])
            _add(figures, asdict(suite.run(options.first_seed + figures["cases"], cases)))
            figures["cases"] += cases
            options.state.write_text(json.dumps(state))
        _show(name, suite.title, figures)
    options.state.unlink(missing_ok=True)
    if options.json:
        options.json.write_text(json.dumps(state, indent=2) + "\n")
    return 1 if any(figures[bad] for figures in state.values() for bad in ("broken", "slow")) else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"of {', '.join(SUITES)}; default: all")
    parser.add_argument(
        "--seeds", type=int, help="cases of each suite; default: as promised in docs/guarantees.md"
    )
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--state", type=Path, default=Path("faults-state.json"), metavar="FILE")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.suites if name not in SUITES]:
        parser.error(f"no suite {unknown[0]!r}; there are: {', '.join(SUITES)}")
    return options


def _add(total: Figures, more: Figures) -> None:
    """Add counts and lists, keep the greatest of what begins with most_ or slowest_."""
    for key, value in more.items():
        if key not in total:
            total[key] = value
        elif key.startswith(("most_", "slowest_")):
            total[key] = max(total[key], value)
        elif isinstance(value, dict):
            _add(total[key], value)
        else:
            total[key] += value


def _show(name: str, title: str, figures: Figures) -> None:
    print(f"{name}: {title}")
    for key, value in figures.items():
        if isinstance(value, dict):
            print(*(f"    {name:<24}{count:,}" for name, count in sorted(value.items())), sep="\n")
        elif not isinstance(value, list):
            shown = f"{value:.2f}" if isinstance(value, float) else f"{value:,}"
            print(f"  {key.replace('_', ' '):<22}{shown}")
    for bad in ("broken", "slow"):
        for line in figures[bad]:
            print(f"  {bad.upper()}: {line}")


if __name__ == "__main__":
    sys.exit(main())
