"""Checks a plugin as it is configured: all that it has, without reaching anybody."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from feedback_app.concurrency.bounded import leaving_nothing
from feedback_app.errors import FeedbackAppError, NotFound
from feedback_app.plugin_host import OnePlugin
from feedback_app.testing.analysers import check_analyser
from feedback_app.testing.far_side import FarSide
from feedback_app.testing.findings import Finding
from feedback_app.testing.guard import Guard
from feedback_app.testing.notifiers import check_notifier
from feedback_app.testing.settings_of import hosts_elsewhere, secrets_of
from feedback_app.testing.sources import check_source

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from feedback_app.plugin_host.started import Started
    from feedback_app.settings import Settings

_LOADED = Finding(
    check="it is loaded, its hooks and its settings fit", promise="docs/plugins.md: Hooks", state="ok"
)


def check_plugin(name: str, settings: Settings, *, live: bool = False) -> list[Finding]:
    """Say of each promise whether the plugin holds it, with its settings as they are.

    Messages go to recipients that are nobody's, and to a far side on this machine only, unless `live`. No rating is
    taken from a source; what the plugin prints goes to stderr. Raises NotFound where there is no plugin of that name.
    """
    guard = FarSide() if live else Guard()
    with (
        guard if isinstance(guard, Guard) else contextlib.nullcontext(),
        contextlib.redirect_stdout(sys.stderr),
    ):
        try:
            plugin = OnePlugin.find(name, settings)
            started = plugin.make()
        except NotFound:
            raise
        except FeedbackAppError as error:
            return [_failed(error)]
        if started.info.state == "idle":
            return [replace(_LOADED, state="fails", expected="something to test", happened=_idle(name))]
        table = settings.plugins.tables.get(name, {})
        if isinstance(guard, Guard) and (hosts := hosts_elsewhere(table)):
            guard.refuse(f"to talk to {hosts[0]}")
        return [_LOADED, *asyncio.run(leaving_nothing(_check(plugin, started, guard)))]


def _failed(error: FeedbackAppError) -> Finding:
    return replace(_LOADED, state="fails", expected="a plugin that can be used", happened=str(error))


def _idle(name: str) -> str:
    return f"it is idle: give it its table [plugins.{name}] in the configuration"


def _entries(
    started: Started,
) -> list[tuple[str, Callable[..., Coroutine[Any, Any, list[Finding]]], Callable[[Started], Any]]]:
    """Return all that the plugin has: how it is called, what checks it, and how to take it out of a new answer."""
    found: list[Any] = []
    for number, notifier in enumerate(started.notifiers):
        found.append(
            (f"channel {notifier.channel}", check_notifier, lambda new, at=number: new.notifiers[at])
        )
    for number, analyser in enumerate(started.analysers):
        found.append((f"analyser {analyser.name}", check_analyser, lambda new, at=number: new.analysers[at]))
    for number, source in enumerate(started.sources):
        found.append((f"source {source.name}", check_source, lambda new, at=number: new.sources[at]))
    return found


async def _check(plugin: OnePlugin, started: Started, far_side: FarSide) -> list[Finding]:
    findings: list[Finding] = []
    entries = _entries(started)
    for what, check, pick in entries:
        found = await check(lambda pick=pick: pick(plugin.make()), far_side, secrets=secrets_of(plugin.table))
        prefix = f"{what}: " if len(entries) > 1 else ""
        findings += [replace(one, check=f"{prefix}{one.check}") for one in found]
    return findings
