"""Makes what a far side said fit to be stored and shown: short, one line, without the customer's address."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST = 200  # characters of a far side's text that are kept
_LETTER = r"[^\s<>\"'(),:;]"
_ADDRESS = re.compile(rf"(?<!{_LETTER}){_LETTER}+@{_LETTER}+")  # looked for at the beginnings of words only


def presentable(text: str, private: Iterable[str] = ()) -> str:
    """Return `text` as one short printable line without e-mail addresses and the words in `private`."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    for word in private:
        # Whole words only, so that the mailbox "a" does not blot out every letter a.
        line = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", "(private)", line, flags=re.IGNORECASE)
    line = _ADDRESS.sub("(private)", line)
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
