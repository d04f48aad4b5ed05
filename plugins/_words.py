"""The words of a comment, as the analysers look them up."""

from __future__ import annotations

import re
import unicodedata

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
LONGEST = 20_000  # characters that are read, a few milliseconds; other ratings wait meanwhile


def words(text: str) -> list[str]:
    """Return the words in one spelling: "Don’t go, SPÄT!" is ["don't", "go", "spät"], however the ä was typed."""
    plain = unicodedata.normalize("NFC", text[:LONGEST]).casefold().replace("’", "'")
    return _WORD.findall(plain)
