"""What the daemon does by the clock: reports, its heartbeat, a look at what the doorbell may have missed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from functools import partial
from typing import TYPE_CHECKING

from feedback_app import failpoints
from feedback_app.concurrency import Cron, Every, Ticker
from feedback_app.errors import Busy, FeedbackAppError
from feedback_app.store import daemons

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from feedback_app.clock import Clock
    from feedback_app.delivery.dispatcher import Dispatcher
    from feedback_app.report.reporter import Reporter
    from feedback_app.settings import Settings
    from feedback_app.store.store import Store

log = logging.getLogger(__name__)

_HEARTBEAT = 10.0  # seconds
_REPORT_RETRY = 30.0  # seconds


class Chores:
    """Runs until `stopping` is set. `wake` says that there may be work, `fail` that the ledger cannot be trusted."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        *,
        wake: Callable[[], None],
        fail: Callable[[FeedbackAppError], None],
        stopping: asyncio.Event,
    ) -> None:
        self._store = store
        self._settings = settings
        self._wake = wake
        self._fail = fail
        self._stopping = stopping
        self._seen = store.version()

    async def run(self, tickers: Sequence[Ticker]) -> None:
        """Let the tickers tick until it is time to stop."""
        async with asyncio.TaskGroup() as tasks:
            for number, ticker in enumerate(tickers):
                tasks.create_task(ticker.run(), name=f"ticker-{number}")
            await self._stopping.wait()
            for ticker in tickers:
                ticker.stop()

    def tickers(
        self, reporter: Reporter, dispatchers: Sequence[Dispatcher], *, boot_id: str, clock: Clock
    ) -> list[Ticker]:
        """Return a ticker for each chore."""
        reports = [
            Ticker(
                Cron(f"{one.time_of_day.minute} {one.time_of_day.hour} * * *", one.timezone),
                partial(self._make_report, reporter, name),
                name=f"report {name}",
            )
            for name, one in self._settings.reports.items()
        ]
        heartbeat = partial(self._heartbeat, dispatchers, boot_id, clock)
        return [
            *reports,
            Ticker(Every(seconds=self._settings.intake.poll_interval), self._look, name="poll"),
            Ticker(Every(seconds=_HEARTBEAT), heartbeat, name="heartbeat"),
        ]

    def _look(self) -> None:
        if self._store.failed is not None:
            self._fail(self._store.failed)
        failpoints.reached("chore.poll")
        version = self._store.version()
        if version != self._seen:
            self._seen = version
            self._wake()

    async def _make_report(self, reporter: Reporter, name: str) -> None:
        """Make what is due; a failure is tried again soon, for the next tick is a day away."""
        while not self._stopping.is_set():
            try:
                made = await reporter.make_due(name)
            except FeedbackAppError as error:
                log.error("report not made, trying again", extra={"report": name, "reason": str(error)})  # noqa: TRY400
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), _REPORT_RETRY)
            else:
                if made:
                    self._wake()
                return

    async def _heartbeat(self, dispatchers: Sequence[Dispatcher], boot_id: str, clock: Clock) -> None:
        down = {
            one.channel: {"down_since": one.health.down_since, "reason": one.health.reason}
            for one in dispatchers
            if one.health.down
        }
        failpoints.reached("chore.heartbeat")
        try:
            await self._store.write(partial(daemons.heartbeat, boot_id=boot_id, channels=down, now=clock()))
        except Busy as error:
            log.warning("waiting for the ledger", extra={"reason": str(error)})
