"""Makes reports: each local day's once, whoever asks, however often, from however many processes."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal, TypeAlias

from feedback_app import failpoints
from feedback_app.clock import BUILT
from feedback_app.errors import NotFound
from feedback_app.model import Message
from feedback_app.report import wording
from feedback_app.report.due import dates_to_make, due_at, last_due
from feedback_app.report.export import to_json
from feedback_app.report.figures import DayFigures, collect
from feedback_app.report.render import DETAILED_DAYS, Renderer, Report
from feedback_app.store import report_queries as ledger
from feedback_app.store.outbox import enqueue

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sqlalchemy import Connection

    from feedback_app.model import Milliseconds, Section
    from feedback_app.settings import Settings
    from feedback_app.settings.schema import ReportSettings
    from feedback_app.store.store import Store

logger = logging.getLogger(__name__)

Occasion: TypeAlias = Literal["scheduled", "late", "manual"]

_ON_TIME = timedelta(minutes=10)  # a report made within it was made on schedule


async def _no_sections(_figures: DayFigures) -> Sequence[Section]:
    return ()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Plan:
    """What is due and missing."""

    dates: Sequence[date]  # oldest first
    skipped: int = 0  # dates before them that are given up


class Reporter:
    """Makes the reports of the settings in one ledger; holds nothing that needs closing.

    A report's run rows and its messages are one unit of work that looks itself whether they are still
    missing. So a crash leaves both or none, and of many processes at the same second one makes the report.
    The figures are read and the mail is rendered before that, where it keeps nobody from writing.

    `clock` returns the present moment (aware); while it shows one before `earliest` (epoch milliseconds) it is wrong
    and nothing is due. `sections` returns what plugins add to a day; it is asked once for each day in a mail.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        earliest: Milliseconds = BUILT,
        sections: Callable[[DayFigures], Awaitable[Sequence[Section]]] = _no_sections,
    ) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._earliest = earliest
        self._sections = sections
        self._renderer = Renderer(settings.templates_directory)

    async def make_due(self, name: str) -> list[date]:
        """Make what is due and missing, several days in one mail; returns the dates made here, oldest first.

        The first call under a name only notes from which date on its schedule counts: nothing is made up for
        the time before. Cheap when nothing is due, so call it often; a day can be late but is not lost.
        Raises NotFound for a name that is not configured, BadConfig for a template that fails.
        """
        while True:
            now = self._clock()  # once: it may be set between two looks
            if _milliseconds(now) < self._earliest:
                logger.warning("no reports are made: the clock is wrong", extra={"clock": str(now)})
                return []
            plan = await self._plan(name, now)
            if not plan.dates:
                return []
            if await self._make(name, plan, now):
                return list(plan.dates)

    async def make(self, name: str, day: date, occasion: Occasion = "manual") -> bool:
        """Make the report of one date; False when it is made already. Raises as `make_due` does."""
        if await self.is_made(name, day):
            return False
        return await self._make(name, _Plan(dates=[day]), self._clock(), occasion)

    async def is_made(self, name: str, day: date) -> bool:
        """Say whether the report of a date was made, by whomever."""
        return bool(await self._store.read(lambda connection: ledger.made_dates(connection, name, day, day)))

    async def build(self, name: str, day: date) -> DayFigures:
        """Read a date's figures and store nothing; of a day that is not over they are the figures so far."""
        return await self._build(name, day, _milliseconds(self._clock()))

    async def text(self, days: Sequence[DayFigures]) -> str:
        """Return the plain text of a mail about these days, oldest first."""
        return self._renderer.text(await self._report(days))

    async def html(self, days: Sequence[DayFigures]) -> str:
        """Return the HTML of the same mail."""
        return self._renderer.html(await self._report(days))

    async def _report(self, days: Sequence[DayFigures], skipped: int = 0) -> Report:
        return Report(
            business=self._settings.business.name,
            days=days,
            skipped=skipped,
            sections={day.date: await self._sections(day) for day in days[-DETAILED_DAYS:]},
        )

    def _configured(self, name: str) -> ReportSettings:
        try:
            return self._settings.reports[name]
        except KeyError:
            raise NotFound(f"no report is named '{name}' in the configuration") from None

    async def _plan(self, name: str, now: datetime) -> _Plan:
        report = self._configured(name)
        at, zone = report.time_of_day, report.zone
        newest = last_due(now, at, zone)
        upcoming = newest + timedelta(days=1)

        def plan(connection: Connection) -> _Plan | None:
            first = ledger.first_date(connection, name)
            if (
                first is None or first > upcoming
            ):  # noted by a clock that was ahead, it would wait for that day
                return None
            made = ledger.made_dates(connection, name, first, newest)
            dates = dates_to_make(now, at, zone, first_date=first, made=made, catch_up=report.catch_up)
            skipped = ledger.unmade_before(connection, name, dates[0], first) if dates else 0
            return _Plan(dates=dates, skipped=skipped)

        found = await self._store.read(plan)
        if found is None:
            await self._store.write(lambda connection: ledger.remember_first_date(connection, name, upcoming))
        return found or _Plan(dates=[])

    async def _build(self, name: str, day: date, now: Milliseconds) -> DayFigures:
        zone, rating = self._configured(name).zone, self._settings.rating
        return await self._store.read(
            lambda connection: collect(
                connection, date=day, zone=zone, scale=rating, low_below=rating.low_below, now=now
            )
        )

    async def _make(self, name: str, plan: _Plan, now: datetime, occasion: Occasion | None = None) -> bool:
        """Make one mail about the dates planned; do nothing when one of them was made meanwhile."""
        made_at = _milliseconds(now)
        days = [await self._build(name, day, made_at) for day in plan.dates]
        messages = await self._messages(name, days, plan.skipped)
        occasions = [occasion or self._occasion(name, day, now) for day in plan.dates]

        def unit(connection: Connection) -> bool:
            if ledger.made_dates(connection, name, plan.dates[0], plan.dates[-1]) & set(plan.dates):
                return False
            for day, why in zip(days, occasions, strict=True):
                run = ledger.Run(
                    name=name,
                    local_date=day.date.isoformat(),
                    timezone=day.timezone,
                    made_at=made_at,
                    occasion=why,
                    figures=to_json(day),
                )
                ledger.add_run(connection, run)
            failpoints.reached("report.noted")
            enqueue(connection, messages, made_at)
            failpoints.reached("report.mailed")
            return True

        made = await self._store.write(unit)
        if made:
            logger.info(
                "report made",
                extra={"report": name, "dates": list(map(str, plan.dates)), "recipients": len(messages)},
            )
        return made

    def _occasion(self, name: str, day: date, now: datetime) -> Occasion:
        report = self._configured(name)
        on_time = now - due_at(day, report.time_of_day, report.zone) <= _ON_TIME
        return "scheduled" if on_time else "late"

    async def _messages(
        self, name: str, days: Sequence[DayFigures], skipped: int
    ) -> list[tuple[str, Message]]:
        """Return (dedupe key, message) for each recipient; both are named after the newest date."""
        report, newest = self._configured(name), days[-1].date
        if not report.to:
            return []
        written = await self._report(days, skipped)
        subject = wording.subject(days)
        text, html = self._renderer.text(written), self._renderer.html(written)
        return [
            (
                f"report:{name}:{newest}:{to}",
                Message(
                    id=f"report.{name}.{newest}.{_digest(to)}.{self._store.ledger_id}",
                    purpose="report",
                    channel=report.channel,
                    recipient=to,
                    subject=subject,
                    text=text,
                    html=html,
                ),
            )
            for to in report.to
        ]


def _milliseconds(moment: datetime) -> Milliseconds:
    return int(moment.timestamp() * 1000)


def _digest(recipient: str) -> str:
    return blake2b(recipient.encode(), digest_size=4).hexdigest()
