"""No report of the past changes by what is deleted, on both databases."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo, available_timezones

import pytest
from sqlalchemy import Connection

from feedback_app.report.due import day_bounds
from feedback_app.report.figures import DayFigures, collect
from feedback_app.store import rollups
from feedback_app.store.store import Store
from tests.making import NOW
from tests.store.old_rows import ALL, DAY, ids, message, put, rating, trimmer

SCALE = SimpleNamespace(minimum=1.0, maximum=5.0, step=1.0)
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo",
         "Pacific/Chatham", "Africa/Cairo", "UTC")  # fmt: skip
ENDS = ("thanked", "low", "no_customer", "history", "opted_out")


def test_every_day_of_every_zone_begins_with_a_quarter_of_an_hour() -> None:
    """So the counts are right in each of them."""
    for name in sorted(available_timezones()):
        for back in range(0, 800, 13):
            for edge in day_bounds(date(2026, 12, 31) - timedelta(days=back), ZoneInfo(name)):
                assert edge % rollups.QUARTER == 0, (name, back)


async def _fill(store: Store, chance: random.Random, around: datetime) -> None:
    """Store ratings of ten days, many of them at the edges of days, some of which will stay."""
    ratings, messages, cases = [], [], []
    for number in range(1, 251):
        at = int(around.timestamp() * 1000) + chance.choice(
            (
                chance.randrange(-9 * DAY, DAY),
                chance.randrange(-36, 4) * 6 * 3_600_000 + chance.choice((0, -1, 1)),
            )
        )
        stars = chance.choice((1.0, 2.0, 3.0, 4.0, 4.5, 5.0))
        ended = chance.choice(ENDS)
        analysis = None
        if chance.random() < 0.4:
            tags = [chance.choice(("late", "fit", "späte", "x" * 61)) for _ in range(chance.randrange(3))]
            analysis = json.dumps(
                {"tags": {"of": tags, "sure": stars > 3}, "mood": {"label": f"m{stars}", "n": 1}}
            )
        ratings.append(
            rating(number, at, rating=stars, ended=ended, thank=ended != "history" and chance.random() < 0.9,
                   item=chance.choice((None, "tea", "Käse", 'a "b"', "mug")), analysis=analysis,
                   comment=chance.choice(("", "bad")))
        )  # fmt: skip
        if chance.random() < 0.7:
            state = chance.choice(("sent", "sent", "sent", "suppressed", "dead", "queued", "held"))
            messages.append(message(number, state, at + chance.randrange(2 * DAY)))
        if ended == "low":
            cases.append((number, chance.choice(("open", "resolved")), at))
    await put(store, ratings=ratings, messages=messages, cases=cases)


async def _reports(store: Store, days: list[date], low_below: float) -> list[DayFigures]:
    def read(connection: Connection) -> list[DayFigures]:
        return [
            collect(connection, date=day, zone=ZoneInfo(zone), scale=SCALE, low_below=low_below, now=NOW)
            for zone in ZONES
            for day in days
        ]

    return await store.read(read)


@pytest.mark.parametrize("seed", range(6))
async def test_no_report_of_the_past_changes(store: Store, seed: int) -> None:
    """In any zone, over clock changes, whatever has gone: all but comments and what is now."""
    chance = random.Random(seed)
    around = chance.choice((datetime(2026, 3, 29, tzinfo=UTC), datetime(2025, 10, 26, tzinfo=UTC),
                            datetime(2026, 4, 5, tzinfo=UTC), datetime(2025, 11, 2, tzinfo=UTC)))  # fmt: skip
    await _fill(store, chance, around)
    days = [(around - timedelta(days=back)).date() for back in range(-1, 10)]
    before = await _reports(store, days, 3)
    finer = await _reports(store, days, 4.5)
    # Twice, so that quarters of an hour are added to that hold something already.
    cut = (NOW - int(around.timestamp() * 1000)) / DAY
    assert cut > 40
    for period in (f"{int(cut) + 4}d", "31d"):
        await trimmer(store, **dict.fromkeys(ALL, period) | {"dead_messages": "forever"}).run()
    left = len(await ids(store, "feedback"))
    assert 0 < left < 200
    assert _counted(before) == _counted(await _reports(store, days, 3))
    assert _counted(finer) == _counted(await _reports(store, days, 4.5))


def _counted(days: list[DayFigures]) -> list[DayFigures]:
    """Leave out what is gone with the rows, and what is as of now."""
    return [
        replace(
            day,
            low_comments=(),
            low_deleted=0,
            open_low=days[0].open_low,
            deliveries=replace(
                day.deliveries, queued=0, sending=0, held=0, dead=0, oldest_waiting_since=None
            ),
        )
        for day in days
    ]
