"""What people ask about ratings: lists page by page, and the whole story of one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, RowMapping, Select, literal_column, select

from feedback_app.store import ratings
from feedback_app.store.tables import feedback as table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from feedback_app.model import Milliseconds


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredRating:
    """A rating as the ledger has it."""

    id: int  # the ledger's number
    source: str
    external_id: str  # the source's own id
    customer_id: str | None
    item: str | None
    rating: float
    comment: str
    given_at: Milliseconds | None
    received_at: Milliseconds
    thank: bool  # False for history
    state: str  # received, processed, dead
    ended: str | None  # where its road ended, see model.Ended
    analysis: Mapping[str, Any]  # by analyser
    processed_at: Milliseconds | None
    attempts: int  # of the pipeline, failed ones only
    retry_at: Milliseconds | None  # after a failed attempt
    error: str | None  # of the last failed attempt


_COLUMNS = (
    table.c.id, table.c.source, table.c.external_id, table.c.customer_id, table.c.item, table.c.rating,
    table.c.comment, table.c.given_at, table.c.received_at, table.c.thank, table.c.state, table.c.ended,
    table.c.analysis, table.c.processed_at, table.c.attempts, table.c.retry_at, table.c.error,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class RatingFilter:
    """Which ratings are asked for; None means any."""

    state: str | None = None  # one of model.FEEDBACK_STATES
    customer: str | None = None  # the customer's id
    source: str | None = None


def page(
    connection: Connection, *, wanted: RatingFilter, after: int | None, limit: int
) -> Sequence[StoredRating]:
    """Return the next ratings by number, those above `after`."""
    query = select(*_COLUMNS).where(table.c.id > (after or 0)).order_by(table.c.id).limit(limit)
    return [_to_rating(row) for row in connection.execute(_narrowed(query, wanted)).mappings()]


def _narrowed(query: Select[Any], wanted: RatingFilter) -> Select[Any]:
    if wanted.state is not None:
        # A word of our own, never the user's: only a literal lets SQLite take the partial index of the rare states.
        query = query.where(table.c.state == literal_column(f"'{wanted.state}'"))
    if wanted.customer is not None:
        query = query.where(table.c.customer_id == wanted.customer)
    if wanted.source is not None:
        # Not by the index on (source, external_id): every page would sort all that the source ever sent.
        query = query.where(table.c.source + "" == wanted.source)
    return query


def get(connection: Connection, number: int) -> StoredRating | None:
    """Return one rating, or None."""
    row = connection.execute(select(*_COLUMNS).where(table.c.id == number)).mappings().one_or_none()
    return None if row is None else _to_rating(row)


def number_of(connection: Connection, name: str) -> int | None:
    """Return the number of the rating that `SOURCE:EXTERNAL_ID` names; both may hold colons themselves."""
    for source, external_id in _splits(name):
        number = ratings.number_of(connection, source, external_id)
        if number is not None:
            return number
    return None


def _splits(name: str) -> Iterator[tuple[str, str]]:
    parts = name.split(":")
    for place in range(1, len(parts)):
        yield ":".join(parts[:place]), ":".join(parts[place:])


def _to_rating(row: RowMapping) -> StoredRating:
    analysis = json.loads(row["analysis"]) if row["analysis"] else {}
    return StoredRating(**{**row, "analysis": analysis})
