"""When a report is due and which ratings it covers: pure functions of a moment that is passed in.

The report of local date D covers the ratings that arrived on D in the report's zone, and is due at the
wall-clock time `at` on the next day. Two things make that less simple than it sounds. Where clocks go forward
a wall-clock time may not exist, where they go back it comes twice; the first instant at which the wall clock
shows the time or a later one is always there, once. And a zone may skip a whole date (Samoa had no 30
December 2011): that date has an empty day, and its report is due together with the one of the date before.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from feedback_app.concurrency import first_instant

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)


def day_bounds(local_date: date, zone: ZoneInfo) -> tuple[int, int]:
    """Return the day's first epoch millisecond and the one after its last; days tile the time of a zone."""
    return _midnight(local_date, zone), _midnight(local_date + _DAY, zone)


def _midnight(local_date: date, zone: ZoneInfo) -> int:
    return int(first_instant(datetime.combine(local_date, time()), zone).timestamp()) * 1000


def due_at(local_date: date, at: time, zone: ZoneInfo) -> datetime:
    """Return the instant (UTC) at which the report of `local_date` is due, never before that day's end."""
    next_day = local_date + _DAY
    while _midnight(next_day, zone) == _midnight(next_day + _DAY, zone):
        next_day += _DAY
    return first_instant(datetime.combine(next_day, at), zone)


def last_due(now: datetime, at: time, zone: ZoneInfo) -> date:
    """Return the newest date whose report is due at `now` (aware)."""
    newest = now.astimezone(zone).date() + _DAY
    while due_at(newest, at, zone) > now:
        newest -= _DAY
    return newest


def dates_to_make(
    now: datetime, at: time, zone: ZoneInfo, *, first_date: date, made: AbstractSet[date], catch_up: int
) -> list[date]:
    """Return the dates whose reports are due and missing, oldest first, none of them before `first_date`.

    Only the newest `catch_up` dates that are due come into question: who was away for a month wants the last
    week, not thirty reports. Older ones drop out for good, because that window only moves forward.
    """
    newest = last_due(now, at, zone)
    window = (newest - back * _DAY for back in reversed(range(max(catch_up, 1))))
    return [day for day in window if day >= first_date and day not in made]
