"""A file to which whole lines are added, by as many writers as like."""

from __future__ import annotations

import asyncio
import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from feedback_app import ChannelDown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class LineFile:
    """Made with its folder where it is not, readable for its owner only; nothing is held open in between."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def append(self, line: bytes) -> None:
        """Add the whole line or nothing, and return when it is on the disk. Raises ChannelDown naming the file."""
        await asyncio.to_thread(self._append, line)

    def _append(self, line: bytes) -> None:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _opened(self._path) as descriptor:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                size = os.fstat(descriptor).st_size
                if os.write(descriptor, line) < len(line):
                    os.ftruncate(descriptor, size)
                    raise ChannelDown(f"cannot write to {self._path}: the disk is full")
                os.fsync(descriptor)
        except OSError as error:
            raise ChannelDown(f"cannot write to {self._path}: {error.strerror}") from None


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    # O_NONBLOCK: a named pipe that nobody reads is an error and not a wait without end.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
    descriptor = os.open(path, flags, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
