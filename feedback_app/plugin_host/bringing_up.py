"""Brings one plugin up: load it, read its settings, ask its hooks what it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from feedback_app.plugin_host.api import check_module
from feedback_app.plugin_host.blame import RefusedSettings
from feedback_app.plugin_host.checking import analysers_of, notifiers_of, sources_of
from feedback_app.plugin_host.places import table_at
from feedback_app.plugin_host.started import PluginInfo, Started
from feedback_app.plugin_host.tables import read_table

if TYPE_CHECKING:
    from feedback_app.plugin_host.finding import Found
    from feedback_app.plugin_host.registry import Registry
    from feedback_app.settings import Settings


LATER = ("add_report_section", "message_settled")  # hooks that are not called at start


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """A plugin whose code has run and whose settings are read."""

    found: Found
    hooks: tuple[str, ...]
    version: str | None
    table: object | None  # what its hooks are handed; None: it needs settings and has got none


def load(found: Found, registry: Registry, settings: Settings) -> Loaded:
    """Run the plugin's code. Raises RefusedSettings, MisfitError, and whatever its code raises."""
    plugin = found.load()
    check_module(plugin)
    return Loaded(
        found=found,
        hooks=registry.add(found.name, plugin),
        version=found.version or _own_version(plugin),
        table=read_table(plugin, found.name, settings),
    )


def ask(loaded: Loaded, registry: Registry, settings: Settings) -> Started:
    """Call its hooks; what they give is new each time. Raises as `load` does."""
    name, table = loaded.found.name, loaded.table
    hooks = () if table is None else loaded.hooks
    try:
        results = {hook: registry.call(name, hook, table) for hook in hooks if hook not in LATER}
    except ValueError as error:
        # The hook's word for settings that it cannot work with, such as a password's file that is not there. Going
        # on without the channel would end its customers' ratings as not thanked.
        raise RefusedSettings(f"{table_at(settings, 'plugins', name)}: {error}") from error
    notifiers = notifiers_of(results.get("make_notifier", []))
    analysers = analysers_of(results.get("make_analyser", []))
    sources = sources_of(results.get("make_source", []))
    info = PluginInfo(
        name=name,
        version=loaded.version,
        origin=loaded.found.origin,
        hooks=loaded.hooks,
        channels=tuple(notifier.channel for notifier in notifiers),
        sources=tuple(source.name for source in sources),
        state="active" if notifiers or analysers or sources or not set(hooks).isdisjoint(LATER) else "idle",
        error=None,
    )
    return Started(info=info, notifiers=notifiers, analysers=analysers, sources=sources, settings=table)


def _own_version(plugin: object) -> str | None:
    version = getattr(plugin, "__version__", None)
    return version if isinstance(version, str) else None
