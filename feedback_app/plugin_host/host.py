"""Brings the plugins up, one at a time: load, verify, hand over the settings, ask what it has."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from feedback_app.errors import BadConfig
from feedback_app.plugin_host import demands
from feedback_app.plugin_host.blame import BrokenPluginError, RefusedSettings, blaming
from feedback_app.plugin_host.bringing_up import LATER, ask, load
from feedback_app.plugin_host.finding import find_plugins
from feedback_app.plugin_host.patience import naming_when_slow
from feedback_app.plugin_host.registry import Registry
from feedback_app.plugin_host.started import Hooked, PluginInfo, Provider, Started, State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from feedback_app.contracts import Analyser, Source
    from feedback_app.plugin_host.finding import Found
    from feedback_app.settings import Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class PluginHost:
    """The plugins and what they serve. `load` makes it; what is wrong is said, not raised, until `check`."""

    plugins: tuple[PluginInfo, ...]  # in the order of their loading
    notifiers: Mapping[str, tuple[Provider, ...]]  # by channel; the first provider is asked first
    analysers: tuple[tuple[str, Analyser], ...]  # with the plugin each comes from
    sources: tuple[tuple[str, Source], ...]  # with the plugin each comes from
    later: Mapping[str, tuple[Hooked, ...]]  # who implements the hooks that are not called at start
    problems: tuple[str, ...]  # what fails the start
    warnings: tuple[str, ...]
    files: Mapping[str, str]  # the plugins' names by their source files

    @classmethod
    def load(cls, settings: Settings) -> PluginHost:
        """Find, check and call all plugins. Of what their code raises only the user's Ctrl-C comes out."""
        search = find_plugins(settings)
        registry = Registry()
        started = tuple(_start(found, registry, settings) for found in search.found)
        plugins = {plugin.info.name: plugin.info for plugin in started}
        claims = demands.providers_of(started)
        return cls(
            plugins=tuple(plugins.values()),
            notifiers=MappingProxyType(demands.in_order(claims, settings)),
            analysers=tuple((plugin.info.name, entry) for plugin in started for entry in plugin.analysers),
            sources=tuple((plugin.info.name, entry) for plugin in started for entry in plugin.sources),
            later=MappingProxyType({hook: _hooked(hook, started, registry) for hook in LATER}),
            problems=(
                *search.problems,
                *(problem for plugin in started for problem in plugin.problems),
                *demands.name_problems(plugins, settings),
                *demands.limit_problems(plugins, settings),
                *demands.channel_problems(claims, plugins, settings),
                *demands.analyser_problems(started),
                *demands.source_problems(started, settings),
            ),
            warnings=(*search.warnings, *demands.name_warnings(plugins, settings)),
            files=MappingProxyType({str(found.file): found.name for found in search.found if found.file}),
        )

    @property
    def broken(self) -> tuple[PluginInfo, ...]:
        """The plugins that are left out because something is wrong with them."""
        return tuple(plugin for plugin in self.plugins if plugin.state == "broken")

    def culprit(self, files: Sequence[str]) -> str | None:
        """Return the innermost plugin on a stack, given the files of its frames, the outermost first."""
        return next((self.files[file] for file in reversed(files) if file in self.files), None)

    def check(self) -> None:
        """Raise BadConfig with a line for each thing that must be mended before the start."""
        if self.problems:
            raise BadConfig(*self.problems)

    def check_all(self) -> None:
        """Raise BadConfig as `check` does, and also for a broken plugin that nobody requires."""
        said = self.problems
        lines = [demands.is_broken(plugin) for plugin in self.broken]
        unsaid = [line for line in lines if not any(problem.endswith(line) for problem in said)]
        if said or unsaid:
            raise BadConfig(*said, *unsaid)


def _hooked(hook: str, started: Sequence[Started], registry: Registry) -> tuple[Hooked, ...]:
    return tuple(
        Hooked(plugin=name, call=partial(registry.caller(name, hook), settings=one.settings))
        for one in started
        if hook in one.info.hooks and one.settings is not None
        for name in (one.info.name,)
    )


def _start(found: Found, registry: Registry, settings: Settings) -> Started:
    """Return what became of one plugin; nothing of it counts unless all of it is well."""
    if found.name in settings.plugins.disabled:
        return Started(info=_info(found, "disabled"))
    try:
        with naming_when_slow(found.name, found.shown), blaming(found.shown, found.file):
            return ask(load(found, registry, settings), registry, settings)
    except RefusedSettings as refused:
        return Started(
            info=_info(found, "idle", error="; ".join(refused.problems)), problems=refused.problems
        )
    except BrokenPluginError as broken:
        return Started(info=_info(found, "broken", error=str(broken)))


def _info(found: Found, state: State, error: str | None = None) -> PluginInfo:
    """Describe a plugin of which no more is known than where it is."""
    return PluginInfo(
        name=found.name,
        version=found.version,
        origin=found.origin,
        hooks=(),
        channels=(),
        sources=(),
        state=state,
        error=error,
    )
