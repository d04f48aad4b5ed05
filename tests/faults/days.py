"""Years of local days through the real reporter on a real ledger, with clock changes, downtime and restarts.

A case is one year in one zone. The years begin with 2010, since when clocks were changed in every odd way: by half an
hour, at midnight, at a minute past it, around Ramadan, by leaving out a date. What must be is reckoned here from the
bare definition, by walking along the minutes and looking at the wall.
"""

from __future__ import annotations

import asyncio
import json
import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from feedback_app.report.reporter import Reporter
from feedback_app.settings import load_settings
from feedback_app.store.sqlite.store import SqliteStore
from tests.report.ledgers import arrive_at, dates_in_mails
from tests.running import rows

ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # half an hour of summer time
    "Africa/Cairo",  # at midnight, in some years four times
    "Pacific/Apia",  # no 30 December 2011
    "Africa/Casablanca",  # around Ramadan
    "America/St_Johns",  # until 2011 at one minute past midnight
    "America/Sao_Paulo",  # at midnight
    "Asia/Tehran",  # at midnight, half an hour off
    "Asia/Kolkata",
)
_FIRST_YEAR = 2010
_TIMES = ("00:00", "00:30", "01:30", "02:00", "02:15", "02:30", "03:00", "08:00", "23:30", "23:59")
_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
_MOMENT = timedelta(milliseconds=1)
_BIGGEST_CHANGE = 180  # minutes
_SLEEPS = (
    1,
    47,
    600,
    1440,
    2880,
    7200,
)  # minutes between two looks at the clock; five days are within catch_up
_RESTARTS, _SET_BACK = 0.03, 0.03  # share of the looks
_IN_MEMORY = Path("/dev/shm")  # no power is cut here, so no disk is needed


@dataclass(kw_only=True)
class Figures:
    """What the years showed."""

    days: int = 0  # local dates that fell due
    at_change: int = 0  # of these, not 24 hours after the one before
    starts: int = 0  # of the program
    ratings: int = 0
    missing: int = 0
    doubled: int = 0
    broken: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True, slots=True)
class Year:
    """One case."""

    seed: int
    zone: ZoneInfo
    at: time
    dues: list[
        tuple[datetime, date]
    ]  # moment (UTC) and what is due then, in order; the first report and the later ones
    begin: datetime  # UTC
    end: datetime


class Wall:
    """A clock that is set from outside."""

    now: datetime

    def __call__(self) -> datetime:
        """Return the moment."""
        return self.now


def local_date(moment: datetime, zone: ZoneInfo) -> date:
    """Return the date that a moment belongs to: the latest that the wall has shown so far.

    Where the clocks go back over midnight the wall shows the old date once more; the new one has begun by then.
    """
    here, before = moment.astimezone(zone), (moment - _BIGGEST_CHANGE * _MINUTE).astimezone(zone)
    if here.utcoffset() == before.utcoffset():
        return here.date()
    return max((moment - back * _MINUTE).astimezone(zone).date() for back in range(_BIGGEST_CHANGE + 1))


def due_of(day: date, at: time, zone: ZoneInfo) -> datetime:
    """Return the first minute in which the wall shows a later date than `day`, and `at` or later."""
    moment = datetime.combine(day + _DAY, at, zone).astimezone(UTC) - _BIGGEST_CHANGE * _MINUTE
    while not ((wall := moment.astimezone(zone)).date() > day and wall.time() >= at):
        moment += _MINUTE
    return moment


