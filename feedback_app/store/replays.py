"""Ratings of some time past with all that became of them, and what may still be changed of that."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from feedback_app.model import Customer, Ended, Feedback, Milliseconds
from feedback_app.store import customers
from feedback_app.store.bulk import insert_rows
from feedback_app.store.outbox import enqueue
from feedback_app.store.retention.kind import deleted_before
from feedback_app.store.sql import POSTGRESQL, Members, Rows, Statement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from feedback_app.model import Message

# Over `received_at + 0` there is no index: numbers grow with the times of arrival, a walk by number meets few others.
_BOUNDS = Statement("SELECT min(id), max(id) FROM feedback WHERE received_at >= ? AND received_at < ?")
_PAGE = Statement(
    """SELECT f.id, f.source, f.external_id, f.customer_id, f.item, f.rating, f.comment, f.given_at, f.received_at,
       f.thank, f.state, f.ended, f.analysis, l.id IS NOT NULL,
       m.id, m.channel, m.recipient, m.subject, m.text,
       c.id, c.name, c.email, c.phone, c.preferred_channels, c.addresses, c.locale, c.timezone, c.opted_out_at
  FROM feedback AS f
  LEFT JOIN customer AS c ON c.id = f.customer_id
  LEFT JOIN low_rating AS l ON l.feedback_id = f.id
  LEFT JOIN message AS m ON m.dedupe_key = 'thanks:' || CAST(f.id AS TEXT)
 WHERE f.id > ? AND f.id <= ? AND f.received_at + 0 >= ? AND f.received_at + 0 < ?
   AND (CAST(? AS TEXT) IS NULL OR f.source = ?)
 ORDER BY f.id LIMIT ?"""
)
_STILL = Statement(
    "SELECT id FROM feedback WHERE state = 'processed' AND id IN ({bigints}) {locked}",
    only={"locked": {POSTGRESQL: "FOR UPDATE"}},  # lest retention deletes one before its message is added
)
_UPDATE = Statement(
    "UPDATE feedback SET ended = told.ended, analysis = told.analysis FROM {rows} AS told"
    " WHERE feedback.id = told.number",
    columns={"number": "bigint", "ended": "text", "analysis": "text"},
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Period:
    """Which ratings are asked for."""

    since: Milliseconds  # they arrived then or later
    until: Milliseconds  # and before this moment
    source: str | None = None  # None: of whatever source


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """What of a thank-you, sent or still to be sent, tells it from another."""

    channel: str
    recipient: str
    subject: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """A rating with its customer as both are now, and what became of it."""

    feedback: Feedback
    customer: Customer | None
    state: str  # received, processed, dead
    ended: str | None
    analysis: Mapping[str, Any]  # by analyser
    is_kept: bool  # whether it is a low rating to follow up
    message: Sent | None  # the one thank-you or apology that there ever is
    is_old: bool  # a message or a case that it had may be deleted


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What is to be made true of one processed rating."""

    number: int
    ended: Ended
    analysis: Mapping[str, Any]
    keep_low: bool  # a case is to be added
    message: Message | None  # a message is to be added


def bounds(connection: Connection, period: Period) -> tuple[int, int] | None:
    """Return the lowest and highest number of what arrived in the period, of any source; None for nothing."""
    lowest, highest = _BOUNDS(connection, period.since, period.until).one()
    return None if lowest is None else (int(lowest), int(highest))


def page(connection: Connection, *, period: Period, after: int, last: int, limit: int) -> list[Told]:
    """Return the next ratings by number, those behind `after` up to `last`."""
    source, before = period.source, deleted_before(connection)
    found = _PAGE(connection, after, last, period.since, period.until, source, source, limit)
    return [_told(row, before) for row in found]


def _told(row: Sequence[Any], before: Milliseconds) -> Told:
    (number, source, external_id, customer, item, rating, comment, given_at, received_at, thank, state, ended,
     analysis, is_kept, message, channel, recipient, subject, text, *known) = row  # fmt: skip
    return Told(
        feedback=Feedback(
            number=number,
            source=source,
            id=external_id,
            customer=customer,
            item=item,
            rating=rating,
            comment=comment,
            given_at=given_at,
            received_at=received_at,
            thank=bool(thank),
        ),
        customer=customers.from_columns(*known) if known[0] is not None else None,
        state=state,
        ended=ended,
        analysis=json.loads(analysis) if analysis else {},
        is_kept=bool(is_kept),
        message=None
        if message is None
        else Sent(channel=channel, recipient=recipient, subject=subject, text=text),
        is_old=received_at < before,
    )


def apply(connection: Connection, changes: Sequence[Change], now: Milliseconds) -> tuple[int, int]:
    """Make changes true; returns how many cases and messages were added.

    Nobody is thanked twice, whoever else was at work since the rating was read, and one that is gone stays so.
    """
    still = set(_STILL(connection, Members(one.number for one in changes)).scalars())
    changes = [one for one in changes if one.number in still]
    _UPDATE(
        connection,
        Rows(
            [(one.number, one.ended, json.dumps(one.analysis) if one.analysis else None) for one in changes]
        ),
    )
    cases = insert_rows(
        connection,
        "low_rating",
        ("feedback_id", "state", "stored_at"),
        [(one.number, "open", now) for one in changes if one.keep_low],
        tail="ON CONFLICT (feedback_id) DO NOTHING",
    )
    thanks = [(f"thanks:{one.number}", one.message) for one in changes if one.message is not None]
    return cases, enqueue(connection, thanks, now)
