"""Days as they could be, to render templates with before the first real one is due."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from feedback_app.report.facts import Fact
from feedback_app.report.figures import (
    Change,
    Comment,
    DayFigures,
    Deliveries,
    Item,
    OpenLow,
    Star,
)

_DAY = date(2026, 1, 31)
_START = int(datetime(2026, 1, 31, tzinfo=UTC).timestamp() * 1000)
_END = _START + 86_400_000


def sample_day() -> DayFigures:
    """Return figures in which nothing is empty."""
    change = Change(
        days=1, base_ratings=8, base_average=4.0, base_low_share=0.1, ratings=2, average=-0.2, low_share=0.1
    )
    return DayFigures(
        date=_DAY,
        timezone="UTC",
        start=_START,
        end=_END,
        read_at=_END,
        ratings=10,
        average=3.8,
        stars=tuple(Star(rating=float(star), count=2, share=0.2) for star in (5, 4, 3, 2, 1)),
        low_below=3,
        low=4,
        low_share=0.4,
        day_before=change,
        week_before=change,
        lowest_items=(Item(item="Blue umbrella", ratings=3, average=1.7, low=3),),
        low_comments=(
            Comment(number=1, item="Blue umbrella", rating=1, comment="Too small.", received_at=_START),
            Comment(number=2, item=None, rating=2, comment="Too late.", received_at=_START),
        ),
        ended={"thanked": 6, "low": 4},
        history=2,
        open_low=OpenLow(count=4, oldest_since=_START),
        deliveries=Deliveries(
            sent=6, suppressed=1, died=1, queued=1, sending=1, held=1, dead=1, oldest_waiting_since=_START
        ),
        facts=(Fact(analyser="keyword_tags", name="tags", value="size", ratings=3, low=1),),
        low_deleted=1,
    )


def quiet_day() -> DayFigures:
    """Return figures in which everything that can be empty is: many templates forget such days."""
    full = sample_day()
    return replace(
        full,
        ratings=0,
        average=None,
        stars=tuple(replace(star, count=0, share=0.0) for star in full.stars),
        low=0,
        low_share=None,
        day_before=None,
        week_before=None,
        lowest_items=(),
        low_comments=(),
        ended={},
        history=0,
        facts=(),
        low_deleted=0,
        open_low=OpenLow(count=0, oldest_since=None),
        deliveries=Deliveries(
            sent=0, suppressed=0, died=0, queued=0, sending=0, held=0, dead=0, oldest_waiting_since=None
        ),
    )
