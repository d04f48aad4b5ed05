"""A year in minutes: one daemon, whose clock is passed in, with ratings, messages, reports and retention every day.

A case is a year. The daemon is the real one with all its parts, on a real ledger with a real plugin; what it does by
the machine's own clock (the report's hour, retention's hour) is asked for here when the simulated hour has come.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import random
import tempfile
import time
from array import array
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import product
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from feedback_app.cli.daemon import keep_what_stands
from feedback_app.daemon import Daemon
from feedback_app.model import Customer, Feedback
from feedback_app.report.due import day_bounds
from feedback_app.report.figures import collect
from feedback_app.report.reporter import Reporter
from feedback_app.settings import load_settings
from feedback_app.store import customers, low_ratings, status
from feedback_app.store.low_ratings import Step
from feedback_app.store.store import Store
from feedback_app.trimming import Trimmer
from tests.running import business, running, serving

DAYS, A_DAY = 365, 1_000
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_HOURS = range(1, 25, 3)  # at which ratings arrive, a share each
_KEPT = 30  # days
_ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kathmandu")
_ITEMS = ("tea", "coffee", "mug", "hat", "umbrella", "scarf", "lamp", "chair")
_CUSTOMERS = 500
_STARS, _WEIGHTS = (1, 2, 3, 4, 5), (4, 6, 15, 35, 40)
_PATIENCE = 120.0  # seconds that a few ratings may take
_IN_MEMORY = Path("/dev/shm")  # no power is cut here, so no disk is needed
_PLUGIN = """
from pathlib import Path

from feedback_app import Message, Notifier, PermanentFailure, Receipt, hookimpl

LOG = Path(__file__).parent.parent / "reports.log"


class Chat(Notifier):
    channel = "chat"
    on_unknown = "resend"

    async def send(self, message: Message) -> Receipt:
        if message.purpose == "report":
            with LOG.open("a") as log:
                log.write(message.id + "\\n")
        if message.recipient == "c0":
            raise PermanentFailure("nobody lives here")
        return Receipt(provider_id="p-" + message.id, detail="250 taken")


@hookimpl
def make_notifier(settings):
    return Chat()
"""
_CONFIG = f"""
[pipeline]
default_channels = ["chat"]

[reports.daily]
timezone = "{_ZONES[0]}"
channel = "chat"
to = ["team"]

