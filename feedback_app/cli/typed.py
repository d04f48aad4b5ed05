"""What people type to name a row: numbers and names, refused where they cannot be one."""

from __future__ import annotations

from typing import Any

import click

_HIGHEST = 2**63 - 1  # the ledger's numbers have eight bytes


class RowNumber(click.ParamType[int]):
    """The ledger's number of something, such as 17."""

    name = "number"

    def __init__(self, what: str, found_by: str) -> None:
        """`found_by` is the command that lists them."""
        self._what = what
        self._found_by = found_by

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number, or refuse what cannot be one."""
        number = number_in(str(value))
        if number is None:
            self.fail(
                f"{str(value)[:40]!r} is no number of a {self._what}; `{self._found_by}` shows them",
                param,
                ctx,
            )
        return number


class Name(click.ParamType[str]):
    """A text that the ledger could hold; an argument may be any bytes."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text, or refuse bytes that are none."""
        text = str(value)
        try:
            text.encode()
        except UnicodeEncodeError:
            self.fail(f"{text[:40]!r} is not UTF-8", param, ctx)
        return text


NAME = Name()


def number_in(text: str) -> int | None:
    """Return the number that a person typed, None when it cannot be one of the ledger's."""
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(_HIGHEST))):
        return None
    return number if 0 < (number := int(text)) <= _HIGHEST else None


def plain(rating: float) -> float:
    """Return a rating as people write it: 2 for 2.0, 2.5 as it is."""
    return int(rating) if rating.is_integer() else rating
