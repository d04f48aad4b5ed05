"""The ledger's lock file: who may run as the daemon, and who may checkpoint.

An flock, so the kernel frees it with its holder and a stale file never blocks. The file's text only says who the
holder is.
"""

from __future__ import annotations

import fcntl
import json
import os
from typing import TYPE_CHECKING, Literal

from feedback_app.errors import Busy

if TYPE_CHECKING:
    from pathlib import Path

Role = Literal["daemon", "command"]


class LedgerLock:
    """An exclusive lock beside the ledger; `release` is idempotent."""

    def __init__(self, ledger: Path) -> None:
        self.path = ledger.with_name(ledger.name + "-lock")
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds it."""
        return self._descriptor is not None

    def try_acquire(self, role: Role) -> bool:
        """Take the lock if nobody has it; True when it is ours now."""
        if self.held:
            return True
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "role": role}).encode(), 0)
        self._descriptor = descriptor
        return True

    def holder(self) -> tuple[int | None, str]:
        """Return (pid, role) as the last holder wrote them; (None, "") when unreadable."""
        try:
            facts = json.loads(self.path.read_bytes())
            return int(facts["pid"]), str(facts["role"])
        except (OSError, ValueError, KeyError, TypeError):
            return None, ""

    def refused(self) -> Busy:
        """Form the error for somebody who could not have the lock."""
        pid, role = self.holder()
        who = f"a {role} with pid {pid}" if pid else "another process"
        return Busy(
            f"{self.path.with_name(self.path.name.removesuffix('-lock'))}: {who} already runs on this ledger"
        )

    def release(self) -> None:
        """Let go; the file stays, because removing it would let two holders lock different files."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def daemon_runs(ledger: Path) -> int | None:
    """Return the pid of the daemon that runs on this ledger, 0 when it is not known, None when none runs."""
    lock = LedgerLock(ledger)
    if not lock.path.exists() or lock.try_acquire("command"):
        lock.release()
        return None
    pid, role = lock.holder()
    return (pid or 0) if role == "daemon" else None
