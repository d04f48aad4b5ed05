"""Compares the plugins there are with what the configuration demands of them: names, order, no clashes."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from feedback_app.clock import now_ms
from feedback_app.errors import UsageError
from feedback_app.intake.payloads import field_map
from feedback_app.intake.scale import Scale
from feedback_app.plugin_host.places import table_at, written_at
from feedback_app.plugin_host.started import PluginInfo, Provider, Started

if TYPE_CHECKING:
    from feedback_app.settings import Settings

Providers = Mapping[str, tuple[Provider, ...]]  # by channel, the first is asked first
Plugins = Mapping[str, PluginInfo]  # by name


def providers_of(started: Sequence[Started]) -> dict[str, tuple[Provider, ...]]:
    """Return who claims each channel, in the order in which the plugins were found."""
    claims: dict[str, tuple[Provider, ...]] = {}
    for plugin in started:
        for notifier in plugin.notifiers:
            provider = Provider(plugin=plugin.info.name, notifier=notifier)
            claims[notifier.channel] = (*claims.get(notifier.channel, ()), provider)
    return dict(sorted(claims.items()))


def in_order(claims: Providers, settings: Settings) -> dict[str, tuple[Provider, ...]]:
    """Return who serves each channel: as configured, else the only one that claims it."""
    served: dict[str, tuple[Provider, ...]] = {}
    for channel, providers in claims.items():
        if channel in settings.channels:
            by_name = {provider.plugin: provider for provider in providers}
            wanted = settings.channels[channel].providers
            served[channel] = tuple(by_name[name] for name in wanted if name in by_name)
        elif len(providers) == 1:  # a clash is refused, not decided
            served[channel] = providers
    return {channel: providers for channel, providers in served.items() if providers}


def channel_problems(claims: Providers, plugins: Plugins, settings: Settings) -> Iterator[str]:
    """Yield the clashes, and what `[channels.NAME] providers` says in error."""
    for channel, providers in claims.items():
        names = [provider.plugin for provider in providers]
        if len(names) > 1 and channel not in settings.channels:
            yield (
                f"the channel '{channel}' is served by the plugins {_listed(names)}; say in which order "
                f"to ask them, such as [channels.{channel}] providers = {json.dumps(names)}"
            )
    for channel, table in settings.channels.items():
        where = written_at(settings, "channels", channel, "providers")
        claiming = {provider.plugin for provider in claims.get(channel, ())}
        for name in table.providers:
            if name not in plugins:
                yield f"{where}: {_unknown(name, plugins)}"
            elif plugins[name].state == "active" and name not in claiming:
                yield f"{where}: the plugin '{name}' does not serve '{channel}'"


def analyser_problems(started: Sequence[Started]) -> Iterator[str]:
    """Yield the analysers whose facts would overwrite each other's."""
    makers: dict[str, str] = {}
    for plugin in started:
        for analyser in plugin.analysers:
            rival = makers.setdefault(analyser.name, plugin.info.name)
            if rival != plugin.info.name:
                names = _listed([rival, plugin.info.name])
                yield f"the analyser '{analyser.name}' comes from the plugins {names}; disable one of them"


def source_problems(started: Sequence[Started], settings: Settings) -> Iterator[str]:
    """Yield the sources whose ids would mix with another's, and what a rating cannot be made of."""
    makers: dict[str, str] = {}
    rating = settings.rating
    scale = Scale(minimum=rating.minimum, maximum=rating.maximum, step=rating.step)
    for plugin in started:
        for source in plugin.sources:
            rival = makers.setdefault(source.name, plugin.info.name)
            if rival != plugin.info.name:
                names = _listed([rival, plugin.info.name])
                yield f"the source '{source.name}' comes from the plugins {names}; give one another name"
            try:
                field_map(source.map, source.set, scale=scale, now=now_ms())
            except UsageError as error:
                where = table_at(settings, "plugins", plugin.info.name)
                yield from (f"{where}: {line}" for line in str(error).splitlines())


def name_problems(plugins: Plugins, settings: Settings) -> Iterator[str]:
    """Yield the tables of plugins that are not there, and the required ones that cannot serve."""
    for name in settings.plugins.tables:
        if name not in plugins:
            yield f"{table_at(settings, 'plugins', name)}: {_unknown(name, plugins)}"
    where = written_at(settings, "plugins", "required")
    for name in settings.plugins.required:
        if name not in plugins:
            yield f"{where}: {_unknown(name, plugins)}"
        elif plugins[name].state == "broken":
            yield f"{where}: {is_broken(plugins[name])}"
        elif plugins[name].state == "idle" and plugins[name].error is None:
            yield f"{where}: the plugin '{name}' is not configured; give it its table [plugins.{name}]"


def limit_problems(plugins: Plugins, settings: Settings) -> Iterator[str]:
    """Yield the limits of plugins that are not there."""
    for name in settings.limits:
        if name not in plugins:
            yield f"{table_at(settings, 'limits', name)}: {_unknown(name, plugins)}"


def name_warnings(plugins: Plugins, settings: Settings) -> Iterator[str]:
    """Yield what is disabled and is not there, and what is to serve a channel and will not."""
    for name in settings.plugins.disabled:
        if name not in plugins:
            yield f"{written_at(settings, 'plugins', 'disabled')}: {_unknown(name, plugins)}"
    for channel, table in settings.channels.items():
        where = written_at(settings, "channels", channel, "providers")
        for name in table.providers:
            if name in plugins and plugins[name].state in ("idle", "disabled"):
                yield f"{where}: the plugin '{name}' is {plugins[name].state} and serves nothing"


def is_broken(plugin: PluginInfo) -> str:
    """Say that a plugin is broken, and why."""
    return f"the plugin '{plugin.name}' is broken: {plugin.error}"


def _unknown(name: str, plugins: Plugins) -> str:
    close = difflib.get_close_matches(name, plugins, n=1)
    if close:
        return f"there is no plugin '{name}', did you mean '{close[0]}'?"
    return (
        f"there is no plugin '{name}'; there are {', '.join(plugins)}"
        if plugins
        else f"there is no plugin '{name}'"
    )


def _listed(names: Sequence[str]) -> str:
    quoted = [f"'{name}'" for name in names]
    return f"{', '.join(quoted[:-1])} and {quoted[-1]}"
