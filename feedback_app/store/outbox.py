"""The outbox: what is to be sent, what is being sent, and how each try ended."""

from __future__ import annotations

from dataclasses import dataclass, replace
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from feedback_app.model import Message, Milliseconds
from feedback_app.store import suppressions
from feedback_app.store.bulk import insert_rows
from feedback_app.store.sql import POSTGRESQL, SQLITE, Members, Rows, Statement, walking_indices
from feedback_app.store.suppressions import Suppressed, normal

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Connection

AttemptOutcome: TypeAlias = Literal[
    "sent", "temporary", "permanent", "channel_down", "unknown", "bug", "suppressed", "held"
]
UNTRIED: frozenset[AttemptOutcome] = frozenset({"suppressed", "held"})  # nobody was given the message
# After what is no answer. A bug may come up behind the last byte, as when the plugin misreads what was answered to it.
MAY_HAVE_LEFT: frozenset[AttemptOutcome] = frozenset({"unknown", "bug"})
NextState: TypeAlias = Literal["sent", "queued", "held", "suppressed", "dead"]

_COLUMNS = (
    "message_id", "dedupe_key", "purpose", "feedback_id", "customer_id", "customer_name", "channel", "recipient",
    "locale", "subject", "text", "html", "state", "created_at", "next_attempt_at",
)  # fmt: skip


def enqueue(connection: Connection, entries: Sequence[tuple[str, Message]], now: Milliseconds) -> int:
    """Put (dedupe key, message) into the outbox, due now; a key that is there already is left alone.

    Returns how many were put in.
    """
    rows = [
        (one.id, key, one.purpose, one.feedback_id, one.customer_id, one.customer_name, one.channel, one.recipient,
         one.locale, one.subject, one.text, one.html, "queued", now, now)
        for key, one in entries
    ]  # fmt: skip
    return insert_rows(connection, "message", _COLUMNS, rows, tail="ON CONFLICT (dedupe_key) DO NOTHING")


@dataclass(frozen=True, kw_only=True, slots=True)
class ClaimedMessage:
    """A message that this daemon, and nobody else, is to send now."""

    number: int  # the ledger's
    message: Message
    created_at: Milliseconds
    owner: str  # whose lease it is
    refusal: str = ""  # why nothing is sent to its address
    maybe_sent_at: Milliseconds | None = None  # a copy may have left then
    doubt: str | None = None  # the error since, unless a person wants it sent all the same


class Lease(NamedTuple):
    """Whose a claimed message is, how long it is surely so, and who is to take it."""

    owner: str  # boot id of the daemon
    until: Milliseconds
    provider: str | None = None  # the plugin
    marks: bool = False  # whether it leaves after `mark_may_leave` only


_NOT_YET = 0  # `may_leave_at` of what is marked before it may leave; NULL: it may from its claim on
_CLAIM = """UPDATE message SET state = 'sending', lease_owner = ?, lease_until = ?, provider = ?, may_leave_at = ?
 WHERE id {picked} (SELECT id FROM message WHERE state = 'queued' AND channel = ? AND next_attempt_at <= ?
                    %s ORDER BY next_attempt_at LIMIT ? {unlocked}){end}
RETURNING next_attempt_at, id, created_at, message_id, purpose, channel, recipient, text, feedback_id, customer_id,
          customer_name, subject, html, locale, attempts, lease_owner, maybe_sent_at, error"""
# As an array, PostgreSQL picks once; behind IN it may look again for each row, and lock more than the limit.
_PICK = {
    "picked": {SQLITE: "IN", POSTGRESQL: "= ANY (ARRAY"},
    "unlocked": {POSTGRESQL: "FOR UPDATE SKIP LOCKED"},
    "end": {POSTGRESQL: ")"},
}
_CLAIM_ALL = Statement(_CLAIM % "", only=_PICK)
_CLAIM_SOME = Statement(_CLAIM % "AND purpose = ?", only=_PICK)
OPTED_OUT = "the customer opted out"
_SUPPRESS = Statement(
    "UPDATE message SET state = 'suppressed', error = ?, settled_at = ?,"
    " lease_owner = NULL, lease_until = NULL, may_leave_at = NULL WHERE id IN ({bigints})"
)
# A query of its own: inside RETURNING, SQLite 3.40 reads the whole table for every row.
_OPTED_OUT = Statement("SELECT id FROM customer WHERE id IN ({texts}) AND opted_out_at IS NOT NULL")
_MARK = Statement(
    "UPDATE message SET may_leave_at = ? WHERE id = ? AND state = 'sending' AND lease_owner = ?"
)
_HAND_ON = Statement(
    "UPDATE message SET provider = ?, may_leave_at = ? WHERE id = ? AND state = 'sending' AND lease_owner = ?"
)
_RELEASE = Statement(
    "UPDATE message SET state = 'queued', lease_owner = NULL, lease_until = NULL, may_leave_at = NULL"
    " WHERE state = 'sending' AND lease_owner = ? AND id IN ({bigints})"
)
_NEXT_DUE = "SELECT min(next_attempt_at) FROM message WHERE state = 'queued' AND channel = ? %s"
_NEXT_OF_ALL = Statement(_NEXT_DUE % "")
_NEXT_OF_SOME = Statement(_NEXT_DUE % "AND purpose = ?")


