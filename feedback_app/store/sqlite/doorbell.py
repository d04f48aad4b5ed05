"""How a daemon hears at once that another process committed: a named pipe beside the ledger.

Ringing writes one byte and never waits; without a listener it does nothing. What the bell misses, the daemon's
slow poll of the ledger's version finds.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from typing import TYPE_CHECKING

from feedback_app.store.sqlite import place

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _bell(ledger: Path) -> Path:
    return place.beside(ledger, "-bell")


def ring(ledger: Path) -> None:
    """Wake the daemon that listens beside this ledger, if there is one."""
    # ENXIO: nobody listens; ENOENT: nobody ever did; EAGAIN: the pipe is full, so the bell rings already.
    with contextlib.suppress(OSError):
        descriptor = os.open(_bell(ledger), os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
                os.write(descriptor, b"!")
        finally:
            os.close(descriptor)


class Doorbell:
    """Calls `heard` in the running event loop whenever somebody rings; `close` is idempotent."""

    def __init__(self, ledger: Path, heard: Callable[[], None]) -> None:
        self._path = _bell(ledger)
        self._heard = heard
        self._descriptor: int | None = None

    def open(self) -> bool:
        """Listen; False where the file system has no named pipes, then polling must do."""
        try:
            with contextlib.suppress(FileExistsError):
                os.mkfifo(self._path, 0o600)
            # Opened for both ways, so that the last ringer's close is no end of file.
            descriptor = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return False
        if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(descriptor, self._rung)
        return True

    def _rung(self) -> None:
        assert self._descriptor is not None
        with contextlib.suppress(BlockingIOError):
            os.read(self._descriptor, 65536)
        self._heard()

    def close(self) -> None:
        """Stop listening and take the pipe away."""
        if self._descriptor is None:
            return
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
        self._descriptor = None
        self._path.unlink(missing_ok=True)
