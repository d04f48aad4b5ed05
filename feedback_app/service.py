"""What works under one configuration, from the opening of its plugins to their closing.

The daemon has one at a time, on a ledger that stays open: a reload makes the next one ready beside it, lets it finish
what is in flight, and goes on with the next.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from feedback_app import assembly
from feedback_app.chores import Chores, rest_as_asked
from feedback_app.concurrency import Every, Ticker
from feedback_app.delivery.fallback import FallBack
from feedback_app.parts import end, wake_all
from feedback_app.plugin_host import Observers, Sections
from feedback_app.processing import Processor
from feedback_app.report.reporter import Reporter
from feedback_app.store import customers, sources

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from feedback_app.clock import Clock
    from feedback_app.delivery.dispatcher import Dispatcher
    from feedback_app.errors import FeedbackAppError
    from feedback_app.intake.sourcing import Sourcing
    from feedback_app.metrics import Textfile
    from feedback_app.parts import Part
    from feedback_app.plugin_host import PluginHost
    from feedback_app.presence import Presence
    from feedback_app.settings import Settings
    from feedback_app.store.store import Store
    from feedback_app.supervisor import Supervisor
    from feedback_app.tally import Tally

log = logging.getLogger(__name__)


class Service:
    """`open`, then `work` once, then `close`, which may also follow a failed `open`.

    `fail` is called when the ledger cannot be trusted any more.
    """

    def __init__(  # noqa: PLR0913 - what the daemon shares with it
        self,
        store: Store,
        presence: Presence,
        settings: Settings,
        host: PluginHost,
        *,
        clock: Clock,
        fail: Callable[[FeedbackAppError], None],
        supervisor: Supervisor,
        tally: Tally,
    ) -> None:
        self._supervisor = supervisor
        self.tally = tally
        self.store = store
        self._presence = presence
        self._clock = clock
        self._fail = fail
        self._opened = AsyncExitStack()
        self.settings = settings
        self.host = host
        self._observers = Observers(host)
        self.dispatchers: list[Dispatcher] = []
        self.sourcings: list[Sourcing] = []
        self.parts: list[Part] = []
        self._textfile: Textfile | None = None

    async def open(self) -> None:
        """Get the channels ready. Raises BadConfig naming the plugin that failed."""
        self._opened.push_async_callback(self._observers.close)
        await assembly.open_notifiers(self._opened, self.host)

    async def close(self) -> None:
        """Let everything go."""
        await self._opened.aclose()

    @property
    def status(self) -> str:
        """What the daemon has done, in a line for people."""
        sent = self.tally.by_state()["sent"]
        return f"{self.tally.processed.total():,} ratings processed, {sent:,} messages sent"

    def log_state(self) -> None:
        """Log what is in flight, what is down, and where every task of the event loop waits."""
        log.info(
            "state",
            extra={
                "done": self.status,
                "in_flight": {one.name: one.in_flight for one in self.parts},
                "down": {one.channel: sorted(one.down) for one in self.dispatchers if one.down},
                "sources_down": [one.name for one in self.sourcings if one.condition.reason],
            },
        )
        waiting = Counter((_kind(task.get_name()), _place(task)) for task in asyncio.all_tasks())
        for (name, place), count in sorted(waiting.items()):
            log.info("task", extra={"task": name, "at": place, "count": count})

    def wake(self) -> None:
        """Look at once whether there is something to do."""
        wake_all(self.parts)

    def blocked_by(self, plugin: str, at: str) -> None:
        """Hold it against a plugin that it blocks the event loop; thread-safe."""
        for dispatcher in self.dispatchers:
            for provider in dispatcher.providers:
                if provider.name == plugin:
                    provider.blocks(at)

    async def work(
        self,
        until: Callable[[], Awaitable[None]],
        *,
        stands: Callable[[], Awaitable[None]],
        suspects: Sequence[Sequence[int]] = (),
        drain: bool = False,
    ) -> None:
        """Work until `until` returns, then finish what is in flight; `stands` is called once everything runs.

        A report that cannot be made is tried again while the rest goes on; with `drain` there is no while, and what
        the reporter raises ends the run.
        """
        processor = await self._assemble(suspects)
        reporter = Reporter(self.store, self.settings, clock=self._moment, sections=Sections(self.host))
        ending = asyncio.Event()
        chores = Chores(
            self.store,
            self.settings,
            wake=self.wake,
            fail=self._fail,
            stopping=ending,
            sourcings=self.sourcings,
            on_beat=lambda: self._supervisor.alive(self.status),
            on_noted=self._beaten,
        )
        textfile = self._textfile = self._metrics()
        tickers = [
            *chores.tickers(reporter, self.dispatchers, clock=self._clock),
            *chores.source_tickers(self._presence, self.dispatchers),
            *chores.backup_tickers(self._clock),
            chores.patience(),
            *(
                [Ticker(Every(self.settings.metrics.interval), textfile.write, name="metrics")]
                if textfile
                else []
            ),
        ]
        heartbeat = chores.heartbeat(self._presence, self.dispatchers)
        self.parts = [  # each fills the next
            *self.sourcings,
            processor.conveyor,
            *(one.conveyor for one in self.dispatchers),
        ]
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(heartbeat.run(), name="heartbeat")
            working = [tasks.create_task(one.run(), name=one.name) for one in self.parts]
            tasks.create_task(chores.run(tickers), name="chores")
            for name in self.settings.reports:  # what fell due while nobody ran
                if drain:
                    await reporter.make_due(name)
                elif not await chores.try_report(reporter, name):
                    tasks.create_task(chores.make_report(reporter, name), name=f"report {name}")
            self.wake()
            await stands()
            if textfile:
                await textfile.write()
            await until()
            log.info("stopping", extra={"in_flight": sum(one.in_flight for one in self.parts)})
            ending.set()
            await end(self.store, self.parts, working, self.settings.daemon.grace)
            heartbeat.stop()

    async def ended(self) -> None:
        """Write the metrics for the last time: no service follows this one."""
        if self._textfile:
            await self._textfile.write(running=False)

    async def followed_by(self, successor: Service) -> None:
        """Let everything go; the metrics' file too where the next service writes another one, or none."""
        await self.close()
        if self._textfile and successor.settings.metrics_textfile != self.settings.metrics_textfile:
            await self._textfile.remove()

    def _metrics(self) -> Textfile | None:
        """Return what writes the metrics, where somebody wants to see them."""
        path = self.settings.metrics_textfile
        if path is None:
            return None
        from feedback_app.metrics import Metrics, Textfile

        return Textfile(path, Metrics(self, self._clock))

    async def _assemble(self, suspects: Sequence[Sequence[int]]) -> Processor:
        settings, host, store = self.settings, self.host, self.store
        pipeline = assembly.pipeline_of(settings, host, ledger_id=store.ledger_id)
        self.dispatchers = assembly.dispatchers_of(
            settings,
            host,
            store,
            lease=self._presence,
            clock=self._clock,
            fall_back=FallBack(store, pipeline, on_queued=self._wake_delivery),
            on_settled=self._observers.tell_all,
            tally=self.tally,
        )
        processor = Processor(
            store,
            pipeline,
            workers=settings.pipeline.workers,
            clock=self._clock,
            presence=self._presence,
            suspects=suspects,
            on_commit=lambda _count: self._wake_delivery(),
            tally=self.tally,
        )
        self.sourcings = assembly.sourcings_of(
            settings, host, store, clock=self._clock, on_taken=processor.conveyor.wake, tally=self.tally
        )
        await store.write(partial(sources.register, names=[one.name for one in self.sourcings]))
        await rest_as_asked(store, self.sourcings)
        await self._warn_of_unserved()
        return processor

    async def _warn_of_unserved(self) -> None:
        """Say which channels customers prefer though no plugin serves them."""
        preferred = await self.store.read(customers.preferred_channels)
        for channel in sorted(preferred - set(self.host.notifiers)):
            log.warning("customers prefer a channel that no plugin serves", extra={"channel": channel})

    def _beaten(self) -> None:
        self.tally.heartbeat_at = self._clock()

    def _wake_delivery(self) -> None:
        for one in self.dispatchers:
            one.conveyor.wake()

    def _moment(self) -> datetime:
        return datetime.fromtimestamp(self._clock() / 1000, UTC)


def _kind(name: str) -> str:
    """Return a task's name without its number: of a pool's workers, most wait at one place."""
    return re.sub(r"-\d+$", "", name)


def _place(task: asyncio.Task[object]) -> str:
    """Say where a task waits: the innermost line of Python code."""
    stack = task.get_stack(limit=1)
    return f"{stack[0].f_code.co_filename}:{stack[0].f_lineno}" if stack else "nowhere"


def say_warnings(settings: Settings, host: PluginHost, more: Iterable[str] = ()) -> None:
    """Log what is unwise, and which plugins are left out."""
    for warning in (*settings.warnings, *host.warnings, *more):
        log.warning("check the settings", extra={"warning": warning})
    for plugin in host.broken:
        log.error("plugin left out", extra={"plugin": plugin.name, "reason": plugin.error})
