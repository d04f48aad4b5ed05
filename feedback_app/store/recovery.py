"""What a dead daemon left behind in mid-send."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feedback_app.store.sql import Members, Statement

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection

    from feedback_app.model import Milliseconds

# Both repeat the condition of the partial index: SQLite does not conclude it from one state alone.
# Only where daemons share the ledger, hence PostgreSQL's: what a frozen one has locked is settled at a later look.
_OF_THE_DEAD = """AND id = ANY (ARRAY (
  SELECT id FROM message WHERE state = 'sending' AND lease_owner IN ({texts}) FOR UPDATE SKIP LOCKED))"""
_HOLD = """UPDATE message
   SET state = 'held', lease_owner = NULL, lease_until = NULL, may_leave_at = NULL,
       maybe_sent_at = COALESCE(maybe_sent_at, may_leave_at),
       error = 'the program ended while sending: it may have left'
 WHERE state IN ('sending', 'held', 'suppressed', 'dead') AND state = 'sending' AND may_leave_at IS NOT NULL %s"""
_REQUEUE = """UPDATE message
   SET state = 'queued', lease_owner = NULL, lease_until = NULL, next_attempt_at = ?,
       maybe_sent_at = COALESCE(maybe_sent_at, CASE WHEN channel IN ({texts}) THEN CAST(? AS BIGINT) END)
 WHERE state IN ('sending', 'held', 'suppressed', 'dead') AND state = 'sending' %s"""
_HOLD_ALL, _HOLD_OF = Statement(_HOLD % ""), Statement(_HOLD % _OF_THE_DEAD)
_REQUEUE_ALL, _REQUEUE_OF = Statement(_REQUEUE % ""), Statement(_REQUEUE % _OF_THE_DEAD)


def recover(
    connection: Connection,
    resending: Collection[str],
    now: Milliseconds,
    owners: Collection[str] | None = None,
) -> tuple[int, int]:
    """Settle what a dead daemon left in `sending`: due at once, or held where it may have left and must not double.

    Where it must not double, there is the mark of `mark_may_leave`. `resending` names the channels with a provider that
    may be given a second copy, and so makes no mark. No attempt is counted. Returns (queued, held).
    `owners` are the dead; None: the caller holds the ledger's lock, so whoever was sending is gone.
    """
    names = Members(resending)
    if owners is None:
        held = _HOLD_ALL(connection).rowcount
        return _REQUEUE_ALL(connection, now, names, now).rowcount, held
    dead = Members(owners)
    held = _HOLD_OF(connection, dead).rowcount
    return _REQUEUE_OF(connection, now, names, now, dead).rowcount, held
