"""Brings the plugins up, one at a time: load, verify, hand over the settings, ask what it has."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from feedback_app.errors import BadConfig
from feedback_app.plugin_host import demands
from feedback_app.plugin_host.blame import BrokenPluginError, RefusedSettings, blaming
from feedback_app.plugin_host.checking import analysers_of, notifiers_of, sources_of
from feedback_app.plugin_host.finding import find_plugins
from feedback_app.plugin_host.patience import naming_when_slow
from feedback_app.plugin_host.places import table_at
from feedback_app.plugin_host.registry import Registry
from feedback_app.plugin_host.started import Hooked, PluginInfo, Provider, Started, State
from feedback_app.plugin_host.tables import read_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from feedback_app.contracts import Analyser, Source
    from feedback_app.plugin_host.finding import Found
    from feedback_app.settings import Settings


_LATER = ("add_report_section",)  # hooks that are not called at start


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
            later=MappingProxyType({hook: _hooked(hook, started, registry) for hook in _LATER}),
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
        Hooked(
            plugin=one.info.name,
            call=partial(registry.caller(one.info.name, hook), settings=one.settings),
        )
        for one in started
        if hook in one.info.hooks and one.settings is not None
    )


def _start(found: Found, registry: Registry, settings: Settings) -> Started:
    """Return what became of one plugin; nothing of it counts unless all of it is well."""
    if found.name in settings.plugins.disabled:
        return Started(info=_info(found, "disabled"))
    try:
        with naming_when_slow(found.name, found.shown), blaming(found.shown, found.file):
            return _bring_up(found, registry, settings)
    except RefusedSettings as refused:
        return Started(
            info=_info(found, "idle", error="; ".join(refused.problems)), problems=refused.problems
        )
    except BrokenPluginError as broken:
        return Started(info=_info(found, "broken", error=str(broken)))


def _bring_up(found: Found, registry: Registry, settings: Settings) -> Started:
    plugin = found.load()
    hooks = registry.add(found.name, plugin)
    table = read_table(plugin, found.name, settings)
    try:
        results = {
            hook: registry.call(found.name, hook, table)
            for hook in hooks
            if table is not None and hook not in _LATER
        }
    except ValueError as error:
        # The hook's word for settings that it cannot work with, such as a password's file that is not there. Going
        # on without the channel would end its customers' ratings as not thanked.
        raise RefusedSettings(f"{table_at(settings, 'plugins', found.name)}: {error}") from error
    notifiers = notifiers_of(results.get("make_notifier", []))
    analysers = analysers_of(results.get("make_analyser", []))
    sources = sources_of(results.get("make_source", []))
    is_active = notifiers or analysers or sources or (table is not None and set(hooks) & set(_LATER))
    info = PluginInfo(
        name=found.name,
        version=found.version or _own_version(plugin),
        origin=found.origin,
        hooks=hooks,
        channels=tuple(notifier.channel for notifier in notifiers),
        sources=tuple(source.name for source in sources),
        state="active" if is_active else "idle",
        error=None,
    )
    return Started(info=info, notifiers=notifiers, analysers=analysers, sources=sources, settings=table)


def _own_version(plugin: object) -> str | None:
    version = getattr(plugin, "__version__", None)
    return version if isinstance(version, str) else None


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
