"""One plugin alone, whose hooks can be called again and again: for those who test it."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Self

from feedback_app.errors import NotFound
from feedback_app.plugin_host.blame import blaming
from feedback_app.plugin_host.bringing_up import Loaded, ask, load
from feedback_app.plugin_host.finding import find_plugins
from feedback_app.plugin_host.patience import naming_when_slow
from feedback_app.plugin_host.registry import Registry

if TYPE_CHECKING:
    from feedback_app.plugin_host.started import Started
    from feedback_app.settings import Settings


class OnePlugin:
    """`find` loads it, disabled or not; `make` asks it for new notifiers, analysers and sources."""

    def __init__(self, loaded: Loaded, registry: Registry, settings: Settings) -> None:
        self._loaded = loaded
        self._registry = registry
        self._settings = settings

    @classmethod
    def find(cls, name: str, settings: Settings) -> Self:
        """Find and load it.

        Raises NotFound where there is none of that name, BrokenPluginError where it cannot be used, RefusedSettings
        where its settings cannot.
        """
        plugins = {found.name: found for found in find_plugins(settings).found}
        if name not in plugins:
            close = difflib.get_close_matches(name, plugins, n=1)
            hint = f"did you mean '{close[0]}'?" if close else f"there are: {', '.join(sorted(plugins))}"
            raise NotFound(f"there is no plugin '{name}'; {hint}")
        found, registry = plugins[name], Registry()
        with naming_when_slow(found.name, found.shown), blaming(found.shown, found.file):
            return cls(load(found, registry, settings), registry, settings)

    @property
    def table(self) -> object | None:
        """Its settings as its hooks get them; None: it needs some and has got none."""
        return self._loaded.table

    def make(self) -> Started:
        """Call its hooks. Raises BrokenPluginError and RefusedSettings as `find` does."""
        found = self._loaded.found
        with blaming(found.shown, found.file):
            return ask(self._loaded, self._registry, self._settings)
