"""Which days' reports are due: after a first start, after an absence, and by clocks and zones that change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from feedback_app.report.reporter import Reporter
from feedback_app.settings import Settings
from tests.report.conftest import CONFIG
from tests.report.ledgers import DAY, arrive, at, rows
from tests.report.reporting import A_DAY, MAILS, RUNS, Wall, configured

if TYPE_CHECKING:
    from feedback_app.store.sqlite.store import SqliteStore


async def test_the_first_start_makes_up_nothing(store: SqliteStore, settings: Settings) -> None:
    """Ratings of before are there, but the schedule counts from now on."""
    await arrive(store, 5, moment=at(DAY - A_DAY))
    reporter = Reporter(store, settings, clock=(wall := Wall("2026-11-21 10:00")))
    assert await reporter.make_due("daily") == []
    wall.set("2026-11-22 07:59:59")
    assert await reporter.make_due("daily") == []
    wall.set("2026-11-22 08:00")
    assert await reporter.make_due("daily") == [DAY]


async def test_a_start_before_the_hour_still_reports_yesterday(
    store: SqliteStore, settings: Settings
) -> None:
    """The first report is the first one that is due after the start."""
    reporter = Reporter(store, settings, clock=(wall := Wall("2026-11-22 07:00")))
    assert await reporter.make_due("daily") == []
    wall.set("2026-11-22 08:00:30")
    assert await reporter.make_due("daily") == [DAY]


async def test_missed_days_are_made_late_once_and_in_one_mail(store: SqliteStore, settings: Settings) -> None:
    """Each day has its row; the mail bears the newest date."""
    reporter = Reporter(store, settings, clock=(wall := Wall("2026-11-18 10:00")))
    await reporter.make_due("daily")
    wall.set("2026-11-22 09:30")
    missed = [date(2026, 11, 18) + index * A_DAY for index in range(4)]
    assert [await reporter.make_due("daily"), await reporter.make_due("daily")] == [missed, []]
    assert await rows(store, RUNS) == [(str(day), "late") for day in missed]
    assert len(await rows(store, MAILS)) == 2
    ((text,), _) = await rows(store, "SELECT text FROM message")
    assert all(f"\n{day} " in text for day in missed)
    assert "not made up" not in text


async def test_of_a_long_absence_the_newest_days_are_made_and_the_others_counted_once(
    store: SqliteStore, settings: Settings
) -> None:
    """What was skipped is said in that mail and never comes."""
    reporter = Reporter(store, settings, clock=(wall := Wall("2026-10-01 10:00")))
    await reporter.make_due("daily")
    wall.set("2026-11-22 08:00")
    assert await reporter.make_due("daily") == [DAY - back * A_DAY for back in range(6, -1, -1)]
    wall.set("2026-11-23 08:00")
    assert await reporter.make_due("daily") == [DAY + A_DAY]
    texts = [text for (text,) in await rows(store, "SELECT text FROM message ORDER BY id")]
    assert "Missed before that and not made up: 45 older days." in texts[0]
    assert "not made up" not in texts[-1]


async def test_a_clock_that_goes_back_repeats_nothing(store: SqliteStore, settings: Settings) -> None:
    """After a jump forward and back, dates made stay made and the next real one comes."""
    reporter = Reporter(store, settings, clock=(wall := Wall("2026-11-19 10:00")))
    await reporter.make_due("daily")
    made = []
    for when in (
        "2026-11-22 08:00",
        "2026-11-19 10:00",
        "2026-11-22 09:00",
        "1970-01-01 12:00",
        "2026-11-23 08:01",
    ):
        wall.set(when)
        made += await reporter.make_due("daily")
    assert made == [date(2026, 11, 19) + index * A_DAY for index in range(4)]


async def test_a_clock_that_was_never_set_starts_no_schedule(store: SqliteStore, settings: Settings) -> None:
    """A board that boots in 1970 does not owe the reports of fifty years."""
    reporter = Reporter(store, settings, clock=(wall := Wall("1970-01-01 12:00")))
    assert await reporter.make_due("daily") == []
    wall.set("2026-11-22 09:00")
    assert await reporter.make_due("daily") == []


async def test_a_clock_that_is_set_at_any_moment_owes_nothing_of_the_time_before(
    store: SqliteStore, settings: Settings
) -> None:
    """Whenever it is looked at: what was right a moment ago and is 1970 now begins no schedule there."""
    right, wrong = Wall("2026-11-21 10:00")(), Wall("1970-01-01 12:00")()
    looks = iter([right])
    await Reporter(store, settings, clock=lambda: right).make_due("daily")
    assert await Reporter(store, settings, clock=lambda: next(looks, wrong)).make_due("daily") == []
    assert await Reporter(store, settings, clock=Wall("2026-11-22 08:00")).make_due("daily") == [DAY]


async def test_a_first_start_in_the_far_future_does_not_silence_the_schedule(
    store: SqliteStore, settings: Settings
) -> None:
    """Once the clock is right the schedule counts from then on; nothing is made up for the time before."""
    reporter = Reporter(store, settings, clock=(wall := Wall("2106-02-07 10:00")))
    assert await reporter.make_due("daily") == []
    wall.set("2026-11-21 10:00")
    assert await reporter.make_due("daily") == []
    wall.set("2026-11-22 08:00")
    assert await reporter.make_due("daily") == [DAY]


async def test_a_clock_before_this_program_was_written_makes_no_report(
    store: SqliteStore, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says that the clock is wrong."""
    reporter = Reporter(store, settings, clock=(wall := Wall("2026-11-21 10:00")))
    await reporter.make_due("daily")
    wall.set("2025-12-31 23:00")
    assert await reporter.make_due("daily") == []
    assert [record.message for record in caplog.records] == ["no reports are made: the clock is wrong"]


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Los_Angeles", "UTC"])
async def test_another_time_zone_doubles_no_date(store: SqliteStore, settings: Settings, zone: str) -> None:
    """A date that was reported in the old zone is not reported again in the new one, and none is left out."""
    wall = Wall("2026-11-20 09:00")
    old = Reporter(store, settings, clock=wall)
    await old.make_due("daily")
    wall.set("2026-11-22 08:00")
    made = await old.make_due("daily")
    new = Reporter(store, configured(settings.directory, CONFIG.replace("Europe/Berlin", zone)), clock=wall)
    for hour in range(72):
        wall.now = datetime(2026, 11, 22, 7, tzinfo=UTC) + timedelta(hours=hour)
        made += await new.make_due("daily")
    assert made == [date(2026, 11, 20) + index * A_DAY for index in range(len(made))]
    assert made[-1] >= date(2026, 11, 23)
