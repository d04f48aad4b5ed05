"""Our program as its users run it, in a process of its own, and what that process uses."""

from __future__ import annotations

import resource
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.harness import Measured

_MB = 1024  # kB


def command(folder: Path, *arguments: str) -> list[str]:
    """Return the command line that runs it on `folder`'s config.toml."""
    return [sys.executable, "-m", "feedback_app", "--config", str(folder / "config.toml"), *arguments]


@contextmanager
def daemon(folder: Path) -> Iterator[tuple[int, float]]:
    """Run the daemon; yields its pid and the seconds until it was ready. Raises RuntimeError when it ends before."""
    begun = time.perf_counter()
    with subprocess.Popen(command(folder, "run"), stderr=subprocess.PIPE, text=True, cwd=folder) as process:
        assert process.stderr is not None
        try:
            if not any('"ready"' in line for line in process.stderr):
                raise RuntimeError(f"the daemon ended with {process.wait()} before it was ready")
            seconds = time.perf_counter() - begun
            threading.Thread(target=process.stderr.read, daemon=True).start()  # a full pipe would hold it up
            yield process.pid, seconds
        finally:
            process.terminate()


def resident_mb(pid: int) -> float:
    """Return the memory that a process has in RAM."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    return int(status.partition("VmRSS:")[2].split()[0]) / _MB


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of all its threads, to the nanosecond (stat counts in hundredths of a second)."""
    return sum(int(one.read_text().split()[0]) for one in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def used_by_children() -> Measured:
    """Return what the programs used that were waited for; the harness would add its own process."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"cpu_seconds": used.ru_utime + used.ru_stime, "peak_mb": used.ru_maxrss / _MB}
