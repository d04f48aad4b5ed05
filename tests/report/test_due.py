"""When a report is due, over clock changes, skipped dates, long absences and jumping clocks."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from feedback_app.report.due import dates_to_make, day_bounds, due_at, last_due

DAY = timedelta(days=1)
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/St_Johns",  # changed its clocks at one minute past midnight
    "America/Sao_Paulo",  # changed them at midnight
    "Africa/Cairo",  # midnight does not exist when summer begins
    "Africa/Casablanca",  # changes around Ramadan
    "Asia/Kathmandu",  # 5:45 hours ahead
    "Asia/Kolkata",
    "Australia/Lord_Howe",  # half an hour of summer time
    "Pacific/Apia",  # skipped 30 December 2011
    "Pacific/Kiritimati",  # skipped the last day of 1994
)
zones = st.sampled_from(ZONES).map(ZoneInfo)
times = st.times().map(lambda at: at.replace(second=0, microsecond=0))
starts = st.datetimes(datetime(1985, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def utc(*when: int) -> datetime:
    """Return a moment in UTC."""
    return datetime(*when, tzinfo=UTC)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("zone", "day", "at", "due"),
    [
        ("Europe/Berlin", date(2026, 11, 21), "08:00", utc(2026, 11, 22, 7)),
        ("Europe/Berlin", date(2026, 3, 28), "02:30", utc(2026, 3, 29, 1)),  # 02:30 does not exist: at 03:00
        ("Europe/Berlin", date(2026, 10, 24), "02:30", utc(2026, 10, 25, 0, 30)),  # comes twice: the first
        ("Australia/Lord_Howe", date(2026, 10, 3), "02:15", utc(2026, 10, 3, 15, 30)),  # a gap of 30 minutes
        ("Africa/Cairo", date(2026, 4, 23), "00:00", utc(2026, 4, 23, 22)),  # no midnight: at 01:00
        ("America/Sao_Paulo", date(2017, 10, 14), "00:30", utc(2017, 10, 15, 3)),
        ("Pacific/Apia", date(2011, 12, 29), "08:00", utc(2011, 12, 30, 18)),  # 31 December is the next day
        ("Pacific/Apia", date(2011, 12, 30), "08:00", utc(2011, 12, 30, 18)),
    ],
)
def test_is_due_when_the_wall_clock_first_shows_the_time_on_the_next_day(
    zone: str, day: date, at: str, due: datetime
) -> None:
    """Gaps, folds and skipped dates move the moment, they never lose or double it."""
    assert due == due_at(day, time.fromisoformat(at), ZoneInfo(zone))


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("Australia/Lord_Howe", date(2026, 10, 4), 23.5),
        ("Africa/Cairo", date(2026, 4, 24), 23),
        ("Pacific/Apia", date(2011, 12, 30), 0),
        ("Pacific/Apia", date(2011, 12, 31), 24),
    ],
)
def test_a_day_is_as_long_as_its_clocks_say(zone: str, day: date, hours: float) -> None:
    """Days with a clock change are shorter or longer, a skipped one is empty."""
    start, end = day_bounds(day, ZoneInfo(zone))
    assert hours == (end - start) / 3_600_000


@given(zone=zones, moment=starts)
def test_every_moment_belongs_to_exactly_one_day(zone: ZoneInfo, moment: datetime) -> None:
    """Days tile the time of a zone, so each rating is in one report."""
    instant = int(moment.timestamp() * 1000)
    today = moment.astimezone(zone).date()
    near = [today + offset * DAY for offset in (-2, -1, 0, 1, 2)]
    found = [day for day in near if day_bounds(day, zone)[0] <= instant < day_bounds(day, zone)[1]]
    assert len(found) == 1
    ends = [day_bounds(day, zone) for day in near]
    assert [end for _, end in ends[:-1]] == [start for start, _ in ends[1:]]


@given(zone=zones, at=times, moment=starts)
def test_last_due_is_the_newest_date_that_is_due(zone: ZoneInfo, at: time, moment: datetime) -> None:
    """The one after it is not due yet, and nothing is due before its day is over."""
    newest = last_due(moment, at, zone)
    assert due_at(newest, at, zone) <= moment < due_at(newest + DAY, at, zone)
    assert day_bounds(newest, zone)[1] <= due_at(newest, at, zone).timestamp() * 1000


@settings(max_examples=24, deadline=None)
@given(zone=zones, at=times, start=starts, seed=st.integers(0, 2**32))
@example(ZoneInfo("Pacific/Kiritimati"), time(5), datetime(1994, 1, 1, tzinfo=UTC), 37)  # leaves a date out
def test_three_years_of_random_wake_ups_make_every_date_once_and_in_order(
    zone: ZoneInfo, at: time, start: datetime, seed: int
) -> None:
    """Whenever the program looks, at most five days apart, each date is made once, never before it is due."""
    chance = random.Random(seed)
    first = last_due(start, at, zone) + DAY
    now, made = start, list[date]()
    while now < start + 1095 * DAY:
        now += timedelta(minutes=chance.choice((1, 47, 600, 1440, 2880, 7200)))
        for day in dates_to_make(now, at, zone, first_date=first, made=set(made[-20:]), catch_up=7):
            assert due_at(day, at, zone) <= now
            made.append(day)
    assert [first + index * DAY for index in range(len(made))] == made
    assert made[-1] == last_due(now, at, zone)


@settings(max_examples=20, deadline=None)
@given(zone=zones, at=times, start=starts, seed=st.integers(0, 2**32))
def test_a_clock_that_jumps_never_repeats_a_date(
    zone: ZoneInfo, at: time, start: datetime, seed: int
) -> None:
    """Days forward, days back: what is made stays made, and no date of the last week is missing."""
    chance = random.Random(seed)
    first = last_due(start, at, zone) + DAY
    now, made = start, list[date]()
    for _ in range(200):
        now += timedelta(hours=chance.choice((1, 5, 24, 24, 72, 240, -3, -72, -240)))
        made += dates_to_make(now, at, zone, first_date=first, made=set(made), catch_up=7)
    assert len(made) == len(set(made))
    newest = last_due(now, at, zone)
    assert {day for back in range(7) if (day := newest - back * DAY) >= first} <= set(made)


def test_after_a_month_away_only_the_newest_days_are_made_and_older_ones_never_come() -> None:
    """Nobody wants thirty stale reports, not later either."""
    at, zone, first = time(8), ZoneInfo("Europe/Berlin"), date(2026, 10, 1)
    week = dates_to_make(utc(2026, 11, 1, 12), at, zone, first_date=first, made=set(), catch_up=7)
    assert [date(2026, 10, 25) + index * DAY for index in range(7)] == week
    later = dates_to_make(utc(2026, 11, 2, 12), at, zone, first_date=first, made=set(week), catch_up=7)
    assert [date(2026, 11, 1)] == later


def test_what_is_just_due_is_made_even_without_catching_up() -> None:
    """`catch_up = 0` gives up what was missed, not the report of today."""
    now = utc(2026, 11, 22, 7)
    made = dates_to_make(
        now, time(8), ZoneInfo("Europe/Berlin"), first_date=date(2026, 1, 1), made=set(), catch_up=0
    )
    assert [date(2026, 11, 21)] == made
