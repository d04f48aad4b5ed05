"""Customers' words, made fit to stand in a report that operators trust."""

from __future__ import annotations

import unicodedata

# Joiners and soft hyphens stand in honest text (emoji, Persian, pasted words); it can do without them.
_LEFT_OUT = dict.fromkeys(map(ord, "\u200c\u200d\u00ad"))
_CONTROLS = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def plain(text: str) -> str:
    """Return `text` as one line in which everything that is there can be seen.

    White space becomes single spaces, so that a comment cannot write lines of its own into the report.
    Control, zero-width and direction characters, with which one word can pose as another, show as [U+202E].
    """
    line = " ".join(text.translate(_LEFT_OUT).split())
    if line.isprintable():
        return line
    return "".join(f"[U+{ord(c):04X}]" if unicodedata.category(c) in _CONTROLS else c for c in line)


def shorten(text: str, limit: int) -> str:
    """Return at most `limit` characters of one line, cut between words where that loses little."""
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    head, space, _ = cut.rpartition(" ")
    return f"{head if space and len(head) > limit // 2 else cut}…"
