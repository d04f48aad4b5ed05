"""What the values of a rating may be, one function a field: a value as it came → as it is kept.

Values come as text (CSV, command line) or as JSON values. Each function raises ValueError with a sentence
that begins with the field's name. Blank values and null are None: unknown.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from feedback_app.intake.shown import INT_BITS, shown

if TYPE_CHECKING:
    from feedback_app.model import Milliseconds

ID_LIMIT = 200  # characters of an id, a rating's or a customer's
ITEM_LIMIT = 500
COMMENT_LIMIT = 100_000

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_DAY: Milliseconds = 86_400_000
_EARLIEST_SECOND = 100_000_000  # 1973; a smaller number is more likely a year or a date such as 20260131
_DATE_LIMIT = 40  # characters


def identifier(field: str, value: object) -> str | None:
    """Return an id on one line, without the blanks around it."""
    text = (value if type(value) is str else scalar(field, value)).strip()
    if not text:
        return None
    if len(text) > ID_LIMIT:
        raise ValueError(f"{field} must be at most {ID_LIMIT} characters, got {len(text)}")
    if not text.isprintable():
        refuse_controls(field, text)
    return text


def item(value: object) -> str | None:
    """Return what was rated, without the blanks around it."""
    text = (value if type(value) is str else scalar("item", value)).strip()
    if len(text) > ITEM_LIMIT:
        raise ValueError(f"item must be at most {ITEM_LIMIT} characters, got {len(text)}")
    if not text.isprintable():
        refuse_unstorable("item", text)
    return text or None


def comment(value: object) -> str:
    """Return the customer's words, verbatim; "" when there are none."""
    text = value if type(value) is str else scalar("comment", value)
    if len(text) > COMMENT_LIMIT:
        raise ValueError(f"comment must be at most {COMMENT_LIMIT:,} characters, got {len(text):,}")
    if not text.isascii() or "\0" in text:
        refuse_unstorable("comment", text)
    return text


def given_at(value: object, *, now: Milliseconds) -> Milliseconds | None:
    """Return the moment of an ISO 8601 text (without a zone it is UTC) or of epoch seconds.

    `now` is the present; a moment more than a day ahead of it is refused, and so is one before 1900.
    """
    text = (value if type(value) is str else scalar("given_at", value)).strip()
    if not text:
        return None
    moment = _epoch_seconds(text) if _NUMBER.fullmatch(text) else _iso(text)
    if moment > now + _DAY:
        raise ValueError(f"given_at lies in the future: {shown(text)}")
    return moment


def scalar(field: str, value: object) -> str:
    """Return a JSON value as text: "" for null, numbers by their digits, never true or something nested."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    short = isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= INT_BITS
    if short or (isinstance(value, float) and math.isfinite(value)):
        return repr(value)
    raise ValueError(f"{field} must be text, got {shown(value)}")


def refuse_controls(field: str, text: str) -> None:
    """Raise ValueError when `text` holds a line break, another control character, or half a character."""
    refuse_unstorable(field, text)
    if _CONTROL.search(text):
        raise ValueError(f"{field} must be one line without control characters")


def _epoch_seconds(text: str) -> Milliseconds:
    seconds = float(text) if len(text) <= _DATE_LIMIT else 0.0
    if seconds < _EARLIEST_SECOND:
        raise ValueError(
            f"given_at {shown(text)} is no moment: write 2026-01-31 or epoch seconds from 1973 on"
        )
    if seconds >= _EARLIEST_SECOND * 1000:
        raise ValueError(
            f"given_at {shown(text)} is no moment: epoch seconds are wanted, these look like milliseconds"
        )
    return round(seconds * 1000)


def _iso(text: str) -> Milliseconds:
    detail = ""
    try:
        moment = datetime.fromisoformat(text[: _DATE_LIMIT + 1])
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        if moment >= _EARLIEST:
            return (moment - _EPOCH) // _MILLISECOND
        detail = " (before 1900)"
    except ValueError as problem:
        if not str(problem).startswith("Invalid isoformat"):
            detail = f" ({problem})"  # such as: day is out of range for month
    wanted = "ISO 8601 such as 2026-01-31T14:30:00+01:00, or epoch seconds"
    raise ValueError(f"given_at must be {wanted}, got {shown(text)}{detail}")


def refuse_unstorable(field: str, text: str) -> None:
    """Raise ValueError for text that one of the databases cannot hold."""
    if "\0" in text:
        raise ValueError(f"{field} holds a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError as problem:
        code = ord(text[problem.start])
        raise ValueError(f"{field} holds half a character (\\u{code:04x}, a lone surrogate)") from None
