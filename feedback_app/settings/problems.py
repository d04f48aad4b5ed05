"""Turns pydantic's findings into one line each: where, what, the value, what to do."""

from __future__ import annotations

import difflib
import re
from datetime import date, time
from typing import TYPE_CHECKING, Any, get_args, get_origin

from pydantic import BaseModel

from feedback_app.settings.redaction import is_secret, redact_url
from feedback_app.settings.rules import RuleError

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    from feedback_app.settings.layers import Origin, Origins, Place

_LONGEST = 60  # characters of a value that are shown

_SCALARS = (str, int, float, date, time)  # what can be shown; date includes datetime

_RULES = {  # pydantic's kind of error → the same in the words of a configuration file
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text in quotes",
    "tuple_type": 'must be a list, such as ["a", "b"]',
    "list_type": 'must be a list, such as ["a", "b"]',
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "path_type": "must be a path in quotes",
    "missing": "is required",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
    "literal_error": "must be {expected}",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
}


def problem_lines(
    error: ValidationError, model: type[BaseModel], origins: Origins, at: Place = ()
) -> tuple[str, ...]:
    """Return a line for each thing wrong with the tables that `model` checked.

    A plugin's own model is at `("plugins", NAME)`; what it wants is then said in the same form as all else.
    """
    lines = (_line(details, model, origins, at) for details in error.errors(include_url=False))
    return tuple(dict.fromkeys(lines))


def model_at(model: type[BaseModel], place: Place) -> type[BaseModel] | None:
    """Return the model of the table at this place, or None where there is none."""
    found: Any = model
    for key in place:
        if get_origin(found) is dict:  # `[reports.NAME]`: whatever the name
            found = get_args(found)[1]
        elif isinstance(found, type) and issubclass(found, BaseModel) and key in found.model_fields:
            found = found.model_fields[key].annotation
        else:
            return None
    return found if isinstance(found, type) and issubclass(found, BaseModel) else None


def _line(details: ErrorDetails, model: type[BaseModel], origins: Origins, at: Place) -> str:
    parts = [part for part in details["loc"] if part != "[key]"]
    keys = [str(part) for part in parts if not isinstance(part, int)]
    entry = "".join(f"[{part}]" for part in parts if isinstance(part, int))
    place = (*at, *keys)
    value = details["input"]
    if details["type"] == "extra_forbidden":
        is_table = isinstance(value, dict)
        text = _unknown(keys, model, is_table=is_table, is_top=len(place) == 1)
    else:
        is_table = not keys or len(place) == 1
        text = _sentence(details) + _got(details, place, is_default=place not in origins)
    origin = _origin(place, origins)
    if origin is None:
        return f"{_where(place, is_table=is_table)}{entry}: {text}"
    if origin.variable and place in origins:
        return f"{origin.name}{entry}: {text}"
    return f"{origin.name}: {_where(place, is_table=is_table)}{entry}: {text}"


def _origin(place: Place, origins: Origins) -> Origin | None:
    """Return where the key, or else the nearest table around it, was written."""
    around = (place[:end] for end in range(len(place), 0, -1))
    return next((origins[outer] for outer in around if outer in origins), None)


def _where(place: Place, *, is_table: bool) -> str:
    """Write ("delivery", "workers") as `[delivery] workers`."""
    names = [part if re.fullmatch(r"[A-Za-z0-9_-]{1,60}", part) else _shown(part) for part in place]
    if is_table:
        return f"[{'.'.join(names)}]"
    return f"[{'.'.join(names[:-1])}] {names[-1]}" if names[1:] else names[0]


def _unknown(keys: list[str], model: type[BaseModel], *, is_table: bool, is_top: bool) -> str:
    kind = "table" if is_table else "key"
    if is_top and not is_table:
        return _astray(keys[0], model)
    table = model_at(model, tuple(keys[:-1]))
    allowed = list(table.model_fields) if table else []
    close = difflib.get_close_matches(keys[-1][:_LONGEST], allowed, n=1)
    if close:
        return f"unknown {kind}, did you mean '{close[0]}'?"
    if is_top:
        allowed = [f"[{name}]" for name in allowed]
    return f"unknown {kind}; allowed are {', '.join(allowed)}" if allowed else f"unknown {kind}"


def _astray(key: str, model: type[BaseModel]) -> str:
    """Say where a key belongs that stands before the first table."""
    tables = {name: model_at(model, (name,)) for name in model.model_fields}
    homes = [name for name, table in tables.items() if table and key in table.model_fields]
    if homes:
        return f"stands in no table, it belongs below {' or '.join(f'[{name}]' for name in homes)}"
    return f"unknown key; tables are {', '.join(f'[{name}]' for name in tables)}"


def _sentence(details: ErrorDetails) -> str:
    context = details.get("ctx", {})
    if details["type"] == "value_error":
        return str(context["error"])
    rule = _RULES.get(details["type"])
    if rule is None:
        return details["msg"].replace("Input should", "must", 1)
    return rule.format(**context)


def _got(details: ErrorDetails, place: Place, *, is_default: bool) -> str:
    """Show the value where that helps and may be, and the hint of the rule behind it."""
    refused = details.get("ctx", {}).get("error")
    hint = f"; {refused.hint}" if isinstance(refused, RuleError) and refused.hint else ""
    is_private = isinstance(refused, RuleError) and refused.private
    is_name = place[-1] == details["input"]  # shown already, as part of the place
    is_whole = details["type"] == "value_error" and not isinstance(details["input"], _SCALARS)
    is_absent = details["type"] in ("missing", "too_short", "string_too_short")
    if is_private or is_name or is_whole or is_absent or is_secret(place[-1]):
        return hint
    return f", got {_shown(details['input'])}{' (the default)' if is_default else ''}{hint}"


def _shown(value: object) -> str:
    """Write a value on one line: what is long is cut, what is secret or cannot be printed is not shown."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        text = repr(redact_url(value))
    elif isinstance(value, _SCALARS):
        text = str(value)
    else:
        return "a list" if isinstance(value, list | tuple) else "a table"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
