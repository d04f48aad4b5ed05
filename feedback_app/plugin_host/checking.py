"""Judges what hooks hand back, so that a mistake shows at start and not with the first message."""

from __future__ import annotations

import inspect
import itertools
import math
import re
from collections.abc import Mapping

from feedback_app.contracts import Analyser, Notifier, Source
from feedback_app.plugin_host.blame import MisfitError

_LONGEST = 60  # characters of a value that are shown
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")


def notifiers_of(results: list[object]) -> tuple[Notifier, ...]:
    """Return the notifiers that `make_notifier` gave. Raises MisfitError."""
    lists = (result if isinstance(result, list | tuple) else [result] for result in results)
    notifiers = [_notifier(entry) for entry in itertools.chain.from_iterable(lists)]
    channels = [notifier.channel for notifier in notifiers]
    for channel in channels:
        if channels.count(channel) > 1:
            raise MisfitError(f"make_notifier returned two notifiers for the channel '{channel}'")
    return tuple(notifiers)


def analysers_of(results: list[object]) -> tuple[Analyser, ...]:
    """Return the analysers that `make_analyser` gave. Raises MisfitError."""
    return tuple(_analyser(result) for result in results)


def sources_of(results: list[object]) -> tuple[Source, ...]:
    """Return the sources that `make_source` gave. Raises MisfitError."""
    lists = (result if isinstance(result, list | tuple) else [result] for result in results)
    sources = tuple(_source(entry) for entry in itertools.chain.from_iterable(lists))
    names = [source.name for source in sources]
    for name in names:
        if names.count(name) > 1:
            raise MisfitError(f"make_source returned two sources with the name '{name}'")
    return sources


def _notifier(entry: object) -> Notifier:
    if not isinstance(entry, Notifier):
        raise MisfitError(f"make_notifier returned {_kind(entry)}; want a Notifier, a list of them, or None")
    name = type(entry).__name__
    _must_be_named(getattr(entry, "channel", None), f"{name}.channel")
    for method in ("send", "check", "open", "close"):
        _must_be_async(entry, method)
    if inspect.iscoroutinefunction(entry.address):
        raise MisfitError(f"{name}.address must be a plain function: def address(self, customer)")
    if entry.on_unknown not in ("resend", "hold"):
        raise MisfitError(f"{name}.on_unknown must be 'resend' or 'hold', not {_shown(entry.on_unknown)}")
    _must_be_seconds(entry.timeout, f"{name}.timeout")
    return entry


def _analyser(entry: object) -> Analyser:
    if not isinstance(entry, Analyser):
        raise MisfitError(f"make_analyser returned {_kind(entry)}; want an Analyser or None")
    _must_be_named(getattr(entry, "name", None), f"{type(entry).__name__}.name")
    _must_be_async(entry, "analyse")
    _must_be_seconds(entry.timeout, f"{type(entry).__name__}.timeout")
    return entry


def _source(entry: object) -> Source:
    if not isinstance(entry, Source):
        raise MisfitError(f"make_source returned {_kind(entry)}; want a Source, a list of them, or None")
    name = type(entry).__name__
    _must_be_named(getattr(entry, "name", None), f"{name}.name")
    for method in ("check", "open", "receive", "acknowledge", "lag", "close"):
        _must_be_async(entry, method)
    for what in ("map", "set"):
        _must_be_texts(getattr(entry, what), f"{name}.{what}")
    return entry


def _must_be_texts(value: object, what: str) -> None:
    if not isinstance(value, Mapping) or not all(
        isinstance(one, str) for pair in value.items() for one in pair
    ):
        raise MisfitError(f"{what} must map names of fields to texts, not {_shown(value)}")


def _must_be_named(name: object, what: str) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        got = "missing" if name is None else f"{_shown(name)}"
        raise MisfitError(f"{what} is {got}; it must be a small letter, then small letters, digits, _ or -")


def _must_be_async(entry: object, method: str) -> None:
    if not inspect.iscoroutinefunction(getattr(entry, method)):
        raise MisfitError(
            f"{type(entry).__name__}.{method} must be a coroutine function: async def {method}(self, …)"
        )


def _must_be_seconds(value: object, what: str) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 < value < math.inf:  # type: ignore[operator]
        raise MisfitError(f"{what} must be a number of seconds above 0, not {_shown(value)}")


def _kind(value: object) -> str:
    if isinstance(value, type):
        return f"the class {value.__name__} and not an instance of it"
    if inspect.iscoroutine(value):
        value.close()  # else Python warns later, and nobody knows of what
    return type(value).__name__


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
