"""A wall clock that can be set under a running program: libfaketime reads from a file how far it is off.

Only the wall clock: what a program measures by the monotonic clock, its time-outs and pauses, stays true.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path


def library() -> Path | None:
    """Return where Debian and Ubuntu put the library, None when it is not installed."""
    return next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)


class FakeTime:
    """The clock of every program that is started with its `environ`.

    Programs see it being set while they run, within a second or two, only when it is `live`.
    """

    def __init__(self, file: Path, *, live: bool) -> None:
        self._file = file
        self._live = live
        self._ahead = timedelta()
        self.set(self._ahead)

    @property
    def environ(self) -> Mapping[str, str]:
        """What a program must find in its environment."""
        return {
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "0" if self._live else "86400",  # seconds
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
            "TZ": "UTC",
        }

    def set(self, ahead: timedelta) -> None:
        """Set the clock to be ahead of the true time by so much."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{ahead.total_seconds():+.6f}\n")
        fresh.replace(self._file)  # in one step, so that nobody reads half a line
        self._ahead = ahead

    def set_to(self, moment: datetime) -> None:
        """Set the clock to a moment (aware)."""
        self.set(moment - datetime.now(UTC))

    def now(self) -> datetime:
        """Return what the programs see."""
        return datetime.now(UTC) + self._ahead
