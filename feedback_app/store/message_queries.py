"""What people ask about messages, and what they may do to them while a daemon runs beside.

Every change looks at the state and sets it while nobody else can; what a daemon is sending is left to the daemon.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, func, literal_column, or_, select, update

from feedback_app.store.tables import delivery_attempt
from feedback_app.store.tables import message as table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from feedback_app.model import Milliseconds

Revivable: TypeAlias = Literal["dead", "held"]  # states that are retried in bulk

_RETRIED = ("queued", "held", "suppressed", "dead")
_CANCELLED = ("queued", "held")


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredMessage:
    """A message as the ledger has it, without its text."""

    id: int  # the ledger's number
    message_id: str  # what the far side sees
    feedback_id: int | None  # None for a report
    purpose: str
    channel: str
    recipient: str
    customer_id: str | None
    subject: str
    state: str  # see model.MESSAGE_STATES
    attempts: int  # counted ones
    created_at: Milliseconds
    next_attempt_at: Milliseconds
    maybe_sent_at: Milliseconds | None  # a copy may have left then
    settled_at: Milliseconds | None  # when it became sent, suppressed or dead
    provider: str | None  # the plugin that tried last
    provider_id: str | None
    error: str | None
    receipt: str | None  # what the far side said later: delivered, delayed, failed
    receipt_at: Milliseconds | None
    receipt_detail: str | None


_COLUMNS = (
    table.c.id, table.c.message_id, table.c.feedback_id, table.c.purpose, table.c.channel, table.c.recipient,
    table.c.customer_id, table.c.subject, table.c.state, table.c.attempts, table.c.created_at,
    table.c.next_attempt_at, table.c.maybe_sent_at, table.c.settled_at, table.c.provider, table.c.provider_id,
    table.c.error, table.c.receipt, table.c.receipt_at, table.c.receipt_detail,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Try:
    """One delivery attempt."""

    started_at: Milliseconds
    ended_at: Milliseconds
    provider: str
    outcome: str  # see outbox.AttemptOutcome
    provider_id: str | None
    error: str | None
    detail: str | None  # what the far side said when it took the message


@dataclass(frozen=True, kw_only=True, slots=True)
class Detail:
    """A message with its text and its history."""

    message: StoredMessage
    text: str
    html: str
    tries: tuple[Try, ...]  # oldest first


@dataclass(frozen=True, kw_only=True, slots=True)
class MessageFilter:
    """Which messages are asked for; None means any."""

    state: str | None = None  # one of model.MESSAGE_STATES
    channel: str | None = None
    purpose: str | None = None


def page(
    connection: Connection, *, wanted: MessageFilter, after: int | None, limit: int
) -> Sequence[StoredMessage]:
    """Return the next messages by number, those above `after`."""
    query = select(*_COLUMNS).where(table.c.id > (after or 0)).order_by(table.c.id).limit(limit)
    if wanted.state is not None:
        query = query.where(_in_state(wanted.state))
    if wanted.channel is not None:
        query = query.where(table.c.channel == wanted.channel)
    if wanted.purpose is not None:
        query = query.where(table.c.purpose == wanted.purpose)
    return [StoredMessage(**row) for row in connection.execute(query).mappings()]


def _in_state(state: str) -> ColumnElement[bool]:
    """Return the condition in the words of the index that serves it in the order of numbers, where one does."""
    if state in ("queued", "sent"):  # their indices are in another order: each page would sort all there are
        return table.c.state + "" == state
    stuck = table.c.state.in_(
        [literal_column(f"'{one}'") for one in ("sending", "held", "suppressed", "dead")]
    )
    return and_(stuck, table.c.state == state)


def find(connection: Connection, name: str) -> int | None:
    """Return the number of the message with this message id, also as a mail shows it: `<ID@DOMAIN>`."""
    message_id = name.strip("<> ").partition("@")[0]
    # Only the rating's number in it is indexed; reports, which have none, are few.
    part = message_id.split(".")[1:2]
    rating = int(part[0]) if part and part[0].isdecimal() and len(part[0]) < 19 else None  # noqa: PLR2004 - digits of 2^63
    whose = or_(table.c.feedback_id.is_(None), table.c.feedback_id == rating)
    query = select(table.c.id).where(whose, table.c.message_id == message_id)
    return connection.execute(query).scalars().first()


def get(connection: Connection, number: int) -> Detail | None:
    """Return one message with everything, or None."""
    query = select(*_COLUMNS, table.c.text, table.c.html).where(table.c.id == number)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _detail(connection, row)


def of_rating(connection: Connection, feedback_id: int) -> list[Detail]:
    """Return the messages that a rating led to, with everything."""
    query = select(*_COLUMNS, table.c.text, table.c.html).where(table.c.feedback_id == feedback_id)
    return [
        _detail(connection, row) for row in connection.execute(query.order_by(table.c.id)).mappings().all()
    ]


def _detail(connection: Connection, row: RowMapping) -> Detail:
    values = dict(row)
    text, html = values.pop("text"), values.pop("html")
    return Detail(message=StoredMessage(**values), text=text, html=html, tries=_tries(connection, row["id"]))


def _tries(connection: Connection, number: int) -> tuple[Try, ...]:
    attempt = delivery_attempt.c
    query = select(
        attempt.started_at, attempt.ended_at, attempt.provider, attempt.outcome, attempt.provider_id, attempt.error,
        attempt.detail,
    ).where(attempt.message_number == number)  # fmt: skip
    return tuple(Try(**row) for row in connection.execute(query.order_by(attempt.id)).mappings())


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What became of the wish to change a message."""

    before: str | None  # the state that it was in, None when there is no such message
    done: bool


