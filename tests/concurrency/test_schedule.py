"""When ticks are due: grids without drift, and cron lines in zones that change their clocks."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from feedback_app.concurrency import Cron, Every, Schedule, first_instant

DAY = timedelta(days=1)


def ticks(schedule: Schedule, after: datetime, until: datetime) -> list[datetime]:
    """Return the ticks in (after, until]."""
    found: list[datetime] = []
    while (after := schedule.next_after(after)) <= until:
        found.append(after)
    return found


def shown(instants: list[datetime], zone: str) -> list[str]:
    """Return what the zone's clocks show, with the offset from UTC."""
    return [instant.astimezone(ZoneInfo(zone)).strftime("%d %H:%M%z") for instant in instants]


@given(
    seconds=st.floats(0.001, 1e6),
    moment=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_every_ticks_on_a_grid(seconds: float, moment: datetime) -> None:
    """The next tick is at most one period away, and all are whole periods apart, to the microsecond."""
    period = timedelta(seconds=seconds)
    first = Every(seconds).next_after(moment)
    assert moment < first <= moment + period
    assert Every(seconds).next_after(first) == first + period
    assert Every(seconds).next_after(first - timedelta(microseconds=1)) == first


@pytest.mark.parametrize("seconds", [0, -1, 0.0009, 1e12, float("nan"), float("inf"), True, "3", None])
def test_a_period_that_cannot_be_is_refused(seconds: float) -> None:
    """The sentence shows the value and is one line."""
    with pytest.raises(ValueError, match=r"Every\(seconds=") as caught:
        Every(seconds)
    assert "\n" not in str(caught.value)


BERLIN, LORD_HOWE, CAIRO, APIA, NUUK = (
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "Pacific/Apia",
    "America/Nuuk",
)


@pytest.mark.parametrize(
    ("line", "zone", "day", "want"),
    [
        # In spring 02:30 does not exist: the first instant at which the clocks show more is 03:00.
        ("30 2 * * *", BERLIN, date(2026, 3, 28), ["28 02:30+0100", "29 03:00+0200", "30 02:30+0200"]),
        # In autumn it comes twice: the first counts.
        ("30 2 * * *", BERLIN, date(2026, 10, 24), ["24 02:30+0200", "25 02:30+0200", "26 02:30+0100"]),
        # Clocks that change by half an hour.
        ("15 2 * * *", LORD_HOWE, date(2026, 10, 3), ["03 02:15+1030", "04 02:30+1100", "05 02:15+1100"]),
        ("45 1 * * *", LORD_HOWE, date(2026, 4, 4), ["04 01:45+1100", "05 01:45+1100", "06 01:45+1030"]),
        # A change at midnight: that day begins at 01:00, and on another 23:00 to midnight comes twice.
        ("0 0 * * *", CAIRO, date(2026, 4, 23), ["23 00:00+0200", "24 01:00+0300", "25 00:00+0300"]),
        ("30 23 * * *", CAIRO, date(2026, 10, 28), ["28 23:30+0300", "29 23:30+0300", "30 23:30+0200"]),
        # Saturday's 23:30 is jumped over, so it comes when Sunday begins, and Sunday's own comes as well.
        ("30 23 * * *", NUUK, date(2026, 3, 27), ["27 23:30-0200", "29 00:00-0100", "29 23:30-0100"]),
        # Samoa had no 30 December 2011.
        ("0 8 * * *", APIA, date(2011, 12, 28), ["28 08:00-1000", "29 08:00-1000", "31 08:00+1400"]),
        ("0 0 * * *", APIA, date(2011, 12, 29), ["29 00:00-1000", "31 00:00+1400", "01 00:00+1400"]),
        # Several times of one line that are jumped over fall together.
        ("*/20 2 * * *", BERLIN, date(2026, 3, 29), ["29 03:00+0200", "30 02:00+0200", "30 02:20+0200"]),
        ("*/30 2 * * *", BERLIN, date(2026, 10, 25), ["25 02:00+0200", "25 02:30+0200", "26 02:00+0100"]),
    ],
)
def test_a_line_with_an_hour_comes_once_a_day(line: str, zone: str, day: date, want: list[str]) -> None:
    """Whatever the clocks do on that day."""
    before = first_instant(datetime.combine(day, time()), ZoneInfo(zone)) - timedelta(seconds=1)
    found = ticks(Cron(line, zone), before, before + 4 * DAY)
    assert shown(found[:3], zone) == want


def test_a_line_with_every_hour_is_an_interval() -> None:
    """It goes on through the hour that comes twice and makes up nothing in the hour that is missing."""
    line = Cron("0 * * * *", BERLIN)
    autumn = ticks(line, datetime(2026, 10, 24, 23, 30, tzinfo=UTC), datetime(2026, 10, 25, 2, tzinfo=UTC))
    assert shown(autumn, BERLIN) == ["25 02:00+0200", "25 02:00+0100", "25 03:00+0100"]
    spring = ticks(line, datetime(2026, 3, 28, 23, 30, tzinfo=UTC), datetime(2026, 3, 29, 2, tzinfo=UTC))
    assert shown(spring, BERLIN) == ["29 01:00+0100", "29 03:00+0200", "29 04:00+0200"]


def test_in_the_second_of_two_equal_hours_the_next_tick_is_in_the_future() -> None:
    """At the second 02:15 the first 02:30 is past."""
    second_0215 = datetime(2026, 10, 25, 1, 15, tzinfo=UTC)
    assert shown([Cron("30 2 * * *", BERLIN).next_after(second_0215)], BERLIN) == ["26 02:30+0100"]


def looked_for(at: time, zone: ZoneInfo, start: datetime) -> list[datetime]:
    """Find the daily ticks of ten days by looking at the clocks at every minute."""
    minutes = [start + timedelta(minutes=n) for n in range(-2 * 1440, 11 * 1440)]
    readings = [minute.astimezone(zone).replace(tzinfo=None) for minute in minutes]
    wanted = [datetime.combine(day, at) for day in sorted({reading.date() for reading in readings})]
    found: list[datetime] = []
    for minute, reading in zip(minutes, readings, strict=True):
        while wanted and reading >= wanted[0]:
            found.append(minute)
            wanted.pop(0)
    return [minute for minute in found if start < minute <= start + 9 * DAY]


@given(
    zone=st.sampled_from(sorted(available_timezones())),
    at=st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    start=st.datetimes(datetime(1995, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
@example(zone=APIA, at=time(8), start=datetime(2011, 12, 25, tzinfo=UTC))
@example(zone=BERLIN, at=time(2, 30), start=datetime(2026, 3, 26, tzinfo=UTC))
@example(zone=BERLIN, at=time(2, 30), start=datetime(2026, 10, 23, tzinfo=UTC))
@example(zone=BERLIN, at=time(2, 30), start=datetime(2026, 10, 25, 1, 15, tzinfo=UTC))
@example(zone=LORD_HOWE, at=time(1, 45), start=datetime(2026, 4, 1, tzinfo=UTC))
@example(zone=NUUK, at=time(23, 30), start=datetime(2026, 3, 26, tzinfo=UTC))
@example(zone="America/St_Johns", at=time(0), start=datetime(2010, 11, 4, tzinfo=UTC))
@settings(max_examples=60, deadline=None)
def test_a_daily_line_ticks_once_for_each_local_day(zone: str, at: time, start: datetime) -> None:
    """For every date that exists: exactly at the first minute when the clocks show the time or more."""
    start = start.replace(second=0, microsecond=0)
    found = ticks(Cron(f"{at.minute} {at.hour} * * *", zone), start, start + 9 * DAY)
    assert all(earlier < later for earlier, later in pairwise(found))
    assert found == looked_for(at, ZoneInfo(zone), start)


@given(
    zone=st.sampled_from([BERLIN, LORD_HOWE, CAIRO, APIA, "America/St_Johns", "Africa/Casablanca"]),
    wall=st.datetimes(datetime(2005, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001 - a time on a wall
)
@example(zone=BERLIN, wall=datetime(2026, 3, 29, 2, 30))  # noqa: DTZ001
@example(zone=BERLIN, wall=datetime(2026, 10, 25, 2, 30))  # noqa: DTZ001
@example(zone=LORD_HOWE, wall=datetime(2026, 4, 5, 1, 45))  # noqa: DTZ001
@example(zone=APIA, wall=datetime(2011, 12, 30, 12))  # noqa: DTZ001
def test_first_instant_is_the_first(zone: str, wall: datetime) -> None:
    """It shows the time or more, and no second of the two days before it does."""
    info, second = ZoneInfo(zone), timedelta(seconds=1)
    instant = first_instant(wall, info)
    reading = instant.astimezone(info).replace(tzinfo=None)
    assert reading >= wall
    before = (instant - timedelta(seconds=n) for n in (1, 60, 900, 1800, 3600, 7200, 86400, 172800))
    assert all(moment.astimezone(info).replace(tzinfo=None) < wall for moment in before)
    assert reading == wall or first_instant(wall + second, info) == instant


@given(
    line=st.sampled_from(["*/7 * * * *", "0 */5 * * *", "5,35 1-3 * * *", "30 2 29 2 *", "0 0 * * MON#1"]),
    zone=st.sampled_from([BERLIN, LORD_HOWE, CAIRO, APIA, "UTC"]),
    moment=st.datetimes(datetime(2011, 1, 1), datetime(2031, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
@settings(deadline=None)
def test_ticks_are_strictly_increasing_and_leave_none_out(line: str, zone: str, moment: datetime) -> None:
    """Asking from any moment before a tick finds that tick."""
    schedule = Cron(line, zone)
    first = schedule.next_after(moment)
    assert moment < first
    assert first.tzinfo is UTC
    assert schedule.next_after(first) > first
    assert schedule.next_after(moment + (first - moment) / 2) == first


def test_a_zone_may_be_given_as_such() -> None:
    """A ZoneInfo does as well as its name."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    assert Cron("0 8 * * *", ZoneInfo(BERLIN)).next_after(moment) == datetime(2026, 1, 1, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "zone", "sentence"),
    [
        ("0 25 * * *", BERLIN, "bad cron line '0 25 * * *': bad hour; allowed are five fields"),
        ("0 8 * *", BERLIN, "bad cron line '0 8 * *': allowed are five fields, minute, hour, day of month"),
        ("0 0 8 * * *", BERLIN, "allowed are five fields"),
        ("", BERLIN, "bad cron line ''"),
        ("@daily", BERLIN, "such as '0 8 * * *' for 08:00 every day"),
        ("0 8 31 4 *", BERLIN, "bad day-of-month"),
        ("0 0 */15 1 MON#2", BERLIN, "no such day ever comes"),
        ("x" * 500, BERLIN, r"bad cron line 'x{56}\.\.\.: allowed"),
        ("0 8 * * *", "Europe/Berln", "unknown time zone 'Europe/Berln': did you mean 'Europe/Berlin'?"),
        ("0 8 * * *", "Europe", "unknown time zone 'Europe'"),
        ("0 8 * * *", "../../etc/passwd", "write an IANA name such as 'Europe/Berlin' or 'UTC'"),
        ("0 8 * * *", None, "unknown time zone None"),
        ("0 8 * * *", "", "unknown time zone ''"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(line: str, zone: str, sentence: str) -> None:
    """The sentence names the value and what is allowed."""
    with pytest.raises(
        ValueError, match=sentence.replace("*", r"\*") if "{" not in sentence else sentence
    ) as caught:
        Cron(line, zone)
    assert "\n" not in str(caught.value)


@given(line=st.one_of(st.text(), st.lists(st.text("0123456789*/,-#LWMON ²", max_size=6)).map(" ".join)))
@settings(deadline=None)
def test_any_text_is_a_line_or_a_value_error(line: str) -> None:
    """Nothing that a user can write gets past the check as another exception."""
    with suppress(ValueError):
        assert Cron(line, "UTC").next_after(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("schedule", [Every(3), Cron("0 8 * * *", "UTC")])
def test_a_naive_moment_is_refused(schedule: Schedule) -> None:
    """Nobody knows whose eight o'clock it would be."""
    with pytest.raises(ValueError, match="pass an aware datetime"):
        schedule.next_after(datetime(2026, 1, 1))  # noqa: DTZ001


def test_the_package_is_cheap_to_import() -> None:
    """The cron library is loaded by the first cron line, not by the import."""
    code = "import sys, feedback_app.concurrency; sys.exit('cronsim' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_ten_years_of_days_do_not_drift() -> None:
    """Eight o'clock is eight o'clock, 3,652 times."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    found = ticks(Cron("0 8 * * *", BERLIN), start, datetime(2036, 1, 1, tzinfo=UTC))
    assert len(found) == 3652
    assert {instant.astimezone(ZoneInfo(BERLIN)).time() for instant in found} == {time(8)}
