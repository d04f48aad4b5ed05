"""What time it is for what deletes: a clock that is wrong for a while must not delete what is young."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feedback_app.clock import BUILT
from feedback_app.store import notes

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from feedback_app.model import Milliseconds

_KEY = "retention_time"


def believed(connection: Connection, now: Milliseconds, most: Milliseconds) -> Milliseconds:
    """Return `now`, or where that lies further ahead, `most` later than what was ever believed before.

    The first time it is `now`. What is believed is noted in the ledger, so a new start changes nothing.
    """
    last = int(notes.read(connection, _KEY) or 0)
    found = min(now, last + most) if last else now
    if found > max(last, BUILT):
        notes.put(connection, _KEY, found)
    return found
