"""`python -m tests.faults [SUITE …] [--seeds N] [--jobs N] [--json FILE]`: runs the suites and prints their figures.

A run that was stopped goes on where it was: what is done stands in the state file (`--state`), which a finished run
removes. `--jobs` parts run at once; of suites that judge times only as many as do not disturb each other, at the end
and with nothing else beside them. The exit code is 1 when a promise was broken, or a suite could run none of its cases.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing.connection import wait
from pathlib import Path

from tests.faults.suites import SUITES, Figures, Part, parts_of, run_part, unwind_when_ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for and return the exit code."""
    options = _options(arguments)
    unwind_when_ended()
    state: dict[str, Figures] = json.loads(options.state.read_text()) if options.state.exists() else {}
    names = options.suites or list(SUITES)
    for together, at_once in _groups(names, options.jobs):
        parts = [
            part
            for name in together
            for part in parts_of(name, options.seeds or SUITES[name].cases, options.first_seed)
            if part.first not in state.get(name, {}).get("done", ())
        ]
        for part, figures in _run_all(parts, at_once):
            known = state.setdefault(part.suite, {"cases": 0, "done": [], "broken": [], "slow": []})
            _add(known, {"cases": part.cases, "done": [part.first], **figures})
            options.state.write_text(json.dumps(state))
    for name in names:
        show(name, SUITES[name].title, state[name])
    options.state.unlink(missing_ok=True)
    if options.json:
        options.json.write_text(json.dumps(state, indent=2) + "\n")
    bad = (figures["broken"] or figures["slow"] or shows_nothing(figures) for figures in state.values())
    return 1 if any(bad) else 0


def shows_nothing(figures: Figures) -> bool:
    """Whether all the cases of a suite were skipped; of those that are tests, those that passed are counted."""
    return figures.get("skipped", 0) >= figures["cases"] and not figures.get("passed", 0)


def _groups(names: Sequence[str], jobs: int) -> Iterator[tuple[list[str], int]]:
    """Yield the suites that run together, and how many of their parts at once."""
    yield [name for name in names if SUITES[name].at_most is None], jobs
    for name in names:
        if at_most := SUITES[name].at_most:
            yield [name], min(at_most, jobs)


def _run_all(parts: Sequence[Part], jobs: int) -> Iterator[tuple[Part, Figures]]:
    """Run each part in a process, so many at once; yield its figures when it has ended."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, unwind_when_ended, max_tasks_per_child=1) as pool:
        running = {pool.submit(run_part, part): part for part in parts}
        try:
            for future in as_completed(running):
                yield running[future], future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            # A part that was handed over already is begun in a new process when the one before it has gone.
            while left := multiprocessing.active_children():
                for process in left:
                    process.terminate()
                wait([process.sentinel for process in left], timeout=5)
            raise


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"of {', '.join(SUITES)}; default: all")
    parser.add_argument(
        "--seeds", type=int, help="cases of each suite; default: as promised in docs/guarantees.md"
    )
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="parts that run at once; default: 1")
    parser.add_argument("--state", type=Path, default=Path("faults-state.json"), metavar="FILE")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.suites if name not in SUITES]:
        parser.error(f"no suite {unknown[0]!r}; there are: {', '.join(SUITES)}")
    return options


def _add(total: Figures, more: Figures) -> None:
    """Add counts and lists, keep the greatest of what begins with most_ or slowest_, the least of least_."""
    for key, value in more.items():
        if key not in total:
            total[key] = value
        elif key.startswith(("most_", "slowest_")):
            total[key] = max(total[key], value)
        elif key.startswith("least_"):
            total[key] = min(total[key], value)
        elif isinstance(value, dict):
            _add(total[key], value)
        else:
            total[key] += value


def show(name: str, title: str, figures: Figures) -> None:
    """Print a suite's figures, and what is wrong."""
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
    if shows_nothing(figures):
        print("  SKIPPED: all of it, so this proves nothing")


if __name__ == "__main__":
    sys.exit(main())
