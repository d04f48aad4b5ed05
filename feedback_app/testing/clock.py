"""A clock that a test turns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from feedback_app.model import Milliseconds

_BEGIN = datetime(2027, 1, 15, 8, 0, tzinfo=UTC)  # a Friday morning


class ManualClock:
    """Stands still until it is turned: `clock.turn(hours=3)`. Calling it gives milliseconds, as the program's clock."""

    def __init__(self, begin: datetime = _BEGIN) -> None:
        self.set(begin)

    def __call__(self) -> Milliseconds:
        """Return what it shows, in milliseconds since 1970."""
        return self._now

    @property
    def now(self) -> datetime:
        """What it shows, in UTC."""
        return datetime.fromtimestamp(self._now / 1000, UTC)

    def turn(self, **by: float) -> None:
        """Turn it ahead by hours, minutes, …, as `timedelta` names them; a negative number turns it back."""
        self._now += int(timedelta(**by).total_seconds() * 1000)

    def set(self, moment: datetime) -> None:
        """Set it. Raises ValueError for a moment without a time zone."""
        if moment.tzinfo is None:
            raise ValueError(f"{moment} has no time zone")
        self._now = int(moment.timestamp() * 1000)
