"""The outbox: what is to be sent, what is being sent, and how each try ended."""

from __future__ import annotations

import json
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from feedback_app.model import Message, Milliseconds
from feedback_app.store.bulk import insert_rows

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Connection

AttemptOutcome: TypeAlias = Literal["sent", "temporary", "permanent", "channel_down", "unknown", "bug"]
NextState: TypeAlias = Literal["sent", "queued", "held", "dead"]

_COLUMNS = (
    "message_id", "dedupe_key", "purpose", "feedback_id", "customer_id", "customer_name", "channel", "recipient",
    "locale", "subject", "text", "html", "state", "created_at", "next_attempt_at",
)  # fmt: skip


def enqueue(connection: Connection, entries: Sequence[tuple[str, Message]], now: Milliseconds) -> None:
    """Put (dedupe key, message) into the outbox, due now; a key that is there already is left alone."""
    rows = [
        (one.id, key, one.purpose, one.feedback_id, one.customer_id, one.customer_name, one.channel, one.recipient,
         one.locale, one.subject, one.text, one.html, "queued", now, now)
        for key, one in entries
    ]  # fmt: skip
    insert_rows(connection, "message", _COLUMNS, rows, tail="ON CONFLICT (dedupe_key) DO NOTHING")


@dataclass(frozen=True, kw_only=True, slots=True)
class ClaimedMessage:
    """A message that this daemon, and nobody else, is to send now."""

    number: int  # the ledger's
    message: Message
    created_at: Milliseconds


class Lease(NamedTuple):
    """Whose a claimed message is, and how long it is surely so."""

    owner: str  # boot id of the daemon
    until: Milliseconds


_CLAIM = """UPDATE message SET state = 'sending', lease_owner = ?, lease_until = ?
 WHERE id IN (SELECT id FROM message WHERE state = 'queued' AND channel = ? AND next_attempt_at <= ?
               {filter} ORDER BY next_attempt_at LIMIT ?)
RETURNING next_attempt_at, id, created_at, message_id, purpose, channel, recipient, text, feedback_id, customer_id,
          customer_name, subject, html, locale, attempts"""


def claim(
    connection: Connection,
    channel: str,
    *,
    lease: Lease,
    now: Milliseconds,
    limit: int,
    purpose: str | None = None,
) -> list[ClaimedMessage]:
    """Take due messages of a channel into `sending`, oldest first; who has opted out is suppressed instead."""
    only = "AND purpose = ?" if purpose else ""
    wanted = (purpose,) if purpose else ()
    rows = connection.exec_driver_sql(
        _CLAIM.format(filter=only), (lease.owner, lease.until, channel, now, *wanted, limit)
    ).all()
    claimed = [_claimed(row) for row in sorted(rows, key=itemgetter(0, 1))]  # RETURNING promises no order
    out = _opted_out(connection, {one.message.customer_id for one in claimed})
    if not out:
        return claimed
    refused = [one.number for one in claimed if one.message.customer_id in out]
    connection.exec_driver_sql(
        "UPDATE message SET state = 'suppressed', error = 'the customer opted out', settled_at = ?,"
        " lease_owner = NULL, lease_until = NULL WHERE id IN (SELECT value FROM json_each(?))",
        (now, json.dumps(refused)),
    )
    return [one for one in claimed if one.message.customer_id not in out]


def _opted_out(connection: Connection, ids: Collection[str | None]) -> set[str | None]:
    # A query of its own: inside RETURNING, SQLite 3.40 reads the whole table for every row.
    found = connection.exec_driver_sql(
        "SELECT id FROM customer WHERE id IN (SELECT value FROM json_each(?)) AND opted_out_at IS NOT NULL",
        (json.dumps(list(ids)),),
    )
    return set(found.scalars())


def _claimed(row: Sequence[Any]) -> ClaimedMessage:
    # Asked for by name, the values would take longer to find than SQLite takes to read them.
    (_due, number, created_at, message_id, purpose, channel, recipient, text, feedback_id, customer_id,
     customer_name, subject, html, locale, attempts) = row  # fmt: skip
    message = Message(
        id=message_id,
        purpose=purpose,
        channel=channel,
        recipient=recipient,
        text=text,
        feedback_id=feedback_id,
        customer_id=customer_id,
        customer_name=customer_name,
        subject=subject,
        html=html,
        locale=locale,
        attempt=attempts + 1,
    )
    return ClaimedMessage(number=number, message=message, created_at=created_at)


def mark_may_leave(connection: Connection, number: int, boot_id: str, now: Milliseconds) -> bool:
    """Note before the first byte that a message may leave; False when the lease is lost, then it must not."""
    marked = connection.exec_driver_sql(
        "UPDATE message SET may_leave_at = ? WHERE id = ? AND state = 'sending' AND lease_owner = ?",
        (now, number, boot_id),
    )
    return marked.rowcount == 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """How one try of one message ended, and what comes next."""

    number: int  # of the message
    outcome: AttemptOutcome
    state: NextState  # of the message from now on
    provider: str  # the plugin
    started_at: Milliseconds
    ended_at: Milliseconds
    counted: bool = True  # whether it uses up one of the allowed attempts
    next_attempt_at: Milliseconds | None = None  # for queued
    provider_id: str | None = None
    error: str | None = None


