"""The gateway for trying out: text messages become lines of a file."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from feedback_app import ChannelDown, Receipt

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from feedback_app.plugins._sms import Sms


class SmsFile:
    """A file with one JSON object a line: `time, id, to, from, text, segments`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def open(self) -> None:
        """Make the file. Raises ChannelDown naming it when that cannot be."""
        await asyncio.to_thread(self._append, b"")

    async def close(self) -> None:
        """Nothing is held open."""

    async def submit(self, sms: Sms, now: float) -> Receipt:
        """Append the message; a second line with the same id is the same message again.

        Raises ChannelDown naming the file when it cannot be written.
        """
        record = {
            "time": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds"),
            "id": sms.message_id,
            "to": sms.recipient,
            "from": sms.sender,
            "text": sms.text,
            "segments": sms.segments,
        }
        await asyncio.to_thread(self._append, json.dumps(record, ensure_ascii=False).encode() + b"\n")
        return Receipt()

    def _append(self, line: bytes) -> None:
        """Add the whole line or nothing, also beside other writers and on a full disk."""
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
