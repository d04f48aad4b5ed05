"""`feedback import` as a user runs it beside the plain program: from the start of the command to its end.

Our command makes the ledger too, checks every field, tells duplicates from conflicts and keeps the ledger's other
indices.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from benchmarks import plain_import
from benchmarks.harness import Benchmark, Measured, Side
from benchmarks.program import command, used_by_children
from benchmarks.workload import write_csv

if TYPE_CHECKING:
    from pathlib import Path


def _prepare(folder: Path, count: int) -> None:
    write_csv(folder, count)
    (folder / "config.toml").touch()


def _ours(folder: Path, count: int) -> Measured:
    return _timed(command(folder, "feedback", "import", str(_file(folder))), folder / "feedback.db", count)


def _plain(folder: Path, count: int) -> Measured:
    database = folder / "plain.db"
    return _timed([sys.executable, plain_import.__file__, str(_file(folder)), str(database)], database, count)


def _file(folder: Path) -> Path:
    return folder / "ratings.csv"


def _timed(program: list[str], database: Path, count: int) -> Measured:
    begun = time.perf_counter()
    subprocess.run(program, check=True, capture_output=True, cwd=database.parent)
    seconds = time.perf_counter() - begun
    base = sqlite3.connect(database)
    (stored,) = base.execute("SELECT count(*) FROM feedback").fetchone()
    base.close()
    assert stored == count, f"{stored} of {count} rows are stored"
    return {**used_by_children(), "value": count / seconds}


BENCHMARKS = (
    Benchmark(
        name="import",
        title="rows of a CSV file → durable, the whole command",
        unit="rows/s",
        count=300_000,
        sides=(
            Side(name="feedback_app", prepare=_prepare, run=_ours),
            Side(name="plain", prepare=_prepare, run=_plain),
        ),
    ),
)
