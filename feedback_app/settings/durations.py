"""Lengths of time as people write them: "500ms", "30s", "1.5h", "1h30m"; in the program float seconds."""

from __future__ import annotations

import re

LONGEST = 366 * 86_400.0  # seconds; what is configured in years is a slip of the pen

_MILLISECONDS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_NUMBER = r"([0-9]{1,12}(?:\.[0-9]{1,6})?)"
_WRITTEN = re.compile("".join(f"(?:{_NUMBER}{unit})?" for unit in _MILLISECONDS))


def parse_duration(text: object, longest: float = LONGEST) -> float:
    """Return the seconds that `text` stands for, at most `longest`, whole days.

    A bare number is refused, because it could mean milliseconds, seconds or minutes. Raises ValueError.
    """
    found = _WRITTEN.fullmatch(text) if isinstance(text, str) and text else None
    if found is None:
        is_bare = re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", str(text))
        wanted = f'"{text}s"' if is_bare else '"500ms", "30s", "5m" or "1h30m"'
        raise ValueError(f"must be a duration with its unit, such as {wanted}")
    sizes = _MILLISECONDS.values()
    seconds = sum(float(part) * size for part, size in zip(found.groups(), sizes, strict=True) if part) / 1000
    if seconds > longest:
        raise ValueError(f"must be at most {longest / 86_400:g}d")
    return seconds


def format_duration(seconds: float) -> str:
    """Write `seconds`, to the millisecond, in the form that `parse_duration` reads."""
    rest, parts = round(seconds * 1000), []
    for unit, size in _MILLISECONDS.items():
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
