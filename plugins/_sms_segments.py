"""How many segments a text message is sent and paid as (3GPP TS 23.038, 23.040)."""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")  # an escape and a letter: two units


class Segments(NamedTuple):
    """The size of a text message."""

    encoding: Literal["GSM-7", "UCS-2"]
    units: int  # 7-bit letters or 16-bit words
    parts: int  # segments


def segments(text: str) -> Segments:
    """Return how `text` is sent: 160 GSM-7 or 70 UCS-2 units in one segment, 153 or 67 in each of several.

    Several carry a header that puts them together again. A letter of two units is never torn apart.
    """
    letters = set(text)
    if letters <= _BASIC:
        return _fill("GSM-7", repeat(1, len(text)), single=160, part=153)
    if letters <= _BASIC | _EXTENSION:
        return _fill("GSM-7", (2 if letter in _EXTENSION else 1 for letter in text), single=160, part=153)
    return _fill("UCS-2", (2 if letter > "\uffff" else 1 for letter in text), single=70, part=67)


def _fill(encoding: Literal["GSM-7", "UCS-2"], sizes: Iterable[int], *, single: int, part: int) -> Segments:
    units = parts = room = 0
    for size in sizes:
        units += size
        if size > room:
            parts += 1
            room = part
        room -= size
    return Segments(encoding, units, 1 if units <= single else parts)
