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
    if not text.isprintable():
        text = "".join(char if char.isprintable() else " " for char in text)
    line = " ".join(text.split())
    for word in private:
        if _may_hold(line, word):
            # Whole words only, so that the mailbox "a" does not blot out every letter a.
            line = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", "(private)", line, flags=re.IGNORECASE)
    if "@" in line:
        line = _ADDRESS.sub("(private)", line)
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def _may_hold(line: str, word: str) -> bool:
    """Say at little cost when the word is surely not there: a pattern for each customer takes 30 µs to compile."""
    if line.isascii() and word.isascii():
        return word.lower() in line.lower()
    return True  # beyond ASCII, re.IGNORECASE takes more letters for the same than `lower` does