[retention]
attempts = "{_KEPT}d"
messages = "{_KEPT}d"
dead_messages = "{_KEPT}d"
low_ratings = "{_KEPT}d"
ratings = "{_KEPT}d"
reports = "{_KEPT}d"
"""


@dataclass(kw_only=True)
class Figures:
    """What the years showed."""

    days: int = 0
    ratings: int = 0
    reports: int = 0
    sent: int = 0
    deleted: int = 0  # rows
    steps: int = 0  # of retention
    missing: int = 0  # reports
    doubled: int = 0
    compared: int = 0  # reports over the past, read at the end
    slowest_step_ms: float = 0.0
    most_at_half_mb: float = 0.0  # the ledger's size
    most_at_end_mb: float = 0.0
    most_of_that_counts_mb: float = 0.0  # bytes in table `rollup`
    most_memory_growth_mb: float = 0.0  # of the process, from a sixth of the time on
    most_files_opened: int = 0  # more than at a sixth of the time
    most_seconds: float = 0.0
    broken: list[str] = field(default_factory=list)


@dataclass
class Wall:
    """A clock that is set from outside."""

    now: datetime

    def __call__(self) -> int:
        """Return the moment in epoch milliseconds."""
        return int(self.now.timestamp() * 1000)


class Year:
    """One case: what arrived, and what is seen of the process on its way."""

    def __init__(self, seed: int, folder: Path, days: int, a_day: int, growth: float) -> None:
        self._growth = growth
        self._chance = random.Random(seed)
        self._folder = folder
        self._days, self._a_day = days, a_day
        self._wall = Wall(_BEGIN)
        # For each moment how often each item was given each number of stars; small, for memory is measured here.
        self._arrived: dict[datetime, array[int]] = {}
        self._sizes: list[int] = []  # of the ledger, after each day
        self._counts: list[int] = []  # of that, what was deleted is counted in
        self._seen: list[tuple[int, int]] = []  # memory, open files
        self.figures = Figures()

    async def live(self) -> Figures:
        """Live through it."""
        begun = time.monotonic()
        config = business(self._folder, plugin=_PLUGIN, config=_CONFIG)
        settings = load_settings(config, environ={})
        daemon = Daemon(settings, clock=self._wall, on_ready=keep_what_stands)  # as `run` does it
        async with running(daemon):
            store = serving(daemon).store
            reporter = Reporter(store, settings, clock=lambda: self._wall.now)
            trimmer = Trimmer(store, settings.retention, clock=self._wall)
            known = [Customer(id=f"c{number}", name=f"Customer {number}") for number in range(_CUSTOMERS)]
            await store.write(partial(customers.put, customers=known, now=self._wall()))
            for day in range(self._days):
                await self._day(day, daemon, store, reporter)
                await self._trim(trimmer)
                self._look(await store.read(_counts))
            await self._compare(store)
            self.figures.sent = serving(daemon).tally.by_state()["sent"]
        self._judge()
        self.figures.most_seconds = time.monotonic() - begun
        return self.figures

    async def _day(self, day: int, daemon: Daemon, store: Store, reporter: Reporter) -> None:
        for hour in _HOURS:
            self._wall.now = _BEGIN + timedelta(days=day, hours=hour)
            if hour > 8:
                await reporter.make_due("daily")
                daemon._wake()
            taken = [daemon.submit(self._rating()) for _ in range(self._a_day // len(_HOURS))]
            await _settled(taken, store)
        await store.write(partial(_resolve, now=self._wall()))
        self.figures.days += 1

    def _rating(self) -> Feedback:
        item, (stars,) = self._chance.choice(_ITEMS), self._chance.choices(_STARS, _WEIGHTS)
        arrived = self._arrived.setdefault(self._wall.now, array("H", bytes(2 * len(_ITEMS) * len(_STARS))))
        arrived[_ITEMS.index(item) * len(_STARS) + stars - 1] += 1
        self.figures.ratings += 1
        return Feedback(
            rating=stars,
            item=item,
            customer=f"c{self._chance.randrange(_CUSTOMERS)}",
            comment="so it is " * self._chance.randrange(20),
        )

    async def _trim(self, trimmer: Trimmer) -> None:
        done = await trimmer.run()
        self.figures.deleted += done.deleted.total()
        self.figures.steps += done.steps
        self.figures.slowest_step_ms = max(self.figures.slowest_step_ms, done.slowest * 1000)

    def _look(self, counts: int) -> None:
        self._counts.append(counts)
        self._sizes.append((self._folder / "feedback.db").stat().st_size)
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        self._seen.append(
            (pages * os.sysconf("SC_PAGE_SIZE"), sum(1 for _ in Path("/proc/self/fd").iterdir()))
        )

    async def _compare(self, store: Store) -> None:
        """Read reports over the past and hold them against what arrived."""
        for zone in map(ZoneInfo, _ZONES):
            for _ in range(min(30, self._days)):
                day = _BEGIN.date() + timedelta(days=self._chance.randrange(self._days))
                read = partial(_figures, day=day, zone=zone, now=self._wall())
                ratings, stars, items = await store.read(read)
                start, end = day_bounds(day, zone)
                wanted = [
                    arrived
                    for moment, arrived in self._arrived.items()
                    if start <= moment.timestamp() * 1000 < end
                ]
                self.figures.compared += 1
                if (ratings, stars, items) != _expected(wanted):
                    self.figures.broken.append(
                        f"G7: {day} in {zone.key}: {ratings} ratings, {stars}, {items}"
                    )

    def _judge(self) -> None:
        half, sixth = self._days // 2, self._days // 6
        told = Counter(line.split(".")[2] for line in (self._folder / "reports.log").read_text().split())
        wanted = {str(_BEGIN.date() + timedelta(days=day)) for day in range(-1, self._days - 1)}
        figures = self.figures
        figures.reports = len(told)
        figures.missing, figures.doubled = len(wanted - told.keys()), told.total() - len(told)
        figures.most_at_half_mb = self._sizes[half] / 1e6
        figures.most_at_end_mb = self._sizes[-1] / 1e6
        figures.most_of_that_counts_mb = self._counts[-1] / 1e6
        figures.most_memory_growth_mb = (self._seen[-1][0] - self._seen[sixth][0]) / 1e6
        figures.most_files_opened = self._seen[-1][1] - self._seen[sixth][1]
        counts = self._counts[-1] - self._counts[half]
        if (
            self._sizes[-1] > self._sizes[half] * (1 + self._growth) + counts * 1.2
        ):  # pages are not quite full
            figures.broken.append(f"the ledger grew from {self._sizes[half]:,} to {self._sizes[-1]:,} bytes")
        if figures.most_memory_growth_mb > 10 or figures.most_files_opened > 0:
            figures.broken.append(f"memory and open files grew: {self._seen[sixth]}, {self._seen[-1]}")


async def _settled(taken: Sequence[Future[int]], store: Store) -> None:
    """Return once the ratings are processed and all messages have left."""
    async with asyncio.timeout(_PATIENCE):
        await asyncio.gather(*map(asyncio.wrap_future, taken))
        while True:
            counts = await store.read(_waiting)
            if not counts:
                return
            await asyncio.sleep(0.005)


def _waiting(connection: Connection) -> int:
    now = status.waiting(connection)
    sending = connection.exec_driver_sql(
        "SELECT count(*) FROM message WHERE state IN ('sending', 'held', 'suppressed', 'dead') AND state = 'sending'"
    ).scalar_one()
    return int(now["oldest_rating"] is not None) + len(now["channels"]) + int(sending)


def _counts(connection: Connection) -> int:
    query = "SELECT coalesce(sum(length(CAST(counts AS BLOB)) + 12), 0) FROM rollup"
    return int(connection.exec_driver_sql(query).scalar_one())


def _resolve(connection: Connection, now: int) -> None:
    """Have a person resolve the day's low ratings, but for a few that stay open for ever."""
    for case in low_ratings.page(connection, state="open", after=None, limit=1_000):
        if case.id % 1_000:
            low_ratings.take(connection, case.id, Step(by="ada", to="resolved"), now)


