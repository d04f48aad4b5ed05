"""Processes that end with the one that started them, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pwd import struct_passwd

_PATIENCE = 20.0  # seconds to end by itself


class Broken(Exception):
    """A process ended or never did what it was started for."""


@contextmanager
def running(
    command: Sequence[str],
    *,
    log: Path,
    environ: Mapping[str, str] | None = None,
    stop: signal.Signals = signal.SIGTERM,
    user: struct_passwd | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command with its output in `log`; `stop` ends it, what is left of its process group is killed.

    setpriv has the kernel send SIGTERM when this process dies without coming that far.
    """
    leash = ["setpriv", "--pdeathsig", "TERM"]
    if user:
        leash += ["--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups"]
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*leash, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environ,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.send_signal(stop)
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def until(
    reached: Callable[[], bool], processes: Sequence[subprocess.Popen[bytes]], *, log: Path, limit: float
) -> None:
    """Return once it is reached.

    Raises Broken with the end of the log when a process ends before or `limit` seconds are over.
    """
    end = time.monotonic() + limit
    while not reached():
        if any(process.poll() is not None for process in processes):
            raise Broken(f"ended too soon; it last said: {_last(log)}")
        if time.monotonic() > end:
            raise Broken(f"not done after {limit:g} s; it last said: {_last(log)}")
        time.sleep(0.01)


def peak_mb(processes: Sequence[subprocess.Popen[bytes]]) -> float:
    """Return the most memory in MB that each of them and of their children ever used, added up."""
    sessions = {process.pid for process in processes}
    total = 0
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # ended meanwhile
            if os.getsid(int(path.name)) in sessions:
                lines = (path / "status").read_text().splitlines()
                total += sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    return total / 1024


def _last(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else "nothing"
