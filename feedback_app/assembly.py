"""Puts the parts together from the settings, for whoever runs them: the daemon, or a command that delivers."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING

from feedback_app.clock import JUMP
from feedback_app.concurrency import Barrier
from feedback_app.concurrency.bounded import bounded
from feedback_app.delivery.dispatcher import Dispatcher
from feedback_app.delivery.provider import DeliveryPolicy, Provider
from feedback_app.delivery.retry import Backoff
from feedback_app.delivery.waits import pull_in
from feedback_app.errors import BadConfig
from feedback_app.intake.payloads import PayloadForm, field_map
from feedback_app.intake.scale import Scale
from feedback_app.intake.sourcing import Sourcing
from feedback_app.intake.taking import Taker
from feedback_app.pipeline import Pipeline, Policy
from feedback_app.plugin_host import PluginHost
from feedback_app.plugin_host.places import written_at
from feedback_app.rehearsing import check_templates, composer_of
from feedback_app.settings.schema import LimitSettings
from feedback_app.store import daemons, recovery
from feedback_app.store.ledger import ledger_of
from feedback_app.store.limits import Limit

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable, Iterator

    from feedback_app.clock import Clock
    from feedback_app.contracts import Notifier
    from feedback_app.delivery.fallback import FallBack
    from feedback_app.delivery.lease import LeaseHolder
    from feedback_app.delivery.settled import OnSettled
    from feedback_app.model import Milliseconds
    from feedback_app.settings import Settings
    from feedback_app.store.store import Store
    from feedback_app.tally import Tally

log = logging.getLogger(__name__)

_OPEN_LIMIT = 30.0  # seconds that all channels together have to get ready
_CLOSE_LIMIT = 10.0  # seconds that one has to let go


def scale_of(settings: Settings) -> Scale:
    """Return the scale that ratings are judged by."""
    rating = settings.rating
    return Scale(minimum=rating.minimum, maximum=rating.maximum, step=rating.step)


def load_plugins(settings: Settings) -> PluginHost:
    """Load the plugins and refuse what is not fit to run, templates included, all problems at once.

    Raises BadConfig.
    """
    host = PluginHost.load(settings)
    templates = check_templates(settings, host.notifiers)
    problems = [*host.problems, *templates.problems, *_undeliverable_reports(settings, host)]
    if problems:
        raise BadConfig(*problems)
    return host


def examine(settings: Settings) -> tuple[list[str], list[str]]:
    """Look for all that could be wrong with a start; returns the problems and the warnings, a line each.

    Stricter than the start itself, which leaves a broken plugin out. Runs the plugins' hooks, opens nothing.
    """
    host = PluginHost.load(settings)
    try:
        ledger = ledger_of(settings)
    except BadConfig as error:  # its driver is not installed
        ledger_problems, ledger_warnings = list(error.problems), []
    else:
        ledger_problems, ledger_warnings = ledger.problems(), ledger.warnings()
    templates = check_templates(settings, host.notifiers)
    problems = [
        *_refusal_of(host.check_all),
        *templates.problems,
        *_undeliverable_reports(settings, host),
        *ledger_problems,
    ]
    warnings = [
        *settings.warnings,
        *host.warnings,
        *_unserved_defaults(settings, host),
        *templates.warnings,
        *ledger_warnings,
    ]
    return problems, warnings


def _unserved_defaults(settings: Settings, host: PluginHost) -> Iterator[str]:
    if ("pipeline", "default_channels") in settings.origins:
        where = written_at(settings, "pipeline", "default_channels")
        for channel in settings.pipeline.default_channels:
            if channel not in host.notifiers:
                yield f"{where}: {unserved(channel, host)}"


def _undeliverable_reports(settings: Settings, host: PluginHost) -> Iterator[str]:
    for name, report in settings.reports.items():
        if report.to and report.channel not in host.notifiers:
            yield f"{written_at(settings, 'reports', name, 'channel')}: {unserved(report.channel, host)}"


def unserved(channel: str, host: PluginHost) -> str:
    """Say that nobody serves a channel, and which there are."""
    return f"no plugin serves the channel '{channel}'; there are: {', '.join(host.notifiers) or 'none'}"


def _refusal_of(check: Callable[[], None]) -> tuple[str, ...]:
    try:
        check()
    except BadConfig as error:
        return error.problems
    return ()


def pipeline_of(settings: Settings, host: PluginHost, *, ledger_id: str) -> Pipeline:
    """Return the pipeline as configured."""
    return Pipeline(
        policy=Policy(
            low_below=settings.rating.low_below,
            thank_low_ratings=settings.pipeline.thank_low_ratings,
            default_channels=settings.pipeline.default_channels,
        ),
        composer=composer_of(settings),
        notifiers={channel: providers[0].notifier for channel, providers in host.notifiers.items()},
        analysers=[analyser for _, analyser in host.analysers],
        ledger_id=ledger_id,
    )


def dispatchers_of(  # noqa: PLR0913 - the parts that delivery is made of
    settings: Settings,
    host: PluginHost,
    store: Store,
    *,
    lease: LeaseHolder,
    clock: Clock,
    purpose: str | None = None,
    fall_back: FallBack | None = None,
    on_settled: OnSettled | None = None,
    tally: Tally | None = None,
) -> list[Dispatcher]:
    """Return a dispatcher for each channel; `purpose` narrows them to one kind of message.

    `fall_back` takes what a channel gives up to the customer's next one; `on_settled` is told what has ended.
    """
    policy = DeliveryPolicy(
        workers=settings.delivery.workers,
        max_attempts=settings.delivery.max_attempts,
        backoff=Backoff(settings.delivery.backoff_initial, settings.delivery.backoff_maximum),
    )
    return [
        Dispatcher(
            store,
            channel,
            [
                Provider(
                    one.notifier,
                    limit=limit_of(settings, channel, one.plugin),
                    policy=policy,
                    clock=clock,
                    is_sole=len(providers) == 1,
                )
                for one in providers
            ],
            policy=policy,
            lease=lease,
            clock=clock,
            purpose=purpose,
            fall_back=fall_back,
            on_settled=on_settled,
            tally=tally,
        )
        for channel, providers in host.notifiers.items()
    ]


def limit_of(settings: Settings, channel: str, plugin: str) -> Limit:
    """Return how many messages the plugin is given for a channel, at most."""
    limit = settings.limits.get(plugin, LimitSettings())
    return Limit(provider=plugin, channel=channel, per_second=limit.per_second, per_day=limit.per_day)


def sourcings_of(
    settings: Settings,
    host: PluginHost,
    store: Store,
    *,
    clock: Clock,
    on_taken: Callable[[], None],
    tally: Tally,
) -> list[Sourcing]:
    """Return what runs each source."""
    scale = scale_of(settings)
    sourcings = []
    for _, source in host.sources:
        known = field_map(source.map, source.set, scale=scale, now=clock())
        form = PayloadForm(known, scale=scale, source=source.name)
        taker = Taker(source.name, form, store=store, clock=clock)
        sourcings.append(Sourcing(source, taker, clock=clock, on_taken=on_taken, tally=tally))
    return sourcings


async def open_notifiers(stack: contextlib.AsyncExitStack, host: PluginHost) -> None:
    """Open every provider side by side and return when all stand; `stack` closes them.

    Raises BadConfig naming the plugin that failed or did not get ready in time.
    """
    every = {
        f"plugin {one.plugin}, channel {channel}": one
        for channel, providers in host.notifiers.items()
        for one in providers
    }
    barrier = Barrier(every)

    async def open_one(name: str, notifier: Notifier) -> None:
        try:
            await bounded(notifier.open(), None)  # the barrier says for how long
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever it is, the barrier names the plugin
            barrier.fail(name, error)
        else:
            barrier.arrive(name)

    tasks = []
    for name, one in every.items():
        stack.push_async_callback(_close, one.plugin, one.notifier)
        tasks.append(asyncio.create_task(open_one(name, one.notifier), name=f"open {name}"))
    try:
        await barrier.wait(_OPEN_LIMIT)
    except (RuntimeError, TimeoutError) as error:
        raise BadConfig(f"cannot start: {error}") from error
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _close(plugin: str, notifier: Notifier) -> None:
    try:
        await bounded(notifier.close(), _CLOSE_LIMIT)
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001 - the others are still to be closed
        log.warning("plugin did not close", extra={"plugin": plugin, "fault": type(error).__name__})


async def recover(store: Store, host: PluginHost, settings: Settings, now: Milliseconds) -> None:
    """Free what a dead daemon left in `sending` or due in a wrong time.

    Where the ledger is one daemon's, the caller is that one; where it is shared, `Presence` frees what is the dead's.
    """
    if not store.shared:
        queued, held = await store.write(partial(recovery.recover, now=now))
        if queued or held:
            log.warning("taking over what was being sent", extra={"due_again": queued, "held": held})
    last = await store.read(daemons.last)
    if last is not None and (behind := (last["heartbeat_at"] - now) / 1000) > JUMP:
        log.warning("the clock was set back while no daemon ran", extra={"seconds": round(behind)})
    await pull_in(store, settings.delivery, host.notifiers, now)


async def take_back(store: Store, lease: LeaseHolder, now: Milliseconds) -> None:
    """Free what was cut off in mid-send when the grace for a reload was over: due again, or held."""
    owners = [lease.owner] if store.shared else None
    queued, held = await store.write(partial(recovery.recover, now=now, owners=owners))
    if queued or held:
        log.warning("cut off while being sent", extra={"due_again": queued, "held": held})
