"""What analysers said of a rating, for people to read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def short(analysis: Mapping[str, object]) -> str:
    """Return one line, "keyword_tags: delivery, fit; language: de"."""
    return "; ".join(f"{name}: {said}" for name, said in by_analyser(analysis))


def by_analyser(analysis: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield (analyser, what it said); who found nothing is left out."""
    for name, facts in analysis.items():
        said = _said(facts) if isinstance(facts, Mapping) else _value(facts)
        if said:
            yield name, said


def _said(facts: Mapping[str, object]) -> str:
    """Return "tone glad, score 0.6"; a single fact stands without its name, a flag without its value."""
    if facts.keys() == {"failed"}:
        return f"failed ({_value(facts['failed'])})"
    parts = []
    for name, value in facts.items():
        if value is True:
            parts.append(name)
        elif value is False:
            parts.append(f"not {name}")
        elif text := _value(value):
            parts.append(text if len(facts) == 1 else f"{name} {text}")
    return ", ".join(parts)


def _value(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(_value, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
