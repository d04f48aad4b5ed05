"""The daemon: opens the ledger, has one service after the other work on it, and ends in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import threading
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from feedback_app import assembly
from feedback_app.clock import Clock, now_ms
from feedback_app.concurrency import LoopWatch, Stall
from feedback_app.errors import BadConfig, FeedbackAppError, Unavailable, what_ended
from feedback_app.intake.submission import Submissions
from feedback_app.parts import drained
from feedback_app.presence import Presence
from feedback_app.service import Service, say_warnings
from feedback_app.signals import heeding_signals
from feedback_app.store.ledger import ledger_of
from feedback_app.supervisor import Supervisor
from feedback_app.tally import Tally

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future

    from feedback_app.model import Feedback, Milliseconds
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

    `await daemon.run()` returns after `stop`, which may be called from any thread, any time, and so may `reload`. On
    the main thread it answers SIGTERM and SIGINT: the first drains, a second one ends the process at once. SIGHUP
    reloads, SIGUSR1 logs the state. `submit` hands over a rating from any thread. `ready` is set while every part
    stands; `on_ready` is called when that begins. `read_settings` gives the configuration anew at a reload; without
    it only the plugins and templates are read again. `supervisor` is told of all this.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock = now_ms,
        on_ready: Callable[[], object] = lambda: None,
        read_settings: Callable[[], Settings] | None = None,
        supervisor: Supervisor | None = None,
    ) -> None:
        self._settings = settings
        self._supervisor = supervisor or Supervisor({})
        self._read_settings = read_settings or (lambda: settings)
        self._clock = clock
        self._on_ready = on_ready
        self._boot_id = secrets.token_hex(8)
        self._tally = Tally()
        self._submissions = Submissions(assembly.scale_of(settings), clock, self._tally)
        self._stop = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        self._to_reload = asyncio.Event()
        self._failure: FeedbackAppError | None = None
        self._service: Service | None = None
        self._closing: list[asyncio.Task[None]] = []  # services that others have followed
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

    def reload(self) -> None:
        """Read the configuration, the plugins and the templates again. Thread-safe.

        What is not fit is refused as a whole with a line in the log, and the old ones stay.
        """
        if self._loop is not None:
            self._from_thread(self._to_reload.set)

    async def run(self, *, drain: bool = False) -> RunFigures:
        """Run until `stop`; with `drain`, until nothing is due and nothing is in flight.

        Raises BadConfig (78) for settings, plugins or templates that are not fit, Busy (75) when another daemon
        runs on the ledger, StorageFailed (74) when the ledger cannot be trusted any more.
        """
        self._loop = asyncio.get_running_loop()
        self._stopping, self._to_reload = asyncio.Event(), asyncio.Event()
        if self._stop.is_set():
            self._stopping.set()
        try:
            async with contextlib.AsyncExitStack() as stack:
                stack.enter_context(heeding_signals(self.stop, self.reload, self._log_state))
                last = await self._open_and_serve(stack, drain=drain)
        except BaseExceptionGroup as group:
            raise what_ended(group) from group
        finally:
            self.ready.clear()
            self._submissions.close(Unavailable("the daemon has ended"))
        if self._failure is not None:
            raise self._failure
        return RunFigures(
            processed=self._tally.processed.total(),
            tries=self._tally.by_state(),
            down={one.channel: one.reason for one in last.dispatchers if one.reason},
            limited={one.channel: one.limited_until for one in last.dispatchers if one.limited_until},
            sources_down={one.name: one.condition.reason for one in last.sourcings if one.condition.reason},
        )

    async def _open_and_serve(self, stack: contextlib.AsyncExitStack, *, drain: bool) -> Service:
        """Serve under one configuration after the other; returns the last service."""
        settings = self._settings
        host = assembly.load_plugins(settings)
        ledger = ledger_of(settings)
        say_warnings(settings, host, ledger.warnings())
        store = await stack.enter_async_context(ledger.open("daemon"))
        # Before the ledger closes, whatever ends the run: a rating handed over later is refused, not lost.
        stack.callback(self._submissions.close, Unavailable("the daemon is stopping"))
        presence = await stack.enter_async_context(Presence(store, boot_id=self._boot_id, clock=self._clock))
        if not drain:
            await presence.wait_out(self._stopping)
        stack.enter_context(LoopWatch(self._log_stall))
        service = self._service = self._service_of(store, presence, settings, host)
        stack.push_async_callback(self._close_services)
        await service.open()
        await assembly.recover(store, host, settings, self._clock())
        suspects = await presence.sign_on()
        store.watch(self._wake)
        self._submissions.open(store, partial(self._from_thread, self._wake))
        while True:
            successor = await self._serve(service, presence, suspects, drain=drain)
            if successor is None:
                await service.ended()
                return service
            # Not waited for: whoever lets go slowly must not hold the next one up.
            self._closing.append(asyncio.create_task(service.followed_by(successor), name="close"))
            await assembly.take_back(store, presence, self._clock())
            service, suspects = successor, []
            self._service = service
            self._submissions.scale = assembly.scale_of(service.settings)

    def _service_of(self, store: Store, presence: Presence, settings: Settings, host: PluginHost) -> Service:
        return Service(
            store,
            presence,
            settings,
            host,
            clock=self._clock,
            fail=self._fail,
            supervisor=self._supervisor,
            tally=self._tally,
        )

    async def _close_services(self) -> None:
        if self._service is not None:
            await self._service.close()
        await asyncio.gather(*self._closing)

    async def _serve(
        self, service: Service, presence: Presence, suspects: Sequence[Sequence[int]], *, drain: bool
    ) -> Service | None:
        """Let a service work until it is time to stop, or until its successor stands ready, which is returned."""
        successor: Service | None = None

        async def until() -> None:
            nonlocal successor
            successor = await self._until_done(service, presence, drain=drain)
            if successor is None:
                self._supervisor.stopping()
                self._stopping.set()
                self._submissions.close(Unavailable("the daemon is stopping"))

        async def stands() -> None:
            if self.ready.is_set():
                log.info("reloaded")
            else:
                await presence.stands()
                self.ready.set()
                self._on_ready()
                log.info("ready", extra={"pid": os.getpid(), "ledger": service.store.name})
            self._supervisor.ready(service.status)

        try:
            await service.work(until, stands=stands, suspects=suspects, drain=drain)
        except BaseException:
            if successor is not None:
                await successor.close()
            raise
        return successor

    async def _until_done(self, service: Service, presence: Presence, *, drain: bool) -> Service | None:
        reloading = asyncio.create_task(self._successor(service, presence), name="reload")
        waiting: set[asyncio.Task[Any]] = {
            reloading,
            asyncio.create_task(self._stopping.wait(), name="stop"),
        }
        if drain:
            waiting.add(asyncio.create_task(drained(service.parts), name="drain"))
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()
            await asyncio.wait(waiting)  # what is half open is closed
        return None if reloading.cancelled() else reloading.result()

    async def _successor(self, service: Service, presence: Presence) -> Service:
        """Return a service under the configuration as it is now, once somebody asks for it and it is fit."""
        while True:
            await self._to_reload.wait()
            self._to_reload.clear()
            log.info("reloading")
            self._supervisor.reloading()
            try:
                return await self._load_anew(service, presence)
            except FeedbackAppError as refused:
                lines = refused.problems if isinstance(refused, BadConfig) else (str(refused),)
                log.error("reload refused, all stays as it was", extra={"reason": "; ".join(lines)})  # noqa: TRY400
                self._supervisor.ready(f"reload refused; {service.status}")

    async def _load_anew(self, service: Service, presence: Presence) -> Service:
        settings, host = await asyncio.to_thread(self._read_anew)
        if settings.store != service.settings.store:
            raise BadConfig("[store] cannot be changed while the daemon runs; restart it")
        say_warnings(settings, host)
        successor = self._service_of(service.store, presence, settings, host)
        try:
            await successor.open()
        except BaseException:
            await successor.close()
            raise
        return successor

    def _read_anew(self) -> tuple[Settings, PluginHost]:
        settings = self._read_settings()
        return settings, assembly.load_plugins(settings)

    def _wake(self) -> None:
        if self._service is not None:
            self._service.wake()

    def _from_thread(self, call: Callable[[], None]) -> None:
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the loop is closed already
            self._loop.call_soon_threadsafe(call)

    def _fail(self, failure: FeedbackAppError) -> None:
        self._failure = failure
        self._stopping.set()

    def _log_state(self) -> None:
        if self._service is not None:
            self._service.log_state()

    def _log_stall(self, stall: Stall) -> None:
        self._tally.stalls += 1
        at = f"{stall.file}:{stall.line}"
        plugin = self._service.host.culprit(stall.files) if self._service else None
        if self._service and plugin:
            self._service.blocked_by(plugin, at)
        seconds = round(stall.seconds, 1)
        log.error(
            "the event loop is blocked",
            extra={"seconds": seconds, "plugin": plugin, "task": stall.task_name, "at": at},
        )
