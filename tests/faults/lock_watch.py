"""Who keeps everybody else from writing to a ledger, and for how long."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from feedback_app.store.sqlite import holders

_WRITE_LOCK = 120  # the byte of the -shm file, https://sqlite.org/walformat.html#wal_locks


class LockWatch:
    """Looks every millisecond who holds the ledger, in a thread of its own; `spare` are pids that it leaves out."""

    def __init__(self, ledger: Path, *, spare: Collection[int] = ()) -> None:
        self.longest: dict[int, float] = {}  # seconds by pid
        self._ledger = ledger
        self._spare = spare
        self._over = threading.Event()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Look while the block runs."""
        thread = threading.Thread(target=self._look)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _look(self) -> None:
        since: dict[int, float] = {}
        while not self._over.wait(0.001):
            now = time.perf_counter()
            holding = {
                lock.pid
                for lock in holders.locks_of(self._ledger)
                if lock.first_byte == _WRITE_LOCK and lock.pid not in self._spare
            }
            since = {pid: since.get(pid, now) for pid in holding}
            for pid, begun in since.items():
                self.longest[pid] = max(self.longest.get(pid, 0.0), now - begun)