def claim(  # noqa: PLR0913 - what is claimed by whom, and two lists that come out
    connection: Connection,
    channel: str,
    *,
    lease: Lease,
    now: Milliseconds,
    limit: int,
    purpose: str | None = None,
    suppressed: list[ClaimedMessage] | None = None,
) -> list[ClaimedMessage]:
    """Take due messages of a channel into `sending`, oldest first; who has opted out is suppressed instead.

    Those whose address nothing is sent to any more have a `refusal`. `suppressed` gets those of the opted out.
    """
    walking_indices(connection)
    statement, wanted = (_CLAIM_SOME, (purpose,)) if purpose else (_CLAIM_ALL, ())
    taker = (lease.owner, lease.until, lease.provider, _NOT_YET if lease.marks else None)
    rows = statement(connection, *taker, channel, now, *wanted, limit).all()
    claimed = [_claimed(row) for row in sorted(rows, key=itemgetter(0, 1))]  # RETURNING promises no order
    if claimed:
        bad = suppressions.among(connection, channel, {one.message.recipient for one in claimed})
        if bad:
            claimed = [replace(one, refusal=bad.get(normal(one.message.recipient), "")) for one in claimed]
    out = _opted_out(connection, {one.message.customer_id for one in claimed})
    refused = [one for one in claimed if one.message.customer_id in out]
    if suppressed is not None:
        suppressed[:] = refused  # also where there are none: the unit may have been run before, in vain
    if not refused:
        return claimed
    _SUPPRESS(connection, OPTED_OUT, now, Members([one.number for one in refused]))
    return [one for one in claimed if one.message.customer_id not in out]


def _opted_out(connection: Connection, ids: Collection[str | None]) -> set[str | None]:
    return set(_OPTED_OUT(connection, Members(ids)).scalars())


def _claimed(row: Sequence[Any]) -> ClaimedMessage:
    # Asked for by name, the values would take longer to find than SQLite takes to read them.
    (_due, number, created_at, message_id, purpose, channel, recipient, text, feedback_id, customer_id,
     customer_name, subject, html, locale, attempts, owner, maybe_sent_at, error) = row  # fmt: skip
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
    return ClaimedMessage(
        number=number,
        message=message,
        created_at=created_at,
        owner=owner,
        maybe_sent_at=maybe_sent_at,
        doubt=None if maybe_sent_at is None else error,
    )


def mark_may_leave(connection: Connection, number: int, owner: str, now: Milliseconds) -> bool:
    """Note before the first byte that a message may leave; False when the lease is lost, then it must not."""
    return _MARK(connection, now, number, owner).rowcount == 1


def hand_on(connection: Connection, number: int, owner: str, provider: str, *, marks: bool) -> bool:
    """Note that another provider is to take a message that was refused; False when the lease is lost."""
    return _HAND_ON(connection, provider, _NOT_YET if marks else None, number, owner).rowcount == 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """How one try of one message ended, and what comes next."""

    number: int  # of the message
    outcome: AttemptOutcome
    state: NextState  # of the message from now on
    provider: str  # the plugin
    owner: str  # whose lease it was
    started_at: Milliseconds
    ended_at: Milliseconds
    counted: bool = True  # whether it uses up one of the allowed attempts
    next_attempt_at: Milliseconds | None = None  # for queued
    provider_id: str | None = None
    error: str | None = None
    detail: str | None = None  # what the far side said when it took the message
    fault: str | None = None  # what the plugin itself did wrong, for the log
    before: tuple[Attempt, ...] = ()  # what other providers said to the message in the same turn
    bad_address: str = ""  # nothing more is to be sent there
    instead: Message | None = None  # for dead and suppressed: what the customer is sent by the next channel


