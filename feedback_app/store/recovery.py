"""What a dead daemon left behind in mid-send."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feedback_app.store.sql import Members, Statement

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection

    from feedback_app.model import Milliseconds

# Both repeat the condition of the partial index: SQLite does not conclude it from one state alone.
# Only where daemons share the ledger, hence PostgreSQL's: what a frozen one has locked is settled at a later look. Each
# passes over locks of its own, so what was locked for the first and is not for the second must not suit the second too.
_OF_THE_DEAD = """AND id = ANY (ARRAY (
  SELECT id FROM message WHERE state = 'sending' AND lease_owner IN ({texts}) FOR UPDATE SKIP LOCKED))"""
_CUT_OFF = "'the program ended while sending by ' || COALESCE(provider, channel) || ': it may have left'"
_HOLD = f"""UPDATE message
   SET state = 'held', lease_owner = NULL, lease_until = NULL, may_leave_at = NULL,
       maybe_sent_at = COALESCE(maybe_sent_at, may_leave_at),
       error = {_CUT_OFF}
 WHERE state IN ('sending', 'held', 'suppressed', 'dead') AND state = 'sending' AND may_leave_at > 0 %s"""  # noqa: S608 - a constant
_REQUEUE = f"""UPDATE message
   SET state = 'queued', lease_owner = NULL, lease_until = NULL, may_leave_at = NULL, next_attempt_at = ?,
       maybe_sent_at = COALESCE(maybe_sent_at, CASE WHEN may_leave_at IS NULL THEN CAST(? AS BIGINT) END),
       error = CASE WHEN may_leave_at IS NULL THEN {_CUT_OFF} ELSE error END
 WHERE state IN ('sending', 'held', 'suppressed', 'dead') AND state = 'sending' AND COALESCE(may_leave_at, 0) = 0 %s"""  # noqa: S608 - a constant
_HOLD_ALL, _HOLD_OF = Statement(_HOLD % ""), Statement(_HOLD % _OF_THE_DEAD)
_REQUEUE_ALL, _REQUEUE_OF = Statement(_REQUEUE % ""), Statement(_REQUEUE % _OF_THE_DEAD)


def recover(
    connection: Connection, now: Milliseconds, owners: Collection[str] | None = None
) -> tuple[int, int]:
    """Settle what a dead daemon left in `sending`: due at once, or held where it may have left and must not double.

    The rows alone say which, whatever plugins there are now: what was to be marked before it leaves, and is not, surely
    did not leave; what needs no mark may have. No attempt is counted. Returns (queued, held).
    `owners` are the dead; None: the caller holds the ledger's lock, so whoever was sending is gone.
    """
    if owners is None:
        held = _HOLD_ALL(connection).rowcount
        return _REQUEUE_ALL(connection, now, now).rowcount, held
    dead = Members(owners)
    held = _HOLD_OF(connection, dead).rowcount
    return _REQUEUE_OF(connection, now, now, dead).rowcount, held