def retry(connection: Connection, number: int, now: Milliseconds) -> Change:
    """Make a message due now with all its attempts before it, unless it is sent or being sent."""
    return _change(connection, number, _RETRIED, _queued_again(now))


def cancel(connection: Connection, number: int, now: Milliseconds) -> Change:
    """Suppress a message that waits; what is being sent, or has ended, stays as it is."""
    suppressed = {"state": "suppressed", "error": "cancelled by the operator", "settled_at": now}
    return _change(connection, number, _CANCELLED, suppressed)


def _change(connection: Connection, number: int, allowed: Sequence[str], values: dict[str, Any]) -> Change:
    # Locked, where transactions run side by side: a daemon may be claiming it.
    look = select(table.c.state).where(table.c.id == number).with_for_update()
    before = connection.execute(look).scalar_one_or_none()
    if before not in allowed:
        return Change(before=before, done=False)
    connection.execute(update(table).where(table.c.id == number).values(values))
    return Change(before=before, done=True)


def _queued_again(now: Milliseconds) -> dict[str, Any]:
    # What the far side said was about the copy before: a receipt that stays would end the next one as it did the last.
    forgotten = dict.fromkeys(("settled_at", "error", "receipt", "receipt_at", "receipt_detail"))
    return {"state": "queued", "attempts": 0, "next_attempt_at": now, **forgotten}


def count(connection: Connection, state: Revivable) -> int:
    """Return how many messages are in this state."""
    return int(connection.execute(select(func.count()).where(_in_state(state))).scalar_one())


def retry_some(
    connection: Connection, *, state: Revivable, after: int, limit: int, now: Milliseconds
) -> tuple[int, int | None]:
    """Retry the first messages in this state with numbers above `after`.

    Returns how many, and the number to go on behind; None: there is nothing more. In pieces, so that the daemon is not
    kept waiting; upwards, so that one that dies again is not taken twice.
    """
    some = select(table.c.id).where(_in_state(state), table.c.id > after).order_by(table.c.id).limit(limit)
    numbers = list(connection.execute(some).scalars())
    # Once more in this state: somebody else may have retried them since, and a daemon be sending them.
    still = update(table).where(table.c.id.in_(numbers), table.c.state == state)
    retried = connection.execute(still.values(_queued_again(now))).rowcount
    return retried, numbers[-1] if numbers else None
