"""What waits for a time that was set by a clock that was ahead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feedback_app.store.sql import Members, Statement

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection

    from feedback_app.model import Milliseconds

_MESSAGES = Statement("""UPDATE message SET next_attempt_at = ?
 WHERE state = 'queued' AND channel IN ({texts}) AND next_attempt_at > ?""")
_RATINGS = Statement(
    "UPDATE feedback SET retry_at = ? WHERE state = 'received' AND retry_at IS NOT NULL AND retry_at > ?"
)


def pull_in(
    connection: Connection, *, channels: Collection[str], longest: Milliseconds, now: Milliseconds
) -> int:
    """Make due now what is due later than `longest` from now; returns how many messages and ratings those are.

    Nothing is put off by longer, so that time was reckoned by a clock that has been set back since, perhaps while
    no daemon ran. Costs a look at the far end of an index for each channel.
    """
    latest = now + longest
    messages = _MESSAGES(connection, now, Members(channels), latest).rowcount
    ratings = _RATINGS(connection, now, latest).rowcount
    return messages + ratings
