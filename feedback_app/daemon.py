"""The daemon: opens every part in one exit stack, runs them side by side, ends them in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import threading
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from feedback_app import assembly
from feedback_app.chores import Chores, rest_as_asked
from feedback_app.clock import Clock, now_ms
from feedback_app.concurrency import LoopWatch, Stall
from feedback_app.delivery.fallback import FallBack
from feedback_app.errors import FeedbackAppError, Unavailable, what_ended
from feedback_app.intake.submission import Submissions
from feedback_app.parts import drained, end, wake_all
from feedback_app.presence import Presence
from feedback_app.processing import Processor
from feedback_app.report.reporter import Reporter
from feedback_app.signals import stop_on_signals
from feedback_app.store import customers, sources
from feedback_app.store.ledger import ledger_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future

    from feedback_app.delivery.dispatcher import Dispatcher
    from feedback_app.intake.sourcing import Sourcing
    from feedback_app.model import Feedback, Milliseconds
    from feedback_app.parts import Part
    from feedback_app.plugin_host import PluginHost
    from feedback_app.settings import Settings
    from feedback_app.store.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFigures:
    """What one run did."""

    processed: int  # ratings
    tries: Counter[str]  # of messages, by the state that the message had after it
    down: Mapping[str, str]  # channels that were down at the end, and why
    limited: Mapping[
        str, Milliseconds
    ]  # channels whose provider had been given all it may be, and until when
    sources_down: Mapping[str, str]  # and sources


class Daemon:
    """Processes ratings until stopped.

    `await daemon.run()` returns after `stop`, which may be called from any thread, any time. On the main thread it
    answers SIGTERM and SIGINT: the first drains, a second one ends the process at once. `submit` hands over a
    rating from any thread. `ready` is set while every part stands; `on_ready` is called when that begins.
    """

    def __init__(
        self, settings: Settings, *, clock: Clock = now_ms, on_ready: Callable[[], object] = lambda: None
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._on_ready = on_ready
        self._boot_id = secrets.token_hex(8)
        self._submissions = Submissions(assembly.scale_of(settings), clock)
        self._stop = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._failure: FeedbackAppError | None = None
        self._processed = 0
        self._dispatchers: list[Dispatcher] = []
        self._sourcings: list[Sourcing] = []
        self.ready = threading.Event()

    def submit(self, feedback: Feedback) -> Future[int]:
        """Hand over a rating from any thread; the future holds its number once it is safe in the ledger.

        A rating whose `id` the ledger has, with the same content, gives the number of the first. Raises BadData
        for a rating off the scale; the future raises BadData for the same id with other content, and Unavailable
        when the daemon ends before it took the rating. A callback on the future runs in the writer's thread, so
        it must not wait there. Nothing bounds what waits: a fast caller waits for the futures itself.
        """
        return self._submissions.submit(feedback)

    def stop(self) -> None:
        """Let `run` finish what is in flight and return. Thread-safe, idempotent, allowed before `run`."""
        self._stop.set()
        if self._loop is not None:
            self._from_thread(self._stopping.set)

    async def run(self, *, drain: bool = False) -> RunFigures:
        """Run until `stop`; with `drain`, until nothing is due and nothing is in flight.

        Raises BadConfig (78) for settings, plugins or templates that are not fit, Busy (75) when another daemon
        runs on the ledger, StorageFailed (74) when the ledger cannot be trusted any more.
        """
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        if self._stop.is_set():
            self._stopping.set()
        try:
            async with contextlib.AsyncExitStack() as stack:
                stack.enter_context(stop_on_signals(self.stop))
                await self._open_and_serve(stack, drain=drain)
        except BaseExceptionGroup as group:
            raise what_ended(group) from group
        finally:
            self.ready.clear()
            self._submissions.close(Unavailable("the daemon has ended"))
        if self._failure is not None:
            raise self._failure
        return RunFigures(
            processed=self._processed,
            tries=sum((one.counts for one in self._dispatchers), Counter()),
            down={one.channel: one.reason for one in self._dispatchers if one.reason},
            limited={one.channel: one.limited_until for one in self._dispatchers if one.limited_until},
            sources_down={one.name: one.condition.reason for one in self._sourcings if one.condition.reason},
        )

    async def _open_and_serve(self, stack: contextlib.AsyncExitStack, *, drain: bool) -> None:
        settings = self._settings
        host = assembly.load_plugins(settings)
        ledger = ledger_of(settings)
        for warning in (*settings.warnings, *host.warnings, *ledger.warnings()):
            log.warning("check the settings", extra={"warning": warning})
        for plugin in host.broken:
            log.error("plugin left out", extra={"plugin": plugin.name, "reason": plugin.error})
        store = await stack.enter_async_context(ledger.open("daemon"))
        # Before the ledger closes, whatever ends the run: a rating handed over later is refused, not lost.
        stack.callback(self._submissions.close, Unavailable("the daemon is stopping"))
        presence = await stack.enter_async_context(Presence(store, boot_id=self._boot_id, clock=self._clock))
        if not drain:
            await presence.wait_out(self._stopping)
        stack.enter_context(LoopWatch(partial(_log_stall, host)))
        await assembly.open_notifiers(stack, host)
        pipeline = assembly.pipeline_of(settings, host, ledger_id=store.ledger_id)
        await assembly.recover(store, host, settings, self._clock())
        suspects = await presence.sign_on(assembly.resending(host))
        await _warn_of_unserved(store, host)
        self._dispatchers = assembly.dispatchers_of(
            settings,
            host,
            store,
            lease=presence,
            clock=self._clock,
            fall_back=FallBack(store, pipeline, on_queued=self._wake_delivery),
        )
        processor = Processor(
            store,
            pipeline,
            workers=settings.pipeline.workers,
            clock=self._clock,
            presence=presence,
            suspects=suspects,
            on_commit=self._committed,
        )
        self._sourcings = assembly.sourcings_of(
            settings, host, store, clock=self._clock, on_taken=processor.conveyor.wake
        )
        await store.write(partial(sources.register, names=[one.name for one in self._sourcings]))
        await rest_as_asked(store, self._sourcings)
        reporter = Reporter(store, settings, clock=self._moment, sections=assembly.sections_of(host))
        await self._serve(store, processor, presence, reporter, drain=drain)

    async def _serve(
        self, store: Store, processor: Processor, presence: Presence, reporter: Reporter, *, drain: bool
    ) -> None:
        parts: list[Part] = [  # each fills the next
            *self._sourcings,
            processor.conveyor,
            *(one.conveyor for one in self._dispatchers),
        ]
        wake = partial(wake_all, parts)
        chores = Chores(
            store,
            self._settings,
            wake=wake,
            fail=self._fail,
            stopping=self._stopping,
            sourcings=self._sourcings,
        )
        tickers = [
            *chores.tickers(reporter, self._dispatchers, clock=self._clock),
            *chores.source_tickers(presence, self._dispatchers),
        ]
        heartbeat = chores.heartbeat(presence, self._dispatchers)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(heartbeat.run(), name="heartbeat")
            working = [tasks.create_task(one.run(), name=one.name) for one in parts]
            tasks.create_task(chores.run(tickers), name="chores")
            self._submissions.open(store, partial(self._from_thread, processor.conveyor.wake))
            store.watch(wake)
            for name in self._settings.reports:
                await reporter.make_due(name)  # what fell due while nobody ran
            wake()
            await presence.stands()
            self.ready.set()
            self._on_ready()
            log.info("ready", extra={"pid": os.getpid(), "ledger": store.name})
            await self._until_done(parts, drain=drain)
            log.info("stopping", extra={"in_flight": sum(one.in_flight for one in parts)})
            self._stopping.set()
            self._submissions.close(Unavailable("the daemon is stopping"))
            await end(store, parts, working, self._settings.daemon.grace)
            heartbeat.stop()

    async def _until_done(self, parts: Sequence[Part], *, drain: bool) -> None:
        waiting: set[asyncio.Task[Any]] = {asyncio.create_task(self._stopping.wait(), name="stop")}
        if drain:
            waiting.add(asyncio.create_task(drained(parts), name="drain"))
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()

    def _from_thread(self, call: Callable[[], None]) -> None:
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the loop is closed already
            self._loop.call_soon_threadsafe(call)

    def _committed(self, ratings: int) -> None:
        self._processed += ratings
        self._wake_delivery()

    def _wake_delivery(self) -> None:
        for one in self._dispatchers:
            one.conveyor.wake()

    def _fail(self, failure: FeedbackAppError) -> None:
        self._failure = failure
        self._stopping.set()

    def _moment(self) -> datetime:
        return datetime.fromtimestamp(self._clock() / 1000, UTC)


async def _warn_of_unserved(store: Store, host: PluginHost) -> None:
    """Say which channels customers prefer though no plugin serves them."""
    for channel in sorted(await store.read(customers.preferred_channels) - set(host.notifiers)):
        log.warning("customers prefer a channel that no plugin serves", extra={"channel": channel})


def _log_stall(host: PluginHost, stall: Stall) -> None:
    log.error(
        "the event loop is blocked",
        extra={
            "seconds": round(stall.seconds, 1),
            "plugin": host.culprit(stall.files),
            "task": stall.task_name,
            "at": f"{stall.file}:{stall.line}",
        },
    )
