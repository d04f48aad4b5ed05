"""Which other processes hold the ledger, as far as the kernel tells: /proc/locks, see proc(5).

A line there is `1: POSIX  ADVISORY  WRITE 4711 fe:00:1234 120 120`: kind of access, pid, device and inode, first and
last byte. SQLite's locks of a WAL are bytes of the `-shm` file (walformat.html, section 2.3.1).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from feedback_app.store.sqlite import place

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOCKS = Path("/proc/locks")
_READ_MARKS = range(123, 128)  # bytes; one is locked by whoever reads a snapshot


class Lock(NamedTuple):
    """A lock on one of the ledger's files."""

    access: str  # READ or WRITE
    pid: int
    first_byte: int


def writer_of(ledger: Path) -> int | None:
    """Return the pid of another process that keeps everybody from writing; None when none is seen."""
    return next((one.pid for one in locks_of(ledger) if one.access == "WRITE"), None)


def readers_of(ledger: Path) -> list[int]:
    """Return the pids of other processes that read a snapshot at this moment."""
    return sorted({one.pid for one in locks_of(ledger) if one.first_byte in _READ_MARKS})


def locks_of(ledger: Path) -> Iterator[Lock]:
    """Yield the locks that other processes hold."""
    files = {_as_listed(path) for path in (ledger, place.beside(ledger, "-shm"))}
    try:
        lines = _LOCKS.read_text(encoding="ascii").splitlines()
    except OSError:
        return  # not Linux, or hidden from us
    for line in lines:
        fields = line.split()
        # Who only waits has an arrow in the second field; 0 and -1 are processes of other containers.
        if len(fields) == 8 and fields[5] in files and int(fields[4]) not in (os.getpid(), 0, -1):  # noqa: PLR2004
            yield Lock(fields[3], int(fields[4]), int(fields[6]))


def _as_listed(path: Path) -> str:
    try:
        facts = path.stat()
    except OSError:
        return ""
    return f"{os.major(facts.st_dev):02x}:{os.minor(facts.st_dev):02x}:{facts.st_ino}"
