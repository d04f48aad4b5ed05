"""`python -m benchmarks [import|drain] [--ratings N] [--rounds N] [--json FILE]`.

The sides take turns in one run (A B A B …), after a round that is not counted; the ratio is made in each round, so
that it holds when the machine's speed drifts.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import feedback_app
from benchmarks.workload import write_files

if TYPE_CHECKING:
    from collections.abc import Sequence

BENCHMARKS = {"import": ("import", "plain-import"), "drain": ("drain", "plain-drain")}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks named, all by default; print them and return the exit code."""
    options = _options(arguments)
    results = {
        name: _benchmark(name, options.ratings, options.rounds) for name in options.names or BENCHMARKS
    }
    if options.json:
        options.json.write_text(json.dumps({"machine": _machine(), "benchmarks": results}, indent=2) + "\n")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"which: {', '.join(BENCHMARKS)}; default: all"
    )
    parser.add_argument("--ratings", type=int, default=50_000, help="default: %(default)s")
    parser.add_argument("--rounds", type=int, default=5, help="counted ones; default: %(default)s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in BENCHMARKS]:
        parser.error(f"no benchmark {unknown[0]!r}; there are: {', '.join(BENCHMARKS)}")
    return options


def _benchmark(name: str, ratings: int, rounds: int) -> dict[str, object]:
    sides = BENCHMARKS[name]
    figures: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    with tempfile.TemporaryDirectory(prefix="feedback-bench-") as folder:
        write_files(Path(folder), ratings)
        for counted in [False] + [True] * rounds:
            for side in sides:
                measured = _measure(Path(folder), side)
                if counted:
                    figures[side].append(measured)
    print(f"{name}: {ratings:,} ratings, {rounds} rounds, {_machine()}")
    for side in sides:
        print(f"  {side:<14}{_shown(figures[side], ratings)}")
    ratios = [b["seconds"] / a["seconds"] for a, b in zip(*figures.values(), strict=True)]
    print(
        f"  speed of {sides[0]} to {sides[1]}: {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    )
    return {"ratings": ratings, "sides": figures, "ratio": median(ratios)}


def _measure(source: Path, side: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="feedback-bench-") as folder:
        for file in ("customers.csv", "ratings.csv"):
            shutil.copy(source / file, folder)
        command = [sys.executable, "-m", "benchmarks.sides", side, folder]
        subprocess.run([*command, "prepare"], check=True, capture_output=True)
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _shown(figures: Sequence[dict[str, float]], ratings: int) -> str:
    speeds = sorted(ratings / one["seconds"] for one in figures)
    cpu = median(one["cpu_seconds"] for one in figures) / ratings * 1e6
    peak = max(one["peak_mb"] for one in figures)
    spread = f"{speeds[0]:,.0f} to {speeds[-1]:,.0f}"
    return f"{median(speeds):>9,.0f}/s ({spread}), {cpu:.0f} µs CPU each, peak {peak:.0f} MB"


def _machine() -> str:
    return (
        f"{os.cpu_count()} cores, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        f"feedback_app {feedback_app.__version__}"
    )


if __name__ == "__main__":
    sys.exit(main())
