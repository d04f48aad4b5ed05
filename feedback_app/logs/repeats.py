"""Bounds how often a warning about the same thing is said, so that ten thousand messages are no ten thousand lines."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

MOST = 10  # lines like each other in one window
WINDOW = 60.0  # seconds
# With logger and event, what makes two lines alike. Not the message's or the rating's own numbers.
_FIELDS = ("channel", "provider", "source", "plugin", "report", "warning", "ticker")


@dataclass(kw_only=True, slots=True)
class _Window:
    begun: float
    record: logging.LogRecord  # the first one
    said: int = 0
    left_out: int = 0


@dataclass(slots=True)
class Repeats:
    """Lets the first lines of each kind in a minute pass and counts the others. Not thread-safe.

    What is below a warning passes: that is said on request, or once.
    """

    _windows: dict[tuple[object, ...], _Window] = field(default_factory=dict)

    def passes(self, record: logging.LogRecord, now: float) -> bool:
        """Whether this line is to be said; `now` is in seconds."""
        if record.levelno < logging.WARNING:
            return True
        key = (record.name, record.msg, *(str(record.__dict__.get(one, "")) for one in _FIELDS))
        window = self._windows.setdefault(key, _Window(begun=now, record=record))
        if window.said < MOST:
            window.said += 1
            return True
        window.left_out += 1
        return False

    @property
    def oldest(self) -> float | None:
        """When the first of the open windows began, None where none is open."""
        return min((one.begun for one in self._windows.values()), default=None)

    def ended(self, now: float) -> list[logging.LogRecord]:
        """Close the windows that are over; returns a line for each that left some out."""
        over = [key for key, one in self._windows.items() if now - one.begun >= WINDOW]
        return [_summary(one) for one in map(self._windows.pop, over) if one.left_out]


def _summary(window: _Window) -> logging.LogRecord:
    known = {name: window.record.__dict__.get(name) for name in _FIELDS}
    return logging.makeLogRecord(
        {
            "name": __name__,
            "levelno": logging.WARNING,
            "levelname": "WARNING",
            "msg": "lines like this one were left out",
            "like": str(window.record.msg).partition("\n")[0],
            "count": window.left_out,
            **{name: value for name, value in known.items() if value is not None},
        }
    )
