"""Whether another process of this very machine is gone: proven by the kernel, never guessed by a name.

Host names are shared by containers and pids are used again, so a process is told by the kernel's boot, its pid
namespace, its pid and its start time in it; see proc(5) and random(4).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_STARTED = 19  # place of the start time behind the program's name in /proc/PID/stat


def identity() -> dict[str, object]:
    """Return what tells this process from any other; {} where the system does not say it."""
    found = _here()
    started = _start_time(os.getpid())
    return {**found, "pid": os.getpid(), "started": started} if found and started is not None else {}


def is_gone(process: Mapping[str, object]) -> bool:
    """Whether the process surely ran on this machine and does not any more."""
    here = _here()
    if not here or any(process.get(key) != value for key, value in here.items()):
        return False  # elsewhere, or unknown
    pid = process.get("pid")
    if not isinstance(pid, int):
        return False
    started = _start_time(pid)
    return started != process.get("started") and (started is not None or not _is_hidden(pid))


def _is_hidden(pid: int) -> bool:
    """Whether there is such a process though /proc does not show it: mounts may hide those of other users."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return False  # ours to see: it is a zombie


def _here() -> dict[str, object]:
    try:
        return {"boot": _BOOT.read_text(encoding="ascii").strip(), "pids": os.readlink("/proc/self/ns/pid")}  # noqa: PTH115
    except OSError:
        return {}


def _start_time(pid: int) -> int | None:
    """Return when a process began, in the kernel's ticks; None when it does not exist, or only waits to be reaped."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name may hold blanks and brackets
    return None if fields[0] in ("Z", "X") else int(fields[_STARTED])
