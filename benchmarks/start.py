"""How soon the program is there, and what it costs while there is nothing to do."""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import median
from typing import TYPE_CHECKING

from benchmarks import ledger
from benchmarks.harness import Benchmark, Measured, Side
from benchmarks.program import command, cpu_seconds, daemon, resident_mb, used_by_children

if TYPE_CHECKING:
    from pathlib import Path

_SETTLED = 2.0  # seconds after it is ready; what the start left over is done by then


def _prepare(folder: Path, _count: int) -> None:
    ledger.prepare(folder, 0)


def _ours(folder: Path, count: int) -> Measured:
    return {
        "value": median(_ready_ms(folder) for _ in range(count)),
        "first start, new ledger, ms": _first_ms(folder),
        "--version ms": median(_milliseconds(command(folder, "--version")) for _ in range(count)),
        "--help ms": median(_milliseconds(command(folder, "--help")) for _ in range(count)),
        **used_by_children(),
    }


def _ready_ms(folder: Path) -> float:
    with daemon(folder) as (_, seconds):
        return seconds * 1e3


def _first_ms(folder: Path) -> float:
    for file in folder.glob("feedback.db*"):
        file.unlink()
    return _ready_ms(folder)


def _interpreter(_folder: Path, count: int) -> Measured:
    value = median(_milliseconds([sys.executable, "-c", "pass"]) for _ in range(count))
    return {"value": value, **used_by_children()}


def _milliseconds(program: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(program, check=True, capture_output=True)
    return (time.perf_counter() - begun) * 1e3


def _idle(folder: Path, seconds: int) -> Measured:
    with daemon(folder) as (pid, _):
        time.sleep(_SETTLED)
        used, begun = cpu_seconds(pid), time.perf_counter()
        time.sleep(seconds)
        share = (cpu_seconds(pid) - used) / (time.perf_counter() - begun)
        memory = resident_mb(pid)
    return {**used_by_children(), "value": share * 100, "MB": memory}


BENCHMARKS = (
    Benchmark(
        name="start",
        title="the daemon's start until it is ready, a ledger of 10,000 customers",
        unit="ms",
        count=5,
        better="less",
        sides=(
            Side(name="feedback_app", prepare=_prepare, run=_ours),
            Side(name="bare interpreter", run=_interpreter),
        ),
    ),
    Benchmark(
        name="idle",
        title="the daemon with nothing to do, counted in seconds",
        unit="% of a core",
        count=20,
        better="less",
        sides=(Side(name="feedback_app", prepare=_prepare, run=_idle),),
    ),
)
