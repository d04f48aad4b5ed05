"""When the next tick is due: pure functions of a moment that is passed in.

A schedule is anything with `next_after` and `wall_clock`; these two serve most needs.
"""

from __future__ import annotations

import bisect
import difflib
import math
import zoneinfo
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, ClassVar, Protocol
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterator

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_SHORTEST, _LONGEST = 0.001, 366 * 86400.0  # seconds
_CRON_FIELDS = ("minute", "hour", "day of month", "month", "day of week")


class Schedule(Protocol):
    """What a Ticker asks for the next tick."""

    @property
    def wall_clock(self) -> bool:
        """Whether the ticks follow the clock on the wall; else they follow a stop-watch."""

    def next_after(self, moment: datetime) -> datetime:
        """Return the first tick later than `moment`; both are aware and in UTC."""


@dataclass(frozen=True, slots=True)
class Every:
    """A tick every `seconds` seconds (0.001 to a year of 366 days), at whole multiples of the period.

    The multiples are counted from 1970-01-01T00:00Z. A Ticker hands in moments of a stop-watch that begins
    there when its run begins, so that its k-th tick is due k periods after its start, however long the
    callback takes and whatever happens to the wall clock. Raises ValueError for a period out of range.
    """

    seconds: float

    wall_clock: ClassVar[bool] = False

    def __post_init__(self) -> None:
        seconds = self.seconds
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not math.isfinite(seconds):
            raise ValueError(f"Every(seconds={seconds!r}): not a number of seconds, write Every(seconds=3)")
        if not _SHORTEST <= seconds <= _LONGEST:
            raise ValueError(f"Every(seconds={seconds!r}): allowed is {_SHORTEST} to {_LONGEST:.0f} seconds")

    def next_after(self, moment: datetime) -> datetime:
        """Return the first whole multiple of the period later than `moment` (aware)."""
        _check_aware(moment)
        period = timedelta(seconds=self.seconds)
        return EPOCH + ((moment - EPOCH) // period + 1) * period


@dataclass(frozen=True, slots=True)
class Cron:
    """Ticks at the wall-clock times of a cron line (minute hour day-of-month month day-of-week) in a zone.

    Where the hour is given, each time that the line names comes once a day, whatever the zone does to its
    clocks: a time that the clocks jump over comes at the first instant at which they show a later one, a time
    that they show twice comes the first time. A date that the zone leaves out (Samoa had no 30 December 2011)
    has no ticks. Where the hour is `*` or `*/n` the line means an interval: it follows the clocks as they
    run, twice through the hour that comes twice. (Debian's cron likewise tells fixed times from intervals.)

    `timezone` is an IANA name such as "Europe/Berlin" or a ZoneInfo. Raises ValueError for a line or a time
    zone that cannot be, and for a line that never comes up.
    """

    line: str
    timezone: str | ZoneInfo

    wall_clock: ClassVar[bool] = True
    _zone: ZoneInfo = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_zone", _zone_named(self.timezone))
        _check_line(self.line)

    def next_after(self, moment: datetime) -> datetime:
        """Return the first tick (UTC) later than `moment` (aware)."""
        _check_aware(moment)
        return next(tick for tick in self._ticks(moment.astimezone(self._zone)) if tick > moment)

    def _ticks(self, local: datetime) -> Iterator[datetime]:
        """Yield the ticks around and after a local moment; some of the first may lie before it."""
        from cronsim import CronSim

        if self.line.split()[1].startswith("*"):
            yield from (tick.astimezone(UTC) for tick in CronSim(self.line, local))
            return
        # Without a zone cronsim yields what a clock on the wall shows; what that is in UTC is decided here.
        # (With one it names the first of two equal times even when that is past, and ticks for absent dates.)
        for wall in CronSim(self.line, local.replace(tzinfo=None)):
            if _exists(wall.date(), self._zone):
                yield first_instant(wall, self._zone)


def first_instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return the first instant (UTC) at which the clocks of `zone` show the naive `wall` or a later time."""
    early, late = sorted(wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))

    def shown(second: int) -> datetime:
        return (early + timedelta(seconds=second)).astimezone(zone).replace(tzinfo=None)

    # Where the time is shown once, early and late are one; where it is shown twice, early is the first.
    if shown(0) >= wall:
        return early
    # It is jumped over somewhere between the two; zones jump at whole seconds.
    seconds = range(int((late - early).total_seconds()))
    return early + timedelta(seconds=bisect.bisect_left(seconds, wall, key=shown))


def _exists(day: date, zone: ZoneInfo) -> bool:
    return first_instant(datetime.combine(day, time()), zone).astimezone(zone).date() == day


def _zone_named(timezone: str | ZoneInfo) -> ZoneInfo:
    if isinstance(timezone, ZoneInfo):
        return timezone
    try:
        return ZoneInfo(timezone)
    except (LookupError, ValueError, TypeError, OSError):
        near = difflib.get_close_matches(str(timezone), zoneinfo.available_timezones(), n=1)
        hint = f"did you mean {near[0]!r}?" if near else "write an IANA name such as 'Europe/Berlin' or 'UTC'"
        raise ValueError(f"unknown time zone {_short(timezone)}: {hint}") from None


def _check_line(line: str) -> None:
    from cronsim import CronSim, CronSimError

    allowed = f"allowed are five fields, {', '.join(_CRON_FIELDS)}, such as '0 8 * * *' for 08:00 every day"
    if not isinstance(line, str) or len(line.split()) != len(_CRON_FIELDS):
        raise ValueError(f"bad cron line {_short(line)}: {allowed}")
    try:
        next(CronSim(line, EPOCH))
    except CronSimError as error:
        raise ValueError(f"bad cron line {_short(line)}: {str(error).lower()}; {allowed}") from None
    except StopIteration:
        raise ValueError(f"bad cron line {_short(line)}: no such day ever comes; {allowed}") from None


def _check_aware(moment: datetime) -> None:
    if moment.tzinfo is None:
        raise ValueError(f"the moment {moment.isoformat()} has no time zone: pass an aware datetime")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."  # noqa: PLR2004 - a line's worth
