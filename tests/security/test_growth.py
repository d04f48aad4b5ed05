"""No crafted text costs more than its length is worth (S20): what reads texts takes linear time."""

from __future__ import annotations

import asyncio
import contextlib
import io
import time
from collections.abc import Callable, Mapping

import pytest

from feedback_app.intake import contact, fields
from feedback_app.intake.json_records import parse_object
from feedback_app.intake.ratings import RATINGS
from feedback_app.intake.reader import open_records
from feedback_app.intake.records import ReadOptions
from feedback_app.intake.scale import Scale
from feedback_app.intake.shown import shown
from feedback_app.model import Feedback
from feedback_app.plugins import keyword_tags
from feedback_app.plugins._mail_headers import (
    mailbox_value,
    one_line,
    parse_mailbox,
    plain_address,
    subject_value,
)
from feedback_app.plugins._redaction import presentable
from feedback_app.report.export import harmless
from feedback_app.report.plain import plain, shorten
from feedback_app.settings.durations import parse_duration
from feedback_app.settings.redaction import redact_url

SIZES = (1_000, 10_000, 100_000, 1_000_000)  # characters
LINEAR = 10.0
SLACK = 3.5  # noise, caches that no longer hold the text; a square would give ten times the linear figure
TOO_SHORT = 0.004  # seconds that are too little to be compared
LONG_ENOUGH = 0.004  # seconds that show how the time grows: a square would have been found

TAGS = keyword_tags.KeywordTags({"late": ["late", "never arrived", "a a a b"]})


def _tags(text: str) -> None:
    asyncio.run(TAGS.analyse(Feedback(rating=1, comment=text)))


def _csv(text: str) -> None:
    stream = io.BytesIO(f"rating,comment\n5,{text}\n".encode("utf-8", "replace"))
    for _ in open_records(stream, name="r.csv", options=ReadOptions(), wanted=RATINGS).rows():
        pass


def _jsonl(text: str) -> None:
    parse_object(f'{{"rating": 5, "comment": {text}}}')


READERS: Mapping[str, Callable[[str], object]] = {
    "email": contact.email,
    "phone": contact.phone,
    "locale": contact.locale,
    "timezone": contact.timezone,
    "preferred_channel": contact.preferred_channels,
    "name": contact.name,
    "id": lambda text: fields.identifier("id", text),
    "item": fields.item,
    "comment": fields.comment,
    "given_at": lambda text: fields.given_at(text, now=0),
    "rating": lambda text: Scale().parse(text),
    "scale": Scale.from_text,
    "CSV": _csv,
    "JSON": _jsonl,
    "shown": shown,
    "duration": parse_duration,
    "keyword_tags": _tags,
    "header": one_line,
    "subject": subject_value,
    "mailbox": lambda text: mailbox_value(text, "a@b"),
    "plain address": plain_address,
    "sender": parse_mailbox,
    "far side's words": lambda text: presentable(text, ("anna@example.com", "anna")),
    "secrets in URLs": redact_url,
    "report": lambda text: shorten(plain(text), 300),
    "export": harmless,
}
PIECES = (
    *("a", "0", ".", "@", "-", " ", "\n", '"', "'", "\\", "=", ";", "[", "\t", "é", "\u202e", "\ud800"),
    *(
        "a@",
        "a.",
        "a-",
        "-.",
        "@a.",
        "=?",
        "x://:",
        "?key=",
        "&a=",
        "1d",
        "1.",
        "+1",
        "00",
        "a ",
        " ;",
        '""',
        '"a',
        '",',
    ),
    *("\r\n", "<a", "a>", "::", "{}", "\u3000", "\u200c", "à"),
)


@pytest.mark.parametrize("reader", READERS)
def test_time_grows_with_the_length(reader: str) -> None:
    """From a thousand characters to a million, whatever they are."""
    read = READERS[reader]
    slow = [piece for piece in PIECES if not _is_linear(read, piece)]

    assert slow == []


def _is_linear(read: Callable[[str], object], piece: str) -> bool:
    """Go up in steps, so that a square is found before it takes hours."""
    before = _seconds(read, piece, SIZES[0])
    for size in SIZES[1:]:
        after = _seconds(read, piece, size)
        if after > LINEAR * SLACK * max(before, TOO_SHORT / LINEAR):
            return _seconds(read, piece, size) <= LINEAR * SLACK * _seconds(read, piece, size // 10)
        if after > LONG_ENOUGH:
            break  # what ten times the length costs would tell nothing new
        before = after
    return True


def _seconds(read: Callable[[str], object], piece: str, size: int) -> float:
    text = "a" + piece * (size // len(piece)) + "!"
    begun = time.thread_time()
    with contextlib.suppress(ValueError):
        read(text)
    return time.thread_time() - begun
