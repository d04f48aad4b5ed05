"""What is left of a faulty configuration, so that a check can go on and find the other faults too."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from feedback_app.settings.schema import Tables

if TYPE_CHECKING:
    from collections.abc import Mapping


def salvaged(tables: Mapping[str, Any]) -> Tables:
    """Return the settings with defaults where `tables` are faulty."""
    left = copy.deepcopy(dict(tables))
    while True:
        try:
            return Tables.model_validate(left)
        except ValidationError as error:
            for details in error.errors(include_url=False, include_context=False):
                _remove(left, details["loc"])


def _remove(tables: dict[Any, Any], loc: tuple[int | str, ...]) -> None:
    """Take the key at `loc` out, or else the nearest table around it that is written down.

    A fault need not stand where it shows: `minimum = 10` is too high for the maximum that is not given.
    """
    holder, last = tables, loc[0]
    for key in loc[1:]:
        inner = holder.get(last)
        if not isinstance(inner, dict) or key not in inner:
            break
        holder, last = inner, key
    holder.pop(last, None)
