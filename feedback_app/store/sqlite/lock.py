"""The ledger's lock file: who may run as the daemon, and who may checkpoint.

An flock, so the kernel frees it with its holder and a stale file never blocks. The file's text only says who the
holder is.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from feedback_app.clock import now_ms
from feedback_app.errors import Busy
from feedback_app.store.sqlite import place

if TYPE_CHECKING:
    from pathlib import Path

    from feedback_app.store.store import Role


class Holder(NamedTuple):
    """Who has the lock, as they wrote it; None and "" where that cannot be read."""

    pid: int | None = None
    role: str = ""
    since: int | None = None  # epoch milliseconds


class LedgerLock:
    """An exclusive lock beside the ledger; `release` is idempotent."""

    def __init__(self, ledger: Path) -> None:
        self.path = place.beside(ledger, "-lock")
        self._ledger = ledger
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds it."""
        return self._descriptor is not None

    def try_acquire(self, role: Role) -> bool:
        """Take the lock if nobody has it; True when it is ours now."""
        if self.held:
            return True
        # A link laid in a shared folder is not followed: what it leads to would be emptied.
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self.path, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        with contextlib.suppress(OSError):  # a full disk: the lock is ours all the same
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(Holder(os.getpid(), role, now_ms())._asdict()).encode(), 0)
        return True

    def holder(self) -> Holder:
        """Return what the last holder wrote."""
        try:
            facts = json.loads(self.path.read_bytes())
            return Holder(int(facts["pid"]), str(facts["role"]), int(facts["since"]))
        except (OSError, ValueError, KeyError, TypeError):
            return Holder()

    def refused(self) -> Busy:
        """Form the error for somebody who could not have the lock."""
        pid, role, since = self.holder()
        who = f"a {role} with pid {pid}" if pid else "another process"
        when = f", since {datetime.fromtimestamp(since / 1000, UTC):%Y-%m-%d %H:%M} UTC" if since else ""
        return Busy(f"{self._ledger}: {who} already runs on this ledger{when}")

    def release(self) -> None:
        """Let go; the file stays, because removing it would let two holders lock different files."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def daemon_runs(ledger: Path) -> int | None:
    """Return the pid of the daemon that runs on this ledger, 0 when it is not known, None when none runs."""
    lock = LedgerLock(ledger)
    try:
        descriptor = os.open(lock.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        # Shared, so that many may ask at once; it is let go at once.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        found = lock.holder()
        return (found.pid or 0) if found.role == "daemon" else None
    finally:
        os.close(descriptor)
    return None
