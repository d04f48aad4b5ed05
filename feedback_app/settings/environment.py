"""Settings from environment variables: FEEDBACK_APP_DELIVERY__WORKERS=8 is `[delivery] workers = 8`.

pydantic-settings has a reader for this, which takes JSON where the file has TOML, reads the process's own
environment only, and passes over names that it does not know.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

from feedback_app.settings.layers import Layer, Origin, is_too_deep
from feedback_app.settings.problems import model_at
from feedback_app.settings.redaction import is_secret
from feedback_app.settings.schema import Tables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from feedback_app.settings.layers import Place

PREFIX = "FEEDBACK_APP_"
_BETWEEN = "__"


def read_environment(environ: Mapping[str, str]) -> tuple[list[Layer], list[str]]:
    """Return what each variable says, and a problem for each that cannot be read.

    Names without a double underscore are not settings.
    """
    layers, problems = [], []
    for variable in sorted(environ):
        if not variable.startswith(PREFIX) or _BETWEEN not in variable:
            continue
        tables = _tables(variable, environ[variable])
        if not _is_text(environ[variable]):
            problems.append(f"{variable}: not UTF-8")
        elif is_too_deep(tables):
            problems.append(f"{variable}: tables or lists are nested too deeply")
        else:
            layers.append(Layer(origin=Origin(name=variable, variable=True), tables=tables))
    return layers, problems


def _tables(variable: str, written: str) -> dict[str, Any]:
    place = tuple(variable.removeprefix(PREFIX).lower().split(_BETWEEN))
    value = _value(place, written)
    for key in reversed(place[1:]):
        value = {key: value}
    return {place[0]: value}


def _is_text(value: str) -> bool:
    """Bytes that are not UTF-8 come from the operating system as lone surrogates."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _value(place: Place, written: str) -> Any:
    """Read the value as TOML where that is possible and wanted, else as the text that it is."""
    if is_secret(place[-1]) or written.startswith("+"):
        return written  # neither a password of digits nor +4915112345678 is a number
    try:
        parsed = tomllib.loads(f"value = {written}")
    except (ValueError, RecursionError):
        return written
    if parsed.keys() != {"value"} or (_is_text_wanted(place) and not isinstance(parsed["value"], str)):
        return written
    return parsed["value"]


def _is_text_wanted(place: Place) -> bool:
    table = model_at(Tables, place[:-1])
    field = table.model_fields.get(place[-1]) if table else None
    return field is not None and field.annotation is str