def year_of(seed: int) -> Year:
    """Return the case of a seed: ten seeds in a row are one year in every zone."""
    chance = random.Random(seed)
    zone, at = ZoneInfo(ZONES[seed % len(ZONES)]), time.fromisoformat(chance.choice(_TIMES))
    begin = datetime(_FIRST_YEAR + seed // len(ZONES) % 60, 1, 1, chance.randrange(24), tzinfo=UTC)
    end = begin + 366 * _DAY
    dates = [local_date(begin, zone) + number * _DAY for number in range(-3, 370)]
    dues = [(due_of(day, at, zone), day) for day in dates]
    return Year(
        seed=seed, zone=zone, at=at, begin=begin, end=end, dues=[one for one in dues if begin < one[0] <= end]
    )


def run(first_seed: int, seeds: int) -> Figures:
    """Live through one year for each seed and return the figures."""
    figures = Figures()
    for seed in range(first_seed, first_seed + seeds):
        with tempfile.TemporaryDirectory(dir=_IN_MEMORY if _IN_MEMORY.is_dir() else None) as folder:
            asyncio.run(_live_through(year_of(seed), Path(folder), figures))
    return figures


async def _live_through(year: Year, folder: Path, figures: Figures) -> None:
    chance = random.Random(year.seed)
    config = folder / "config.toml"
    config.write_text(
        f'[reports.daily]\nat = "{year.at:%H:%M}"\ntimezone = "{year.zone.key}"\nto = ["team@example.com"]\n'
    )
    settings = load_settings(config, environ={})
    async with SqliteStore(settings.store_path) as store:
        arrived = await _arrivals(store, year, chance)
    waiting = list(year.dues)
    for moments in _runs(year, chance):
        figures.starts += 1
        async with SqliteStore(settings.store_path) as store:
            wall = Wall()
            reporter = Reporter(store, settings, clock=wall, earliest=0)
            for wall.now in moments:
                expected = []
                while waiting and waiting[0][0] <= wall.now:
                    expected.append(waiting.pop(0)[1])
                made = await reporter.make_due("daily")
                if made != expected:
                    figures.broken.append(f"G7: seed {year.seed}: at {wall.now} made {made}, due {expected}")
    _judge(settings.store_path, year, arrived, figures)


def _runs(year: Year, chance: random.Random) -> Iterator[list[datetime]]:
    """Yield when each run of the program looks at its clock; the last look is at the very end."""
    now, moments, changes = year.begin, [year.begin], _at_change(year)
    while now < year.end:
        if chance.random() < _RESTARTS:
            yield moments
            moments = []
        if chance.random() < _SET_BACK:
            moments.append(now - chance.randrange(_BIGGEST_CHANGE) * _MINUTE)
        before, now = now, now + chance.choice(_SLEEPS) * _MINUTE
        if at_due := chance.random() < 0.5:
            now = next((due for due, _ in year.dues if due >= now), year.end)
        for due in changes:  # none of them goes by unseen
            if before < due < now:
                moments += [due - _MOMENT, due]
        if at_due:
            moments.append(now - _MOMENT)
        moments.append(min(now, year.end))
    yield moments


def _at_change(year: Year) -> list[datetime]:
    """Return the moments at which a report is due that do not follow 24 hours after the one before."""
    steps = zip(year.dues, year.dues[1:], strict=False)
    return [later for (earlier, _), (later, _) in steps if later - earlier != _DAY]


async def _arrivals(store: SqliteStore, year: Year, chance: random.Random) -> Counter[date]:
    """Store ratings of the year, many of them at the edges of its days; returns how many belong to each date."""
    moments = []
    for _, day in year.dues:
        edge = datetime.combine(day, time(), year.zone).astimezone(UTC)
        within = (chance.randrange(1440) * _MINUTE for _ in range(chance.randrange(3)))
        moments += [edge, edge - _MOMENT, *(edge + later for later in within)]
    await arrive_at(store, [(int(moment.timestamp() * 1000), 4) for moment in moments])
    return Counter(local_date(moment, year.zone) for moment in moments)


def _judge(ledger: Path, year: Year, arrived: Counter[date], figures: Figures) -> None:
    """Compare the rows and the mails with the dates that fell due."""
    wanted = [str(day) for _, day in year.dues]
    reports = dict(rows(ledger, "SELECT local_date, figures FROM report_run"))
    told = dates_in_mails(ledger)
    figures.days += len(wanted)
    figures.at_change += len(_at_change(year))
    figures.ratings += arrived.total()
    figures.missing += sum(day not in reports or day not in told for day in wanted)
    figures.doubled += told.total() - len(told)
    for day in wanted:
        count = json.loads(reports[day])["ratings"] if day in reports else None
        if (told[day], count) != (1, arrived[date.fromisoformat(day)]):
            figures.broken.append(
                f"G7: seed {year.seed}: {day} in {year.zone.key} is in {told[day]} mails, with {count} ratings"
            )
    if more := reports.keys() - set(wanted):
        figures.broken.append(f"G7: seed {year.seed}: reports of {sorted(more)[:3]}, which were not due")
