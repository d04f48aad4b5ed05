"""Text with `{names}` in it, filled in once: what a value holds is never taken for a name or for syntax."""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

_NAME = re.compile(r"\{([a-z]+)\}")


def names_in(template: str) -> set[str]:
    """Return the names that stand in it."""
    return set(_NAME.findall(template))


def check_names(template: str, known: Collection[str]) -> None:
    """Raise ValueError where a name is not known."""
    if unknown := names_in(template) - set(known):
        there = ", ".join(f"{{{name}}}" for name in known)
        raise ValueError(f"there is no {{{min(unknown)}}} here; there are {there}")


def fill(template: str, values: Mapping[str, str], escape: Callable[[str], str]) -> str:
    """Return the text with each name replaced by its value, escaped."""
    return _NAME.sub(lambda found: escape(values[found[1]]), template)


def fill_json(template: Json, values: Mapping[str, str]) -> Json:
    """Return the JSON value with the names in its texts replaced; a value stays inside of its text."""
    if isinstance(template, dict):
        return {key: fill_json(inner, values) for key, inner in template.items()}
    if isinstance(template, list):
        return [fill_json(inner, values) for inner in template]
    return fill(template, values, as_it_is) if isinstance(template, str) else template


def texts_in(template: Json | dict[str, str]) -> str:
    """Return all the texts in a JSON value, one after the other."""
    if isinstance(template, dict):
        return "".join(map(texts_in, template.values()))
    if isinstance(template, list):
        return "".join(map(texts_in, template))
    return template if isinstance(template, str) else ""


def as_it_is(value: str) -> str:
    """Escape nothing."""
    return value


def in_url(value: str) -> str:
    """Escape for a path or a query."""
    return quote(value, safe="")


def escape_for(content_type: str) -> Callable[[str], str] | None:
    """Return how values are escaped in a body of this type, None for a type that is not known."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        return lambda value: json.dumps(value, ensure_ascii=False)[1:-1]
    if kind in ("application/xml", "text/xml") or kind.endswith("+xml"):
        return html.escape  # the five signs are the same
    known: dict[str, Callable[[str], str]] = {
        "application/x-www-form-urlencoded": quote_plus,
        "text/plain": as_it_is,
    }
    return known.get(kind)
