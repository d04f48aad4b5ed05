"""Settings come in layers, each over the one before; of every value it is known where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

_DEEPEST = 20  # tables and lists in each other; more is no configuration

Place: TypeAlias = tuple[str, ...]  # such as ("delivery", "workers")


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Where a value was written."""

    name: str  # the file as the user called it, or the environment variable
    variable: bool = False


Origins: TypeAlias = Mapping[Place, Origin]


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """What one file or one environment variable says."""

    origin: Origin
    tables: Mapping[str, Any]


def is_too_deep(tables: Mapping[str, Any]) -> bool:
    """Tell whether walking the tables would recurse further than is good."""
    level: list[Any] = [tables]
    for _ in range(_DEEPEST):
        holders = [value.values() if isinstance(value, Mapping) else value for value in level]
        level = [inner for holder in holders for inner in holder if isinstance(inner, Mapping | list)]
    return bool(level)


def merge(layers: list[Layer]) -> tuple[dict[str, Any], dict[Place, Origin]]:
    """Lay later layers over earlier ones, tables key by key, and note where each key was last written."""
    tables: dict[str, Any] = {}
    origins: dict[Place, Origin] = {}
    for layer in layers:
        _lay_over(tables, layer.tables, (), layer.origin, origins)
    return tables, origins


def _lay_over(
    below: dict[str, Any], above: Mapping[str, Any], at: Place, origin: Origin, origins: dict[Place, Origin]
) -> None:
    for written, value in above.items():
        key = _spelling(written, below) if origin.variable else written
        table = below.get(key)
        is_shared = isinstance(value, Mapping) and isinstance(table, dict)
        if not (is_shared and origin.variable):  # what a table lacks is looked for in its file
            origins[*at, key] = origin
        if isinstance(value, Mapping):
            below[key] = table if is_shared else {}
            _lay_over(below[key], value, (*at, key), origin, origins)
        else:
            below[key] = value


def _spelling(key: str, known: Mapping[str, Any]) -> str:
    """Names of variables cannot hold a hyphen: WEEKLY_TEAM is also the report "weekly-team" of the file."""
    return next((name for name in known if name.replace("-", "_") == key), key)
