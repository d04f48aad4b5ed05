"""Arrays in PostgreSQL's own text form: the driver would look at each value on its own, in Python.

See "Array Input and Output Syntax" in PostgreSQL's manual.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Stands between texts while all of them are escaped at once; PostgreSQL's texts cannot hold it.
_BETWEEN = "\0"


def array(kind: str, values: Sequence[Any]) -> str:
    """Return the array of a column's values, None being NULL; `kind` is the type's name. Raises ValueError."""
    if not values:
        return "{}"
    return _FORMS.get(kind, _plain)(values)


def _plain(values: Sequence[Any]) -> str:
    if None in values:
        return f"{{{','.join('NULL' if one is None else str(one) for one in values)}}}"
    return f"{{{','.join(map(str, values))}}}"


def _texts(values: Sequence[str | None]) -> str:
    if None in values:
        return f"{{{','.join('NULL' if one is None else _quoted(one) for one in values)}}}"
    joined = _BETWEEN.join(values)  # type: ignore[arg-type]
    if joined.count(_BETWEEN) != len(values) - 1:
        raise ValueError("a text holds a NUL character, which PostgreSQL does not take")
    escaped = joined.replace("\\", "\\\\").replace('"', '\\"').replace(_BETWEEN, '","')
    return f'{{"{escaped}"}}'


def _quoted(text: str) -> str:
    if _BETWEEN in text:
        raise ValueError("a text holds a NUL character, which PostgreSQL does not take")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _bytes(values: Sequence[bytes | None]) -> str:
    return f"{{{','.join('NULL' if one is None else _hex(one) for one in values)}}}"


def _hex(data: bytes) -> str:
    return f'"\\\\x{data.hex()}"'


_FORMS: dict[str, Callable[[Sequence[Any]], str]] = {"text": _texts, "bytea": _bytes}
