"""How figures are written in the report: the filters and words that its templates use."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from feedback_app.model import Milliseconds
    from feedback_app.report.figures import DayFigures

NOTHING = "\u2013"  # stands where there is no figure
_BAR = 30  # characters of a full bar in the text

ENDED = {  # where a rating's road ended (model.Ended), or else its state, in words
    "thanked": "thanked",
    "low": "kept as low ratings",
    "no_customer": "without a customer",
    "unknown_customer": "customer not known",
    "no_channel": "no way to reach the customer",
    "opted_out": "customer opted out",
    "history": "taken in as history",
    "received": "still to be processed",
    "dead": "could not be processed",
}


def subject(days: Sequence[DayFigures]) -> str:
    """Return the subject line of a report of these days, oldest first."""
    first, last = days[0], days[-1]
    covered = f"on {last.date}" if first is last else f"from {first.date} to {last.date}"
    return f"Ratings {covered}: {summary(days)}"


def summary(days: Sequence[DayFigures]) -> str:
    """Say in a few words what the days brought."""
    ratings = sum(day.ratings for day in days)
    if not ratings:
        return "no ratings"
    average = sum(day.average * day.ratings for day in days if day.average is not None) / ratings
    return f"{counted(ratings, 'rating')}, average {average:.1f}, {sum(day.low for day in days):,} low"


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return "1 rating", "1,200 ratings"."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def number(value: float, digits: int = 0) -> str:
    """Return "1,200", "38.3"."""
    return f"{value:,.{digits}f}"


def long_date(day: date) -> str:
    """Return "Saturday, 21 November 2026"."""
    return f"{day:%A}, {day.day} {day:%B} {day.year}"


def moment(at: Milliseconds | None, timezone: str) -> str:
    """Return the wall-clock time in the report's zone, "2026-11-21 14:05"."""
    if at is None:
        return NOTHING
    return f"{datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(timezone)):%Y-%m-%d %H:%M}"


def rating(value: float) -> str:
    """Return "4", "3.5"."""
    return f"{value:g}"


def mean(value: float | None) -> str:
    """Return "4.12"."""
    return NOTHING if value is None else f"{value:.2f}"


def share(value: float | None) -> str:
    """Return "11.9%" for 0.119."""
    return NOTHING if value is None else f"{value:.1%}"


def signed(value: float | None, digits: int = 0) -> str:
    """Return "+12", "±0", or a minus sign and the figure."""
    if value is None:
        return NOTHING
    rounded = round(value, digits)
    sign = "+" if rounded > 0 else "\u2212" if rounded < 0 else "±"
    return f"{sign}{abs(rounded):,.{digits}f}"


def points(value: float | None) -> str:
    """Return the difference of two shares in percentage points, "+3.1 points"."""
    return NOTHING if value is None else f"{signed(value * 100, 1)} points"


def bar(value: float) -> str:
    """Return a share as a row of blocks; what is not nothing shows at least one."""
    return "█" * max(round(value * _BAR), 1 if value > 0 else 0)


def ended(key: str) -> str:
    """Return where a rating's road ended, in words."""
    return ENDED.get(key, key)


FILTERS: dict[str, Callable[..., str]] = {
    "counted": counted,
    "number": number,
    "long_date": long_date,
    "moment": moment,
    "rating": rating,
    "mean": mean,
    "share": share,
    "signed": signed,
    "points": points,
    "bar": bar,
    "ended": ended,
}
