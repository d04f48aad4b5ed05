"""What may have happened since a backup was made: nothing that may have left is sent again on purpose."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from feedback_app.model import Milliseconds

# `new` is the ledger made of the backup, `main` the old one, or nothing where that cannot be read.
_HOLD = """UPDATE new.message
   SET state = 'held', lease_owner = NULL, lease_until = NULL, may_leave_at = NULL,
       maybe_sent_at = COALESCE(maybe_sent_at, may_leave_at, ?),
       error = 'restored from a backup: it may have left since'
 WHERE state IN ('queued', 'sending')"""
_WAITING = "SELECT count(*) FROM new.message WHERE state IN ('queued', 'sending')"
_UNPROCESSED = "SELECT count(*) FROM new.feedback WHERE state = 'received'"
# Of a rating that waited in the backup the old ledger may know that its thank-you has left.
_THANKED = """UPDATE new.feedback SET thank = 0
 WHERE state = 'received' AND EXISTS (
   SELECT 1 FROM main.message AS known WHERE known.dedupe_key = 'thanks:' || feedback.id
      AND (known.state IN ('sent', 'sending', 'held') OR known.maybe_sent_at IS NOT NULL))"""
_LOST = """SELECT count(*) FROM main.feedback AS known WHERE NOT EXISTS (
   SELECT 1 FROM new.feedback AS there WHERE there.source = known.source AND there.external_id = known.external_id)"""
_ID = "SELECT value FROM {}.meta WHERE key = 'ledger_id'"


class Since(NamedTuple):
    """What a restored ledger had under way, and what the old one knew of it."""

    held: int = 0  # messages that may have left
    left: int = 0  # messages that stay due, as was asked for
    unprocessed: int = 0  # ratings that are yet to be processed
    thanked: int = 0  # of them, those of which the old ledger knows that their thank-you may have left
    lost: int | None = None  # ratings of the old ledger that the backup lacks; None: it cannot be read
    same: bool | None = None  # whether both are states of one ledger; None: it cannot be read


def settle_since(old: sqlite3.Connection | None, draft: Path, *, resend: bool, now: Milliseconds) -> Since:
    """Hold the messages that wait in `draft`, unless `resend`, and say what else there is to know.

    `old` is the only connection to the old ledger, None where that cannot be read.
    """
    with contextlib.ExitStack() as stack:
        both = old or stack.enter_context(
            contextlib.closing(sqlite3.connect(":memory:", isolation_level=None, uri=True))
        )
        both.execute(f"ATTACH 'file:{quote(str(draft))}?mode=rw' AS new")
        stack.callback(both.execute, "DETACH new")
        stack.enter_context(_transaction(both))
        waiting = both.execute(_WAITING).fetchone()[0]
        if not resend:
            both.execute(_HOLD, (now,))
        since = Since(
            held=0 if resend else waiting,
            left=waiting if resend else 0,
            unprocessed=both.execute(_UNPROCESSED).fetchone()[0],
        )
        return _compared(both, since, resend=resend) if old else since


def _compared(both: sqlite3.Connection, since: Since, *, resend: bool) -> Since:
    """Ask the old ledger; what it cannot say, because it is broken too, stays unknown."""
    try:
        same = both.execute(_ID.format("main")).fetchone() == both.execute(_ID.format("new")).fetchone()
        thanked = both.execute(_THANKED).rowcount if same and not resend else 0
        return since._replace(same=same, thanked=thanked, lost=both.execute(_LOST).fetchone()[0])
    except sqlite3.DatabaseError:
        return since


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
