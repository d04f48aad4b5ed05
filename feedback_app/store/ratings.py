"""The inbox: taking ratings in, claiming them for the pipeline, recording failed attempts."""

from __future__ import annotations

import json
from collections import defaultdict
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

from feedback_app import failpoints
from feedback_app.model import Customer, Feedback, Milliseconds
from feedback_app.store import customers
from feedback_app.store.bulk import insert_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection


class Arrival(Protocol):
    """A validated rating on its way in."""

    @property
    def feedback(self) -> Feedback: ...  # noqa: D102 - `id` is set
    @property
    def contact(self) -> Customer | None: ...  # noqa: D102 - what the record said of its customer
    @property
    def content_hash(self) -> bytes: ...  # noqa: D102 - over what the rating says


class Taken(StrEnum):
    """What became of an arrival."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"  # the same id and the same content are in the ledger
    CONFLICT = "conflict"  # the same id with other content is; the first one stays


_COLUMNS = (
    "source", "external_id", "content_hash", "customer_id", "item", "rating", "comment",
    "given_at", "received_at", "thank", "state",
)  # fmt: skip


def take_in(connection: Connection, arrivals: Sequence[Arrival], now: Milliseconds) -> list[Taken]:
    """Store what is new, with its customers' contact data; says for each arrival what became of it."""
    hashes = _known_hashes(connection, arrivals)
    taken: list[Taken] = []
    rows = []
    contacts: list[Customer] = []
    for arrival in arrivals:
        one = arrival.feedback
        key = (one.source, one.id)
        known = hashes.get(key)
        if known is not None:
            taken.append(Taken.DUPLICATE if known == arrival.content_hash else Taken.CONFLICT)
            continue
        hashes[key] = arrival.content_hash
        taken.append(Taken.ACCEPTED)
        rows.append(
            (one.source, one.id, arrival.content_hash, one.customer, one.item, one.rating, one.comment,
             one.given_at, now, one.thank, "received")
        )  # fmt: skip
        if arrival.contact is not None:
            contacts.append(arrival.contact)
    insert_rows(connection, "feedback", _COLUMNS, rows)
    if contacts:
        customers.put(connection, contacts, now)
    failpoints.reached("intake.stored")
    return taken


def _known_hashes(connection: Connection, arrivals: Sequence[Arrival]) -> dict[tuple[str, str], bytes]:
    ids: defaultdict[str, list[str]] = defaultdict(list)
    for arrival in arrivals:
        ids[arrival.feedback.source].append(arrival.feedback.id)
    return {
        (source, external_id): content_hash
        for source, wanted in ids.items()
        for external_id, content_hash in connection.exec_driver_sql(
            "SELECT external_id, content_hash FROM feedback"
            " WHERE source = ? AND external_id IN (SELECT value FROM json_each(?))",
            (source, json.dumps(wanted)),
        )
    }


def number_of(connection: Connection, source: str, external_id: str) -> int | None:
    """Return the ledger's number of a rating, None when it is not there."""
    found = connection.exec_driver_sql(
        "SELECT id FROM feedback WHERE source = ? AND external_id = ?", (source, external_id)
    ).scalar_one_or_none()
    return None if found is None else int(found)


_CLAIM = """SELECT f.id, f.source, f.external_id, f.customer_id, f.item, f.rating, f.comment, f.given_at,
       f.received_at, f.thank, f.attempts, c.id, c.name, c.email, c.phone, c.preferred_channels, c.addresses,
       c.locale, c.timezone, c.opted_out_at
  FROM feedback AS f LEFT JOIN customer AS c ON c.id = f.customer_id
 WHERE f.state = 'received' AND """
_FRESH = _CLAIM + "f.retry_at IS NULL AND f.id > ? ORDER BY f.id LIMIT ?"
_NAMED = _CLAIM + "f.id IN (SELECT value FROM json_each(?))"  # noqa: S608 - two constants
_RETRY = _CLAIM + "f.retry_at <= ? ORDER BY f.retry_at LIMIT ?"


class Claimed(NamedTuple):
    """A rating in the hands of the pipeline."""

    feedback: Feedback
    customer: Customer | None  # None: not named, or nobody told us of them
    failures: int  # attempts that failed so far


def claim_fresh(connection: Connection, after: int, limit: int) -> list[Claimed]:
    """Return ratings not yet processed with numbers above `after`, in order.

    Claiming writes nothing: one daemon holds the ledger, and what it had in hand when it died is as if never seen.
    """
    return _claimed(connection, _FRESH, (after, limit))


def claim_retries(connection: Connection, now: Milliseconds, limit: int) -> list[Claimed]:
    """Return ratings whose last attempt failed and that are due again."""
    return _claimed(connection, _RETRY, (now, limit))


def _claimed(connection: Connection, query: str, parameters: tuple[object, ...]) -> list[Claimed]:
    # Unpacked, because asking a row for each of its columns by name costs more than reading it.
    return [
        Claimed(
            Feedback(
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
            customers.from_columns(*known) if known[0] is not None else None,
            failures,
        )
        for (
            number, source, external_id, customer, item, rating, comment, given_at, received_at, thank, failures, *known
        ) in connection.exec_driver_sql(query, parameters)
    ]  # fmt: skip


def claim_numbers(connection: Connection, numbers: Sequence[int]) -> list[Claimed]:
    """Return those of the given ratings that still wait."""
    return _claimed(connection, _NAMED, (json.dumps(list(numbers)),))


def next_retry(connection: Connection) -> Milliseconds | None:
    """Return when the first failed rating is due again, None when none waits."""
    due = connection.exec_driver_sql(
        "SELECT min(retry_at) FROM feedback WHERE state = 'received' AND retry_at IS NOT NULL"
    ).scalar_one()
    return None if due is None else int(due)


def record_failure(connection: Connection, number: int, error: str, retry_at: Milliseconds | None) -> None:
    """Count a failed attempt; `retry_at` None ends the rating as dead."""
    connection.exec_driver_sql(
        "UPDATE feedback SET attempts = attempts + 1, error = ?, retry_at = ?, state = ?"
        " WHERE id = ? AND state = 'received'",
        (error, retry_at, "dead" if retry_at is None else "received", number),
    )


def take_one(connection: Connection, arrival: Arrival, now: Milliseconds) -> tuple[Taken, int]:
    """Store one rating; returns what became of it and the number of the one that the ledger has."""
    (taken,) = take_in(connection, [arrival], now)
    number = number_of(connection, arrival.feedback.source, arrival.feedback.id)
    assert number is not None
    return taken, number
