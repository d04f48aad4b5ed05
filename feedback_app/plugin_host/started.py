"""What became of each plugin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from feedback_app.contracts import Analyser, Notifier, Source

State: TypeAlias = Literal["active", "suspended", "idle", "disabled", "broken"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PluginInfo:
    """A plugin as `plugins list` shows it."""

    name: str
    version: str | None  # of its distribution, or the file's own __version__
    origin: str  # the file, or the distribution
    hooks: tuple[str, ...]  # what it implements, in the order of the hook page
    channels: tuple[str, ...]  # what its notifiers serve
    sources: tuple[str, ...]  # the names of its sources
    state: State  # idle: not configured, it serves nothing; suspended: only a running daemon can tell
    error: str | None  # why it is broken or suspended, or why its settings were refused


@dataclass(frozen=True, kw_only=True, slots=True)
class Provider:
    """A notifier and the plugin it comes from."""

    plugin: str
    notifier: Notifier


@dataclass(frozen=True, kw_only=True, slots=True)
class Hooked:
    """A plugin's hook that is called later than at start."""

    plugin: str
    call: Callable[..., list[object]]  # with the hook's arguments by name; empty when it returned None


@dataclass(frozen=True, kw_only=True, slots=True)
class Started:
    """A plugin after its hooks were called."""

    info: PluginInfo
    notifiers: tuple[Notifier, ...] = ()
    analysers: tuple[Analyser, ...] = ()
    sources: tuple[Source, ...] = ()
    settings: object = None  # its table, None when it has none that it could work with
    problems: tuple[str, ...] = ()  # a line for each setting that was refused