_SETTLE = """UPDATE message
   SET state = ended.state, attempts = attempts + ended.counted,
       next_attempt_at = COALESCE(ended.next_attempt_at, message.next_attempt_at),
       settled_at = CASE WHEN ended.state IN ('sent', 'dead') THEN ended.ended_at END,
       maybe_sent_at = COALESCE(maybe_sent_at, CASE ended.outcome WHEN 'unknown' THEN ended.ended_at END),
       lease_owner = NULL, lease_until = NULL, may_leave_at = NULL,
       provider = ended.provider, provider_id = ended.provider_id, error = ended.error
  FROM (SELECT json_extract(value, '$[0]') AS number, json_extract(value, '$[1]') AS outcome,
               json_extract(value, '$[2]') AS state, json_extract(value, '$[3]') AS provider,
               json_extract(value, '$[4]') AS ended_at, json_extract(value, '$[5]') AS counted,
               json_extract(value, '$[6]') AS next_attempt_at, json_extract(value, '$[7]') AS provider_id,
               json_extract(value, '$[8]') AS error
          FROM json_each(?)) AS ended
 WHERE message.id = ended.number AND message.state = 'sending' AND message.lease_owner = ?"""


def settle(connection: Connection, attempts: Sequence[Attempt], boot_id: str) -> int:
    """Record how tries ended; one whose lease was lost changes nothing. Returns how many were recorded."""
    ended = [
        (one.number, one.outcome, one.state, one.provider, one.ended_at, int(one.counted), one.next_attempt_at,
         one.provider_id, one.error)
        for one in attempts
    ]  # fmt: skip
    recorded = connection.exec_driver_sql(_SETTLE, (json.dumps(ended), boot_id)).rowcount
    insert_rows(
        connection,
        "delivery_attempt",
        ("message_number", "started_at", "ended_at", "provider", "outcome", "provider_id", "error"),
        [
            (one.number, one.started_at, one.ended_at, one.provider, one.outcome, one.provider_id, one.error)
            for one in attempts
        ],
    )
    return recorded


def release(connection: Connection, numbers: Collection[int], boot_id: str) -> None:
    """Give back messages that were claimed and surely not tried."""
    connection.exec_driver_sql(
        "UPDATE message SET state = 'queued', lease_owner = NULL, lease_until = NULL, may_leave_at = NULL"
        " WHERE state = 'sending' AND lease_owner = ? AND id IN (SELECT value FROM json_each(?))",
        (boot_id, json.dumps(list(numbers))),
    )


# Both repeat the condition of the partial index: SQLite does not conclude it from one state alone.
_HOLD = """UPDATE message
   SET state = 'held', lease_owner = NULL, lease_until = NULL, may_leave_at = NULL,
       maybe_sent_at = COALESCE(maybe_sent_at, may_leave_at),
       error = 'the program ended while sending: it may have left'
 WHERE state IN ('sending', 'held', 'suppressed', 'dead') AND state = 'sending' AND may_leave_at IS NOT NULL
   AND channel NOT IN (SELECT value FROM json_each(?))"""
_REQUEUE = """UPDATE message
   SET state = 'queued', lease_owner = NULL, lease_until = NULL, next_attempt_at = ?,
       maybe_sent_at = COALESCE(maybe_sent_at, CASE WHEN channel IN (SELECT value FROM json_each(?)) THEN ? END)
 WHERE state IN ('sending', 'held', 'suppressed', 'dead') AND state = 'sending'"""


def recover(connection: Connection, resending: Collection[str], now: Milliseconds) -> tuple[int, int]:
    """Settle what a dead daemon left in `sending`: due at once, or held where it may have left and must not double.

    `resending` names the channels that may send a second copy. No attempt is counted. Returns (queued, held).
    The caller holds the ledger's lock, so whoever was sending is gone.
    """
    names = json.dumps(list(resending))
    held = connection.exec_driver_sql(_HOLD, (names,)).rowcount
    queued = connection.exec_driver_sql(_REQUEUE, (now, names, now)).rowcount
    return queued, held


def next_due(connection: Connection, channel: str, purpose: str | None = None) -> Milliseconds | None:
    """Return when the first queued message of a channel is due, None when none is queued."""
    only = "AND purpose = ?" if purpose else ""
    wanted = (purpose,) if purpose else ()
    due = connection.exec_driver_sql(
        f"SELECT min(next_attempt_at) FROM message WHERE state = 'queued' AND channel = ? {only}",  # noqa: S608
        (channel, *wanted),
    ).scalar_one()
    return None if due is None else int(due)