# `messages retry` clears the error. Of what may have left that is a person's word, so it stays without one until it
# may have left once more; each try's own error is in its record.
_SETTLE = Statement(
    """UPDATE message
   SET state = ended.state,
       attempts = attempts + ended.counted,
       next_attempt_at = COALESCE(ended.next_attempt_at, message.next_attempt_at),
       settled_at = CASE WHEN ended.state IN ('sent', 'suppressed', 'dead') THEN ended.ended_at END,
       maybe_sent_at = COALESCE(maybe_sent_at, CASE WHEN ended.outcome IN ('unknown', 'bug') THEN ended.ended_at END),
       lease_owner = NULL, lease_until = NULL, may_leave_at = NULL,
       provider = NULLIF(ended.provider, ''), provider_id = ended.provider_id,
       error = CASE WHEN ended.state = 'queued' AND message.maybe_sent_at IS NOT NULL AND message.error IS NULL
                     AND ended.outcome NOT IN ('unknown', 'bug') THEN NULL ELSE ended.error END
  FROM {rows} AS ended
 WHERE message.id = ended.number AND message.state = 'sending' AND message.lease_owner = ended.owner""",
    columns={
        "number": "bigint", "outcome": "text", "state": "text", "provider": "text", "ended_at": "bigint",
        "counted": "int", "next_attempt_at": "bigint", "provider_id": "text", "error": "text", "owner": "text",
    },
)  # fmt: skip


def settle(connection: Connection, attempts: Sequence[Attempt], channel: str = "") -> int:
    """Record how tries of a channel ended; one whose lease was lost changes nothing. Returns how many were recorded."""
    ended = [
        (one.number, one.outcome, one.state, one.provider, one.ended_at, int(one.counted), one.next_attempt_at,
         one.provider_id, one.error, one.owner)
        for one in attempts
    ]  # fmt: skip
    recorded = _SETTLE(connection, Rows(ended)).rowcount
    insert_rows(
        connection,
        "delivery_attempt",
        ("message_number", "started_at", "ended_at", "provider", "outcome", "provider_id", "error", "detail"),
        [
            (one.number, one.started_at, one.ended_at, one.provider, one.outcome, one.provider_id, one.error,
             one.detail)
            for last in attempts
            for one in (*last.before, last)
            if one.outcome not in UNTRIED
        ],
    )  # fmt: skip
    bad = [
        Suppressed(channel, one.bad_address, one.error or "", one.ended_at)
        for one in attempts
        if one.bad_address
    ]
    if bad:
        suppressions.add(connection, bad)
    given_up = [(one.number, one.ended_at, one.instead) for one in attempts if one.instead is not None]
    if given_up:
        fall_back(connection, given_up)
    return recorded


_FALL_BACK = Statement(
    """UPDATE message
   SET state = 'queued', attempts = 0, next_attempt_at = settled_at, settled_at = NULL, channel = other.channel,
       recipient = other.recipient, subject = other.subject, text = other.text, html = other.html,
       receipt = NULL, receipt_at = NULL, receipt_detail = NULL
  FROM {rows} AS other
 WHERE message.id = other.number AND message.state IN ('suppressed', 'dead')
   AND message.settled_at = other.ended_at AND message.maybe_sent_at IS NULL""",
    columns={
        "number": "bigint", "ended_at": "bigint", "channel": "text", "recipient": "text", "subject": "text",
        "text": "text", "html": "text",
    },
)  # fmt: skip


def fall_back(connection: Connection, given_up: Sequence[tuple[int, Milliseconds, Message]]) -> None:
    """Let the next channel have what one gave up (number, when, what is sent instead).

    Only where no copy may have left but the one that is known not to arrive.
    """
    rows = [
        (number, ended_at, one.channel, one.recipient, one.subject, one.text, one.html)
        for number, ended_at, one in given_up
    ]
    _FALL_BACK(connection, Rows(rows))


def release(connection: Connection, numbers: Collection[int], owner: str) -> None:
    """Give back messages that were claimed and surely not tried."""
    _RELEASE(connection, owner, Members(numbers))


def next_due(connection: Connection, channel: str, purpose: str | None = None) -> Milliseconds | None:
    """Return when the first queued message of a channel is due, None when none is queued."""
    found = _NEXT_OF_SOME(connection, channel, purpose) if purpose else _NEXT_OF_ALL(connection, channel)
    due = found.scalar_one()
    return None if due is None else int(due)
