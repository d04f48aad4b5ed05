"""Writes the configuration in force as TOML, each value with its origin."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from feedback_app.settings.layers import Origins, Place


def render(tables: Mapping[str, Any], origins: Origins, at: Place = ()) -> Iterator[str]:
    """Yield the lines of `Settings.redacted()`; values without an origin are the defaults."""
    inner = {key: value for key, value in tables.items() if isinstance(value, Mapping)}
    if at and (len(inner) < len(tables) or len(at) > 1):  # no headline for what only holds tables
        yield f"[{'.'.join(map(_key, at))}]"
    for key, value in tables.items():
        if key not in inner:
            origin = origins.get((*at, key))
            yield f"{_key(key)} = {_value(value)}  # {origin.name if origin else 'default'}"
    for key, table in inner.items():
        yield from render(table, origins, (*at, key))


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _text(key)


def _value(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{_key(key)} = {_value(inner)}' for key, inner in value.items())} }}"
    return str(value).lower()  # true, false and numbers


def _text(text: str) -> str:
    """JSON's strings are TOML's, but for the one control character that JSON lets stand."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
