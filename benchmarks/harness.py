"""Runs the sides of a benchmark in turn (A B A B …), each run a process of its own, and compares them round by round.

The ratio is made within each round, so that it holds when the machine's speed drifts.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import feedback_app

if TYPE_CHECKING:
    from collections.abc import Callable

# What a side measured: `value` in the benchmark's unit, and whatever else it has to say.
Measured: TypeAlias = dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Side:
    """One program that does the job. `prepare` brings an empty folder to where the measuring begins.

    `run` does the job on `count` of whatever is counted and returns at least {"value": …}. Both are called in
    processes of their own. `missing` says what is not installed here and the command that installs it.
    """

    name: str
    run: Callable[[Path, int], Measured]
    prepare: Callable[[Path, int], None] = lambda _folder, _count: None
    missing: Callable[[], str | None] = lambda: None
    packages: tuple[str, ...] = ()  # whose versions belong to the result


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """Sides of which the first is ours."""

    name: str
    title: str
    unit: str  # of `value`: ratings/s, ms, …
    count: int  # by default
    sides: tuple[Side, ...]
    better: Literal["more", "less"] = "more"


@dataclass(kw_only=True)
class Result:
    """What came of one benchmark."""

    benchmark: str
    unit: str
    count: int
    rounds: int
    sides: dict[str, list[Measured]] = field(default_factory=dict)
    ratios: dict[str, float] = field(default_factory=dict)  # ours to that side's, median of the rounds
    left_out: dict[str, str] = field(default_factory=dict)  # what is missing here, and how to get it
    failed: dict[str, str] = field(default_factory=dict)


def measure(benchmark: Benchmark, *, count: int, rounds: int, only: frozenset[str]) -> Result:
    """Run it; `only` narrows the sides that ours is compared with."""
    result = Result(benchmark=benchmark.name, unit=benchmark.unit, count=count, rounds=rounds)
    sides = []
    for side in benchmark.sides:
        if only and side is not benchmark.sides[0] and side.name not in only:
            continue
        if lack := side.missing():
            result.left_out[side.name] = lack
            continue
        sides.append(side)
    with tempfile.TemporaryDirectory(prefix="feedback-bench-") as name:
        _take_turns(benchmark, sides, Path(name), count, rounds, result)
    _compare(benchmark, result)
    return result


def _take_turns(
    benchmark: Benchmark, sides: list[Side], folder: Path, count: int, rounds: int, result: Result
) -> None:
    for counted in [False] + [True] * rounds:
        for side in list(sides):
            try:
                measured = _run(benchmark, side, folder / side.name, count)
            except subprocess.CalledProcessError as error:
                result.failed[side.name] = _last_line(error)
                sides.remove(side)
                result.sides.pop(side.name, None)
                continue
            if counted:
                result.sides.setdefault(side.name, []).append(measured)


def _last_line(error: subprocess.CalledProcessError) -> str:
    lines = (error.stderr or error.stdout or "").strip().splitlines()
    return lines[-1] if lines else f"exit code {error.returncode}"


def _run(benchmark: Benchmark, side: Side, source: Path, count: int) -> Measured:
    """Run one side on a copy of what it prepared once."""
    command = [sys.executable, "-m", "benchmarks", "--side", benchmark.name, side.name]
    if not source.exists():
        source.mkdir()
        _call([*command, str(source), str(count), "prepare"])
    with tempfile.TemporaryDirectory(prefix="feedback-bench-") as name:
        folder = Path(name) / "run"
        shutil.copytree(source, folder)
        done = _call([*command, str(folder), str(count), "run"])
    found: Measured = json.loads(done.stdout.splitlines()[-1])
    return found


def _call(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=True, capture_output=True, text=True)


def run_side(benchmark: Benchmark, name: str, folder: Path, count: int, what: str) -> None:
    """Do one side's part in this process; what was measured goes to the last line of stdout."""
    side = next(one for one in benchmark.sides if one.name == name)
    if what == "prepare":
        side.prepare(folder, count)
        return
    measured = side.run(folder, count)
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    cpu = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    peak = max(own.ru_maxrss, children.ru_maxrss) / 1024
    print(json.dumps({"cpu_seconds": cpu, "peak_mb": peak, **measured}))


def _compare(benchmark: Benchmark, result: Result) -> None:
    ours = result.sides.get(benchmark.sides[0].name, [])
    for name, theirs in result.sides.items():
        if name == benchmark.sides[0].name:
            continue
        pairs = [(a["value"], b["value"]) for a, b in zip(ours, theirs, strict=False)]
        result.ratios[name] = median(a / b for a, b in pairs)


def show(benchmark: Benchmark, result: Result) -> None:
    """Print it for people."""
    print(f"{benchmark.name}: {benchmark.title}")
    print(
        f"  {result.count:,} a run, {result.rounds} rounds, in {benchmark.unit}; {benchmark.better} is better"
    )
    for name, runs in result.sides.items():
        values = sorted(one["value"] for one in runs)
        cpu = median(one["cpu_seconds"] for one in runs)
        peak = max(one["peak_mb"] for one in runs)
        ratio = f"  ours: {result.ratios[name]:.2f} ×" if name in result.ratios else ""
        print(
            f"  {name:<28}{_figure(median(values)):>10} ({_figure(values[0])} to {_figure(values[-1])})"
            f"  CPU {cpu:.2f} s, peak {peak:.0f} MB{ratio}"
        )
        extras = {key: median(one[key] for one in runs) for key in runs[0] if key not in _COMMON}
        if extras:
            print(" " * 30 + ", ".join(f"{key} {_figure(value)}" for key, value in extras.items()))
    for name, why in result.left_out.items():
        print(f"  {name:<28}left out: {why}")
    for name, why in result.failed.items():
        print(f"  {name:<28}FAILED: {why}")


_COMMON = ("value", "cpu_seconds", "peak_mb")


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def machine(packages: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return what the figures were made on."""
    facts: dict[str, Any] = {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "feedback_app": feedback_app.__version__,
    }
    for name in ("uvloop", "sqlalchemy", "aiosqlite", "aiosmtplib", "jinja2", *packages):
        try:
            facts[name] = version(name)
        except PackageNotFoundError:
            facts[name] = None
    return facts
