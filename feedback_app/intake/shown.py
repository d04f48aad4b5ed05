"""How a refused value appears in a message."""

from __future__ import annotations

import math

LONGEST = 40  # characters of a value that a message quotes
INT_BITS = 128  # of a whole number that is written out; repr() itself refuses ints beyond 4,300 digits
_NAMES: dict[type, str] = {dict: "an object", list: "an array", tuple: "an array", type(None): "null"}


def shown(value: object) -> str:
    """Return `value` on one line, as JSON would name it, shortened, control characters escaped."""
    if isinstance(value, str):
        return repr(value if len(value) <= LONGEST else value[:LONGEST] + "…")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() > INT_BITS:
        return "a number of more than 38 digits"
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return _NAMES.get(type(value)) or repr(value)[:LONGEST]
