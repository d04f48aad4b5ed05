"""Makes what a far side said fit to be stored and shown: short, one line, without the customer's address."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST = 200  # characters of a far side's text that are kept
_SURE_LENGTH = 7  # characters; what is longer is nobody's word by chance
_LETTER = r"[^\s<>\"'(),:;]"
_ADDRESS = re.compile(rf"(?<!{_LETTER}){_LETTER}+@{_LETTER}+")  # looked for at the beginnings of words only


def presentable(text: str, private: Iterable[str] = ()) -> str:
    """Return `text` as one short printable line without e-mail addresses and the words in `private`."""
    if not text.isprintable():
        text = "".join(char if char.isprintable() else " " for char in text)
    line = " ".join(text.split())
    for word in private:
        line = _without(line, word)
    if "@" in line:
        line = _ADDRESS.sub("(private)", line)
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def piece_of(body: bytes, private: Iterable[str | None]) -> str:
    """Return the beginning of an answer as `presentable` does, without what it repeats of the request.

    `private` is what was in the request, secrets, address and texts, as it was before it was put into JSON or a URL.
    """
    text = body.decode("utf-8", "replace")
    for value in sorted({value for value in private if value}, key=len, reverse=True):
        for form in _forms(value):
            text = text.replace(form, "(private)") if len(form) > _SURE_LENGTH else _without(text, form)
    return presentable(text)


def _forms(value: str) -> set[str]:
    whole = value.encode("utf-8", "replace")  # half of a letter beyond 16 bits is no text anywhere else
    in_json = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    return {value, *in_json, quote(whole, safe=""), quote_plus(whole)}


def _without(line: str, word: str) -> str:
    if not _may_hold(line, word):
        return line
    # Whole words only, so that the mailbox "a" does not blot out every letter a.
    return re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", "(private)", line, flags=re.IGNORECASE)


def _may_hold(line: str, word: str) -> bool:
    """Say at little cost when the word is surely not there: a pattern for each customer takes 30 µs to compile."""
    if line.isascii() and word.isascii():
        return word.lower() in line.lower()
    return True  # beyond ASCII, re.IGNORECASE takes more letters for the same than `lower` does
