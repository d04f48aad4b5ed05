"""The channel `file`: each message becomes a line of a file, as JSON.

Settings, `[plugins.file_notifier]`: see `Settings`. Without them the plugin is idle.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 - pydantic asks for it
from typing import TYPE_CHECKING

import msgspec
from pydantic import BaseModel, ConfigDict

from feedback_app import Message, Notifier, Receipt, hookimpl
from feedback_app.plugins._line_file import LineFile

if TYPE_CHECKING:
    from collections.abc import Callable


class Settings(BaseModel):
    """The table `[plugins.file_notifier]`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Path  # made where it is not, readable for its owner only


class FileNotifier(Notifier):
    """Appends one JSON object a line: `time` and all fields of the message."""

    channel = "file"
    timeout = 60.0
    on_unknown = "resend"  # whoever reads the file tells a second line by its id

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._file = LineFile(path)
        self._clock = clock

    async def open(self) -> None:
        """Make the file. Raises ChannelDown naming it when that cannot be."""
        await self._file.append(b"")

    async def send(self, message: Message) -> Receipt:
        """Append the message and return when it is on the disk."""
        now = datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="milliseconds")
        record = {"time": now, **msgspec.structs.asdict(message)}
        # Half of a letter beyond 16 bits, which a comment may hold, is no text anywhere else.
        line = json.dumps(record, ensure_ascii=False).encode("utf-8", "replace")
        await self._file.append(line + b"\n")
        return Receipt(detail=f"{len(line) + 1} bytes")


@hookimpl
def make_notifier(settings: Settings) -> Notifier:
    """Return the notifier for `file`."""
    return FileNotifier(settings.file)
