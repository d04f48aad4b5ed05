"""The bytes of an import: an ordinary file or standard input, read once, from the front, and counted."""

from __future__ import annotations

import io
import os
import stat
from typing import TYPE_CHECKING, BinaryIO

from feedback_app.errors import NotFound, NotPermitted, StorageFailed, UsageError

if TYPE_CHECKING:
    from pathlib import Path

HEAD = 65_536  # bytes looked at before the reading begins

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


def open_input(path: Path) -> BinaryIO:
    """Open an ordinary file for reading; pipes and devices, which may never end, are refused.

    Raises NotFound, NotPermitted, UsageError or StorageFailed.
    """
    try:
        # Without O_NONBLOCK a named pipe without a writer would hang here, before it can be refused.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise NotFound(f"{path}: no such file") from None
    except PermissionError:
        raise NotPermitted(f"{path}: not readable by user {os.geteuid()}") from None
    except (OSError, ValueError) as problem:
        raise UsageError(f"{path}: cannot be opened: {getattr(problem, 'strerror', problem)}") from None
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        kind = next((words for test, words in _KINDS if test(mode)), "no ordinary file")
        hint = "" if stat.S_ISDIR(mode) else "; to read a stream, give - and pipe it to standard input"
        raise UsageError(f"{path} is {kind}, a file is wanted{hint}")
    return os.fdopen(handle, "rb")


class ByteSource(io.RawIOBase):
    """A caller's binary stream whose head can be seen before it is read. Closing leaves the stream open."""

    def __init__(self, stream: BinaryIO, *, label: str) -> None:
        super().__init__()
        self._read_some = getattr(stream, "read1", stream.read)
        self._label = label
        self.bytes_read = 0
        self.head = self._fill()
        self._ahead = self.head

    def readable(self) -> bool:
        """Tell the layers above that this can be read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill `buffer` from the head, then from the stream. Raises StorageFailed."""
        data = self._ahead[: len(buffer)] or self._take(len(buffer))
        self._ahead = self._ahead[len(data) :]
        buffer[: len(data)] = data
        return len(data)

    def _fill(self) -> bytes:
        """Read HEAD bytes, fewer only where the stream ends, so that a slow pipe is judged like a file."""
        parts, size = [], 0
        while size < HEAD and (part := self._take(HEAD - size)):
            parts.append(part)
            size += len(part)
        return b"".join(parts)

    def _take(self, size: int) -> bytes:
        try:
            data: bytes = self._read_some(size)
        except OSError as problem:
            raise StorageFailed(f"{self._label}: reading failed: {problem.strerror}") from problem
        self.bytes_read += len(data)
        return data
