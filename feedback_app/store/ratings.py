"""The inbox: taking ratings in, claiming them for the pipeline, recording failed attempts."""

from __future__ import annotations

from collections import defaultdict
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

from feedback_app import failpoints
from feedback_app.model import Customer, Feedback, Milliseconds
from feedback_app.store import customers
from feedback_app.store.bulk import insert_rows
from feedback_app.store.sql import Members, Statement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from feedback_app.store.sql import Result


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


_KNOWN = Statement(
    "SELECT external_id, content_hash FROM feedback WHERE source = ? AND external_id IN ({texts})"
)
_NUMBER = Statement("SELECT id FROM feedback WHERE source = ? AND external_id = ?")
_NEXT_RETRY = Statement(
    "SELECT min(retry_at) FROM feedback WHERE state = 'received' AND retry_at IS NOT NULL"
)
# Compared twice, because an owner of None, where there is but one daemon, has no type of its own on PostgreSQL.
_FAILED = Statement(
    "UPDATE feedback SET attempts = attempts + 1, error = ?, retry_at = ?, state = ?, lease_owner = NULL"
    " WHERE id = ? AND state = 'received' AND (CAST(? AS TEXT) IS NULL OR lease_owner = ?)"
)


def take_in(connection: Connection, arrivals: Sequence[Arrival], now: Milliseconds) -> list[Taken]:
    """Store what is new, with its customers' contact data; says for each arrival what became of it.

    Where another process stores the same id at the same moment, the unique key fails the unit, which then runs again.
    """
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
        for external_id, content_hash in _KNOWN(connection, source, Members(wanted))
    }


def number_of(connection: Connection, source: str, external_id: str) -> int | None:
    """Return the ledger's number of a rating, None when it is not there."""
    found = _NUMBER(connection, source, external_id).scalar_one_or_none()
    return None if found is None else int(found)


COLUMNS = """f.id, f.source, f.external_id, f.customer_id, f.item, f.rating, f.comment, f.given_at,
       f.received_at, f.thank, f.attempts, f.lease_owner, c.id, c.name, c.email, c.phone, c.preferred_channels,
       c.addresses, c.locale, c.timezone, c.opted_out_at"""
_SELECT = f"SELECT {COLUMNS} FROM feedback AS f LEFT JOIN customer AS c ON c.id = f.customer_id WHERE "  # noqa: S608 - a constant
_CLAIM = _SELECT + "f.state = 'received' AND "
_FRESH = Statement(_CLAIM + "f.retry_at IS NULL AND f.id > ? ORDER BY f.id LIMIT ?")
_NAMED = Statement(_CLAIM + "f.id IN ({bigints})")
_ONE = Statement(_SELECT + "f.id = ?")
_RETRY = Statement(_CLAIM + "f.retry_at <= ? ORDER BY f.retry_at LIMIT ?")


class Claimed(NamedTuple):
    """A rating in the hands of the pipeline."""

    feedback: Feedback
    customer: Customer | None  # None: not named, or nobody told us of them
    failures: int  # attempts that failed so far
    owner: str | None  # whose lease it is, where daemons share the ledger


def claim_fresh(connection: Connection, after: int, limit: int) -> list[Claimed]:
    """Return ratings not yet processed with numbers above `after`, in order.

    Claiming writes nothing: one daemon holds the ledger, and what it had in hand when it died is as if never seen.
    """
    return claimed_rows(_FRESH(connection, after, limit))


def claim_retries(connection: Connection, now: Milliseconds, limit: int) -> list[Claimed]:
    """Return ratings whose last attempt failed and that are due again."""
    return claimed_rows(_RETRY(connection, now, limit))


def claimed_rows(found: Result) -> list[Claimed]:
    """Return what rows of COLUMNS hold."""
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
            owner,
        )
        for (
            number, source, external_id, customer, item, rating, comment, given_at, received_at, thank, failures, owner,
            *known
        ) in found
    ]  # fmt: skip


def claim_numbers(connection: Connection, numbers: Sequence[int]) -> list[Claimed]:
    """Return those of the given ratings that still wait."""
    return claimed_rows(_NAMED(connection, Members(numbers)))


def with_customer(connection: Connection, number: int) -> Claimed | None:
    """Return a rating with its customer, in whatever state it is; None when there is none of that number."""
    return next(iter(claimed_rows(_ONE(connection, number))), None)


def next_retry(connection: Connection) -> Milliseconds | None:
    """Return when the first failed rating is due again, None when none waits."""
    due = _NEXT_RETRY(connection).scalar_one()
    return None if due is None else int(due)


def record_failure(
    connection: Connection, number: int, error: str, retry_at: Milliseconds | None, owner: str | None = None
) -> None:
    """Count a failed attempt; `retry_at` None ends the rating as dead. A lease that was lost changes nothing."""
    state = "dead" if retry_at is None else "received"
    _FAILED(connection, error, retry_at, state, number, owner, owner)


def take_one(connection: Connection, arrival: Arrival, now: Milliseconds) -> tuple[Taken, int]:
    """Store one rating; returns what became of it and the number of the one that the ledger has."""
    (taken,) = take_in(connection, [arrival], now)
    number = number_of(connection, arrival.feedback.source, arrival.feedback.id)
    assert number is not None
    return taken, number
