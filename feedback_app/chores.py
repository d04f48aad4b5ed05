"""What the daemon does by the clock: reports, retention, its heartbeat, a look at what the doorbell may have missed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from feedback_app import failpoints
from feedback_app.backups import Backups
from feedback_app.clock import JUMP, Jumps
from feedback_app.concurrency import Cron, Every, Ticker
from feedback_app.delivery.waits import pull_in
from feedback_app.errors import Busy, FeedbackAppError, StorageFailed
from feedback_app.logs import Outage
from feedback_app.reminders import Reminders
from feedback_app.store import sources
from feedback_app.trimming import Trimmer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from feedback_app.clock import Clock
    from feedback_app.delivery.dispatcher import Dispatcher
    from feedback_app.intake.sourcing import Sourcing
    from feedback_app.presence import Presence
    from feedback_app.report.reporter import Reporter
    from feedback_app.settings import Settings
    from feedback_app.store.store import Store

log = logging.getLogger(__name__)

_Fares: TypeAlias = dict[str, dict[str, object]]

_CLOCK = 10.0  # seconds
_PATIENCE = 10.0  # seconds
_WATCH = 2.0  # seconds; a ledger that was replaced is noticed within it
_REMINDERS = 60.0  # seconds; each speaks once an hour
_REPORT_RETRY = 30.0  # seconds
_RETENTION = 600.0  # seconds


async def rest_as_asked(store: Store, sourcings: Sequence[Sourcing]) -> None:
    """Pause the sources that the ledger says are to rest, let the others go on."""
    paused = await store.read(sources.paused)
    for one in sourcings:
        one.rest(one.name in paused)


def _fares(one: Sourcing) -> dict[str, object]:
    """Return how a source fares, as `status` shows it."""
    found = one.condition
    return {
        "state": found.state,
        "reason": found.reason,
        "down_since": found.down_since,
        "lag": found.lag,
        "conflicts": found.conflicts,
    }


class Chores:
    """Runs until `stopping` is set. `wake` says that there may be work, `fail` that the ledger cannot be trusted."""

    def __init__(  # noqa: PLR0913 - the parts that it minds
        self,
        store: Store,
        settings: Settings,
        *,
        wake: Callable[[], None],
        fail: Callable[[FeedbackAppError], None],
        stopping: asyncio.Event,
        sourcings: Sequence[Sourcing] = (),
        on_beat: Callable[[], object] = lambda: None,
        on_noted: Callable[[], object] = lambda: None,
    ) -> None:
        self._on_beat = on_beat
        self._on_noted = on_noted  # a heartbeat is in the ledger
        self._store = store
        self._settings = settings
        self._wake = wake
        self._fail = fail
        self._stopping = stopping
        self._sourcings = sourcings
        self._told: tuple[_Fares, _Fares] = (
            {},
            {},
        )  # how channels and sources fare, as far as the ledger knows
        self._overgrown = False  # as far as has been said
        self._late = {
            name: Outage(
                log,
                away="report not made, trying again",
                still="report still not made",
                back="report made after all",
            )
            for name in settings.reports
        }

    async def run(self, tickers: Sequence[Ticker]) -> None:
        """Let the tickers tick until it is time to stop."""
        async with asyncio.TaskGroup() as tasks:
            for number, ticker in enumerate(tickers):
                tasks.create_task(ticker.run(), name=f"ticker-{number}")
            await self._stopping.wait()
            for ticker in tickers:
                ticker.stop()

    def tickers(self, reporter: Reporter, dispatchers: Sequence[Dispatcher], *, clock: Clock) -> list[Ticker]:
        """Return a ticker for each chore that ends when the stopping begins."""
        reports = [
            Ticker(
                Cron(f"{one.time_of_day.minute} {one.time_of_day.hour} * * *", one.timezone),
                partial(self.make_report, reporter, name),
                name=f"report {name}",
            )
            for name, one in self._settings.reports.items()
        ]
        reminders = Reminders(self._store, dispatchers, self._sourcings, clock=clock)
        watch = partial(self._watch_clock, reporter, dispatchers, clock, Jumps(clock))
        trim = partial(Trimmer(self._store, self._settings.retention, clock=clock).run, self._stopping)
        return [
            *reports,
            Ticker(Every(seconds=self._settings.intake.poll_interval), self._minded(self._look), name="poll"),
            Ticker(Every(seconds=_WATCH), self._minded(self._watch_ledger), name="ledger"),
            Ticker(Every(seconds=_CLOCK), self._minded(watch), name="clock"),
            Ticker(Every(seconds=_RETENTION), self._minded(trim), name="retention"),
            Ticker(Every(seconds=_REMINDERS), self._minded(reminders.look), name="reminders"),
        ]

    def backup_tickers(self, clock: Clock) -> list[Ticker]:
        """Return the ticker that makes backups, where there are to be any."""
        if not self._settings.backup.directory:
            return []
        backups = Backups(self._settings, clock=clock, stopping=self._stopping)
        return [Ticker(Every(seconds=_WATCH), backups.look, name="backup")]

    def source_tickers(self, presence: Presence, dispatchers: Sequence[Dispatcher]) -> list[Ticker]:
        """Return the ticker that minds the sources, and what the ledger knows of them and of the channels."""
        look_after = self._minded(partial(self._look_after, presence, dispatchers))
        return [Ticker(Every(seconds=_WATCH), look_after, name="sources")]

    def patience(self) -> Ticker:
        """Return the ticker that lets the watchdog wait for a server that is away."""

        def look() -> None:
            if self._store.away:
                self._on_beat()

        return Ticker(Every(seconds=_PATIENCE), look, name="patience")

    def heartbeat(self, presence: Presence, dispatchers: Sequence[Dispatcher]) -> Ticker:
        """Return the ticker that goes on until the very end: where daemons share the ledger, it keeps the leases."""
        beat = partial(self._beat, presence, dispatchers)
        return Ticker(Every(seconds=presence.heartbeat), self._minded(beat), name="heartbeat")

    def _minded(self, chore: Callable[[], Awaitable[object] | None]) -> Callable[[], Awaitable[None]]:
        """Return the chore; for a locked ledger there is the next tick, one that cannot be trusted ends it all."""

        async def minded() -> None:
            try:
                if (answer := chore()) is not None:
                    await answer
            except Busy:
                pass  # the store says so, once
            except StorageFailed as error:
                self._fail(error)

        return minded

    def _look(self) -> None:
        failpoints.reached("chore.poll")
        if self._store.changed():
            self._wake()

    def _watch_ledger(self) -> None:
        """See that the ledger is still what was opened, and say once when its log has grown too large."""
        self._store.verify()
        warning = self._store.overgrown()
        if warning and not self._overgrown:
            log.warning("the ledger's log grows", extra={"warning": warning})
        self._overgrown = warning is not None

    async def make_report(self, reporter: Reporter, name: str) -> None:
        """Make what is due; a failure is tried again soon, for the next tick is a day away."""
        while not self._stopping.is_set() and not await self.try_report(reporter, name):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _REPORT_RETRY)

    async def try_report(self, reporter: Reporter, name: str) -> bool:
        """Make what is due; says whether that succeeded."""
        try:
            made = await reporter.make_due(name)
        except StorageFailed as error:
            self._fail(error)
            return False
        except FeedbackAppError as error:
            self._late[name].met(report=name, reason=str(error))
            return False
        self._late[name].over(report=name)
        if made:
            self._wake()
        return True

    async def _beat(self, presence: Presence, dispatchers: Sequence[Dispatcher]) -> None:
        self._told = channels, found = self._fare(dispatchers)
        try:
            if await presence.beat(channels, found):
                self._wake()
            self._on_noted()
        finally:  # the loop turns and the ledger's writer answers, were it only that somebody else holds the ledger
            self._on_beat()

    async def _look_after(self, presence: Presence, dispatchers: Sequence[Dispatcher]) -> None:
        """Let the sources rest that are to, and tell at once when something about one, or a channel, has changed."""
        if self._sourcings:
            await rest_as_asked(self._store, self._sourcings)
        if self._told != self._fare(dispatchers):
            await self._beat(presence, dispatchers)

    def _fare(self, dispatchers: Sequence[Dispatcher]) -> tuple[_Fares, _Fares]:
        """Return how channels and sources fare."""
        return (
            {one.channel: _trouble(one) for one in dispatchers},
            {one.name: _fares(one) for one in self._sourcings},
        )

    async def _watch_clock(
        self, reporter: Reporter, dispatchers: Sequence[Dispatcher], clock: Clock, jumps: Jumps
    ) -> None:
        """Let nothing wait for a time that a wrong clock set; after a jump see what is due by the new time."""
        channels = [one.channel for one in dispatchers]
        if await pull_in(self._store, self._settings.delivery, channels, clock()):
            self._wake()
        jump = jumps.latest()
        if abs(jump) > JUMP:
            log.warning("the clock was set, or the machine slept", extra={"seconds": round(jump)})
            for name in self._settings.reports:
                await self.try_report(reporter, name)


def _trouble(dispatcher: Dispatcher) -> dict[str, object]:
    """Say which of a channel's providers are down, if any, and whether all of them are."""
    return {
        "down_since": dispatcher.down_since,
        "reason": dispatcher.reason or None,
        "providers": {
            name: {
                "down_since": one.health.down_since,
                "reason": one.health.reason,
                "suspended": one.health.suspended,
            }
            for name, one in dispatcher.down.items()
        },
    }
