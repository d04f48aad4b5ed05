"""What a far side said is shown short, in one line, and without the customer in it."""

from __future__ import annotations

import pytest

from feedback_app.plugins._redaction import presentable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5.1.1 <Anna@Example.com>: unknown", "5.1.1 <(private)>: unknown"),
        ("no mailbox anna here, see postmaster@example.com", "no mailbox (private) here, see (private)"),
        ("joanna is somebody else", "joanna is somebody else"),
        ("no mailbox ANNA here", "no mailbox (private) here"),
        ("kein Postfach für Anna", "kein Postfach für (private)"),
        ("two\r\nlines\tand \x1b[31mcolour \udce9", "two lines and [31mcolour"),
        ("x" * 300, "x" * 199 + "…"),
        ("", ""),
    ],
)
def test_replies_are_made_presentable(text: str, expected: str) -> None:
    """Addresses and the words that are private are left out, whole words only, in capitals or not."""
    assert presentable(text, ("anna@example.com", "anna")) == expected
