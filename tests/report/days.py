"""The figures of a day with everything in it and of one on which nothing came, and a report about them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from feedback_app.report.figures import Change, Comment, DayFigures, Deliveries, Item, OpenLow, Star
from feedback_app.report.render import Report
from tests.report.ledgers import DAY, at


def day(of: date = DAY, *, item: str = "Red boots") -> DayFigures:
    """Return a day with everything in it."""
    counts = {5: 30, 4: 5, 3: 2, 2: 0, 1: 5}
    return DayFigures(
        date=of,
        timezone="Europe/Berlin",
        start=at(of, "00:00"),
        end=at(of + timedelta(days=1), "00:00"),
        read_at=at(of + timedelta(days=1), "08:00"),
        ratings=42,
        average=4.12,
        stars=tuple(Star(rating=star, count=count, share=count / 42) for star, count in counts.items()),
        low_below=3,
        low=5,
        low_share=5 / 42,
        day_before=Change(
            days=1,
            base_ratings=30,
            base_average=4.4,
            base_low_share=0.1,
            ratings=12,
            average=-0.28,
            low_share=0.019,
        ),
        week_before=None,
        lowest_items=(Item(item=item, ratings=1200, average=1.5, low=3),),
        low_comments=(Comment(number=7, item=item, rating=1, comment=item, received_at=at(of)),),
        ended={"thanked": 37, "low": 5},
        history=3,
        open_low=OpenLow(count=9, oldest_since=at(of, "09:30")),
        deliveries=Deliveries(
            sent=36,
            suppressed=0,
            died=1,
            queued=4,
            sending=0,
            held=2,
            dead=1,
            oldest_waiting_since=at(of, "10:45"),
        ),
    )


def empty(of: date = DAY) -> DayFigures:
    """Return a day on which nothing came."""
    return replace(
        day(of),
        ratings=0,
        average=None,
        low=0,
        low_share=None,
        stars=tuple(replace(star, count=0, share=0.0) for star in day().stars),
        day_before=Change(
            days=1,
            base_ratings=30,
            base_average=4.4,
            base_low_share=0.1,
            ratings=-30,
            average=None,
            low_share=None,
        ),
        lowest_items=(),
        low_comments=(),
        ended={},
        history=0,
    )


def report(*days: DayFigures, **more: object) -> Report:
    """Return a report about these days."""
    return Report(business="Maple & Finch", days=days, **more)  # type: ignore[arg-type]
