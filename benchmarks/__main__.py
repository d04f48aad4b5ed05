"""`python -m benchmarks [NAME …] [--peer SIDE …] [--count N] [--rounds N] [--json FILE]`: ours beside others.

Each benchmark alternates its sides in one run after a round that is not counted. Only ratios hold: the machine's speed
drifts. A side whose package or server is missing is left out with the command that installs it.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.catalogue import BENCHMARKS
from benchmarks.harness import machine, measure, run_side, show

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks named, all by default; print them and return the exit code, 1 when a side broke."""
    options = _options(arguments)
    if options.side:
        name, side, folder, count, what = options.side
        run_side(BENCHMARKS[name], side, Path(folder), int(count), what)
        return 0
    results = []
    packages = tuple(
        {package for one in options.names for side in BENCHMARKS[one].sides for package in side.packages}
    )
    for name in options.names:
        benchmark = BENCHMARKS[name]
        result = measure(
            benchmark,
            count=options.count or benchmark.count,
            rounds=options.rounds,
            only=frozenset(options.peer),
        )
        show(benchmark, result)
        results.append(result)
    if options.json:
        facts = {"machine": machine(packages), "results": [asdict(one) for one in results]}
        options.json.write_text(json.dumps(facts, indent=2) + "\n")
    return 1 if any(one.failed for one in results) else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; default: all")
    parser.add_argument(
        "--peer", action="append", default=[], metavar="SIDE", help="compare with this side only; repeatable"
    )
    parser.add_argument(
        "--count", type=int, metavar="N", help="of whatever is counted; default: per benchmark"
    )
    parser.add_argument("--rounds", type=int, default=5, help="counted ones; default: %(default)s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--side", nargs=5, help=argparse.SUPPRESS)  # how the harness runs one
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in BENCHMARKS]:
        parser.error(f"no benchmark {unknown[0]!r}; there are: {', '.join(BENCHMARKS)}")
    options.names = options.names or list(BENCHMARKS)
    sides = sorted({side.name for name in options.names for side in BENCHMARKS[name].sides})
    if unknown := [name for name in options.peer if name not in sides]:
        parser.error(f"no side {unknown[0]!r}; there are: {', '.join(sides)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
