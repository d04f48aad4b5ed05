"""What a far side said of a message after it had taken it: arrived, delayed, or not to be delivered."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from feedback_app.model import Message
from feedback_app.store import suppressions
from feedback_app.store.bulk import insert_rows
from feedback_app.store.outbox import fall_back
from feedback_app.store.sql import Statement
from feedback_app.store.suppressions import Suppressed

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from feedback_app.model import DeliveryReceipt, Milliseconds


class Noted(Enum):
    """What became of a receipt."""

    NEW = "new"
    KNOWN = "known"  # it, or a later one, had come before
    STRANGE = "strange"  # it is of no message, or of one to another address


class Addressed(NamedTuple):
    """Where a message went, as far as it matters to receipts."""

    number: int
    message: Message
    state: str
    receipt: str | None
    provider: str | None
    has_bounced: bool  # once; what came of that may be a message by another channel


_FIND = Statement(
    """SELECT id, message_id, purpose, channel, recipient, text, feedback_id, customer_id, state, receipt, provider,
       EXISTS (SELECT 1 FROM delivery_attempt WHERE message_number = message.id AND outcome = 'bounced')
  FROM message WHERE id = ?"""
)
# Asks once more: somebody else may have noted a last word since it was looked at, and the next channel have it by now.
_NOTE = Statement(
    "UPDATE message SET receipt = ?, receipt_at = ?, receipt_detail = ?"
    " WHERE id = ? AND channel = ? AND recipient = ?"
    " AND (receipt IS NULL OR receipt = 'delayed' OR receipt = 'failed' AND ? = 'delivered')"
)
_HAS_SAID = Statement(
    "SELECT 1 FROM delivery_attempt WHERE message_number = ? AND outcome = 'bounced'"
    " AND COALESCE(provider_id, error) IN (?, ?) LIMIT 1"
)
# A last word ends also what is being sent: its lease is gone, so however that ends changes nothing any more.
_END = (
    "UPDATE message SET state = ?, settled_at = ?, error = ?, lease_owner = NULL, lease_until = NULL,"
    " may_leave_at = NULL WHERE id = ? AND state IN {open}"
)
_FAIL = Statement(_END.format(open="('queued', 'sending', 'held', 'sent')"))
# Whatever was thought of it: what arrived must not go out again.
_ARRIVE = Statement(_END.format(open="('queued', 'sending', 'held', 'suppressed', 'dead')"))


def addressed(connection: Connection, number: int) -> Addressed | None:
    """Return where a message went, None when there is none of that number."""
    row = _FIND(connection, number).one_or_none()
    if row is None:
        return None
    (number, message_id, purpose, channel, recipient, text, feedback_id, customer_id, state, receipt, provider,
     has_bounced) = row  # fmt: skip
    message = Message(
        id=message_id,
        purpose=purpose,
        channel=channel,
        recipient=recipient,
        text=text,
        feedback_id=feedback_id,
        customer_id=customer_id,
    )
    return Addressed(number, message, state, receipt, provider, bool(has_bounced))


def note(
    connection: Connection,
    found: Addressed,
    receipt: DeliveryReceipt,
    now: Milliseconds,
    instead: Message | None,
    words: str | None = None,
) -> Noted:
    """Note a receipt; a message that failed is given up, or goes out by the next channel as `instead`.

    "delivered" and "failed" are last words: what comes after them changes nothing, so receipts may come twice and out
    of order; but of two copies one that arrived is enough. A message that was retried is told anew; what failed it
    before is known by its id, or by `words` where it was noted without one. A message that arrived is sent, also one
    that was held, given up, queued again or is being sent.
    """
    if found.receipt == receipt.state:
        return Noted.KNOWN
    if receipt.state == "failed" and _HAS_SAID(connection, found.number, receipt.provider_id, words).first():
        return Noted.KNOWN
    where = (found.number, found.message.channel, found.message.recipient, receipt.state)
    if not _NOTE(connection, receipt.state, now, receipt.detail, *where).rowcount:
        return Noted.KNOWN
    if receipt.bad_address:
        address = Suppressed(found.message.channel, found.message.recipient, receipt.detail, now)
        suppressions.add(connection, [address])
    if receipt.state == "delivered":
        _ARRIVE(connection, "sent", now, None, found.number)
    if receipt.state == "failed":
        _FAIL(connection, "dead", now, receipt.detail, found.number)
        columns = ("message_number", "started_at", "ended_at", "provider", "outcome", "provider_id", "error")
        provider = found.provider or found.message.channel
        row = (found.number, now, now, provider, "bounced", receipt.provider_id, receipt.detail)
        insert_rows(connection, "delivery_attempt", columns, [row])
        if instead is not None:
            fall_back(connection, [(found.number, now, instead)])
    return Noted.NEW
