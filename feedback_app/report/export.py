"""The figures of days for programs: JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from feedback_app.report.wording import rating

if TYPE_CHECKING:
    from collections.abc import Sequence

    from feedback_app.model import Milliseconds
    from feedback_app.report.figures import Change, DayFigures

_MOMENTS = {"start", "end", "read_at", "received_at", "oldest_since", "oldest_waiting_since"}
# Where a spreadsheet may begin a cell that it calculates: at the start of a text and, in countries where commas are
# not what separates, within it, for there the quotes around the text are not seen. It skips blanks and quotes.
_FORMULA = re.compile(
    r"""^(?=[\t\r\n\0]) | (?:^|(?<=[;|\t\r\n])) (?=(?:[^\S\t\r\n]|["\0\ufeff])*[=+@\-\uff1d\uff0b\uff0d\uff20])""",
    re.VERBOSE,
)


def to_json(day: DayFigures) -> str:
    """Return one day as a JSON object, named as in `DayFigures`; moments are ISO 8601 in the day's zone."""
    return json.dumps(as_data(day), ensure_ascii=False)


def as_data(day: DayFigures) -> dict[str, object]:
    """Return one day in JSON's own types."""
    zone = ZoneInfo(day.timezone)
    data = {name: _readable(value, zone, name) for name, value in asdict(day).items()}
    return {**data, "date": day.date.isoformat(), "complete": day.read_at >= day.end}


def _readable(value: object, zone: ZoneInfo, name: str = "") -> object:
    if isinstance(value, dict):
        return {key: _readable(inner, zone, key) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return [_readable(inner, zone) for inner in value]
    if name in _MOMENTS and isinstance(value, int):
        return _moment(value, zone)
    return round(value, 6) if isinstance(value, float) else value


def _moment(at: Milliseconds, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(zone).isoformat(timespec="seconds")


def to_csv(days: Sequence[DayFigures]) -> str:
    """Return a header and a row per day; a text that a spreadsheet would calculate gets an apostrophe."""
    stars = sorted({star.rating for day in days for star in day.stars}, reverse=True)
    rows = [_row(day, stars) for day in days]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(rows[0] if rows else ())
    writer.writerows([_cell(value) for value in row.values()] for row in rows)
    return out.getvalue()


def _row(day: DayFigures, stars: Sequence[float]) -> dict[str, object]:
    counts = {star.rating: star.count for star in day.stars}
    worst = day.lowest_items[0] if day.lowest_items else None
    return {
        "date": day.date.isoformat(),
        "timezone": day.timezone,
        "ratings": day.ratings,
        "average": day.average,
        "low": day.low,
        "low_share": day.low_share,
        **{f"rating_{rating(star)}": counts.get(star, 0) for star in stars},
        **_change("day_before", day.day_before),
        **_change("week_before", day.week_before),
        "history": day.history,
        "lowest_item": worst.item if worst else None,
        "lowest_item_average": worst.average if worst else None,
        "sent": day.deliveries.sent,
        "given_up": day.deliveries.died,
        "open_low_now": day.open_low.count,
        "queued_now": day.deliveries.queued,
        "held_now": day.deliveries.held,
        "dead_now": day.deliveries.dead,
    }


def _change(against: str, change: Change | None) -> dict[str, object]:
    return {
        f"ratings_against_{against}": change.ratings if change else None,
        f"average_against_{against}": change.average if change else None,
        f"low_share_against_{against}": change.low_share if change else None,
    }


def _cell(value: object) -> object:
    return round(value, 6) if isinstance(value, float) else harmless(value)


def harmless(value: object) -> object:
    """Return a cell that a spreadsheet shows and does not calculate: an apostrophe stands before each formula."""
    return _FORMULA.sub("'", value) if isinstance(value, str) else value