def _figures(connection: Connection, day: date, zone: ZoneInfo, now: int) -> tuple[int, list[int], set[str]]:
    found = collect(connection, date=day, zone=zone, scale=_Scale(), low_below=3, now=now)
    return (
        found.ratings,
        [star.count for star in found.stars],
        {f"{item.item} {item.ratings} {item.low}" for item in found.lowest_items},
    )


class _Scale:
    minimum, maximum, step = 1.0, 5.0, 1.0


def _expected(arrived: Sequence[array[int]]) -> tuple[int, list[int], set[str]]:
    stars: Counter[int] = Counter()
    items: dict[str, Counter[int]] = {}
    for counts in arrived:
        for (item, given), count in zip(product(_ITEMS, _STARS), counts, strict=True):
            if count:
                stars[given] += count
                items.setdefault(item, Counter())[given] += count
    total = stars.total()
    mean = sum(given * count for given, count in stars.items()) / total if total else 0.0
    ranked = sorted(
        items,
        key=lambda item: (
            (sum(given * count for given, count in items[item].items()) + 5 * mean)
            / (items[item].total() + 5),
            -items[item].total(),
            item,
        ),
    )
    lowest = [one for one in ranked if items[one][1] + items[one][2] or _mean(items[one]) < mean][:5]
    return (
        total,
        [stars[given] for given in (5, 4, 3, 2, 1)],
        {f"{one} {items[one].total()} {items[one][1] + items[one][2]}" for one in lowest},
    )


def _mean(stars: Counter[int]) -> float:
    return sum(given * count for given, count in stars.items()) / stars.total()


def run(first_seed: int, seeds: int, days: int = DAYS, a_day: int = A_DAY, growth: float = 0.03) -> Figures:
    """Live through a year for each seed and return the figures of the last one, with what was broken in any.

    `growth` is by which share the ledger may grow in the second half, beside what is counted of the deleted: indices
    take some months until they are as full as they stay.
    """
    broken: list[str] = []
    figures = Figures()
    logging.disable(logging.WARNING)  # one customer in 500 is never reached, every day
    for seed in range(first_seed, first_seed + seeds):
        with tempfile.TemporaryDirectory(dir=_IN_MEMORY if _IN_MEMORY.is_dir() else None) as folder:
            figures = asyncio.run(Year(seed, Path(folder), days, a_day, growth).live())
        broken += figures.broken
    logging.disable(logging.NOTSET)
    gc.unfreeze()
    figures.broken = broken
    return figures
