"""The gateway for trying out: text messages become lines of a file."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from feedback_app import Receipt
from feedback_app.plugins._line_file import LineFile

if TYPE_CHECKING:
    from pathlib import Path

    from feedback_app.plugins._sms import Sms


class SmsFile:
    """A file with one JSON object a line: `time, id, to, from, text, segments`."""

    def __init__(self, path: Path) -> None:
        self._file = LineFile(path)
        self._name = path.name

    async def check(self) -> None:
        """There is nobody to reach."""

    async def open(self) -> None:
        """Make the file. Raises ChannelDown naming it when that cannot be."""
        await self._file.append(b"")

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
        await self._file.append(json.dumps(record, ensure_ascii=False).encode() + b"\n")
        return Receipt(detail=f"written to {self._name}")
