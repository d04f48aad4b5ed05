"""Messages that have ended, and what each try of them came to."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from feedback_app.store.retention.kind import UNLOCKED, Cutoffs, Gone, Kind, Page, remember
from feedback_app.store.rollups import quarter_of
from feedback_app.store.sql import Members, Statement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

_ENDED = "('sent', 'suppressed', 'dead')"
# By number, which rises with time: after a page of young ones there are only young ones.
_ATTEMPTS = Statement(
    f"""SELECT a.id, a.ended_at < ?, m.state IN {_ENDED} FROM delivery_attempt AS a
  JOIN message AS m ON m.id = a.message_number WHERE a.id > ? ORDER BY a.id LIMIT ?"""  # noqa: S608 - a constant
)
_DELETE_ATTEMPTS = Statement("DELETE FROM delivery_attempt WHERE id IN ({bigints})")
_DELETE_ATTEMPTS_OF = Statement("DELETE FROM delivery_attempt WHERE message_number IN ({bigints})")
_COUNT_ATTEMPTS = Statement(
    f"""SELECT count(*) FROM delivery_attempt AS a JOIN message AS m ON m.id = a.message_number
 WHERE m.state IN {_ENDED} AND (a.ended_at < ? OR m.state <> 'dead' AND m.settled_at < ?
       OR m.state = 'dead' AND m.settled_at < ?)"""  # noqa: S608 - a constant
)


class Attempts(Kind):
    """Tries of messages that have ended."""

    name = "attempts"

    def find(self, connection: Connection, cutoffs: Cutoffs, after: int, limit: int) -> Page:
        """Go along their numbers."""
        rows = _ATTEMPTS(connection, cutoffs.attempts, after, limit).all()
        ids = [number for number, is_old, has_ended in rows if is_old and has_ended]
        return Page(ids, rows[-1][0] if any(is_old for _, is_old, _ in rows) else None)

    def delete(
        self, connection: Connection, cutoffs: Cutoffs, ids: Sequence[Any], gone: Gone
    ) -> Counter[str]:
        """They are in no figures."""
        del cutoffs, gone
        return Counter(attempts=_DELETE_ATTEMPTS(connection, Members(ids)).rowcount)

    def count(self, connection: Connection, cutoffs: Cutoffs) -> int:
        """Count those of messages that go, too."""
        found = _COUNT_ATTEMPTS(connection, cutoffs.attempts, cutoffs.messages, cutoffs.dead_messages)
        return int(found.scalar_one())


_ENDED_AS = (
    "SELECT id FROM message WHERE state = '%s' AND settled_at IS NOT NULL AND settled_at < ?"
    " ORDER BY settled_at LIMIT ?"
)
_MESSAGES = Statement(
    f"""SELECT id FROM ({_ENDED_AS % "sent"}) AS sent
UNION ALL SELECT id FROM ({_ENDED_AS % "suppressed"}) AS suppressed"""  # noqa: S608 - constants
)
_DEAD_MESSAGES = Statement(_ENDED_AS % "dead")
_LOCK_MESSAGES = Statement(
    """SELECT id FROM message WHERE id IN ({bigints})
   AND (state IN ('sent', 'suppressed') AND settled_at < ? OR state = 'dead' AND settled_at < ?) {unlocked}""",
    only=UNLOCKED,
)
_DELETE_MESSAGES = Statement(
    "DELETE FROM message WHERE id IN ({bigints}) RETURNING state, settled_at, purpose"
)
_COUNT_MESSAGES = Statement(
    "SELECT count(*) FROM message WHERE state IN ('sent', 'suppressed') AND settled_at IS NOT NULL AND settled_at < ?"
)
_COUNT_DEAD_MESSAGES = Statement(
    "SELECT count(*) FROM message WHERE state = 'dead' AND settled_at IS NOT NULL AND settled_at < ?"
)


class Messages(Kind):
    """Messages that were sent or suppressed."""

    name = "messages"

    def find(self, connection: Connection, cutoffs: Cutoffs, after: int, limit: int) -> Page:
        """Take the oldest."""
        del after
        ids = list(_MESSAGES(connection, *(cutoffs.messages, limit) * 2).scalars())
        return Page(ids, 0 if ids else None)

    def delete(
        self, connection: Connection, cutoffs: Cutoffs, ids: Sequence[Any], gone: Gone
    ) -> Counter[str]:
        """Delete them and the dead ones, with their attempts."""
        old = _LOCK_MESSAGES(connection, Members(ids), cutoffs.messages, cutoffs.dead_messages)
        numbers = Members(old.scalars())
        deleted = Counter(attempts=_DELETE_ATTEMPTS_OF(connection, numbers).rowcount)
        for state, settled_at, purpose in _DELETE_MESSAGES(connection, numbers):
            deleted["dead_messages" if state == "dead" else "messages"] += 1
            if purpose != "test":  # which the report does not count
                gone[quarter_of(settled_at)].add_message(state)
        remember(connection, max(cutoffs.messages, cutoffs.dead_messages))
        return deleted

    def count(self, connection: Connection, cutoffs: Cutoffs) -> int:
        """Count them."""
        return int(_COUNT_MESSAGES(connection, cutoffs.messages).scalar_one())


class DeadMessages(Messages):
    """Messages that were given up."""

    name = "dead_messages"

    def find(self, connection: Connection, cutoffs: Cutoffs, after: int, limit: int) -> Page:
        """Take the oldest."""
        del after
        ids = list(_DEAD_MESSAGES(connection, cutoffs.dead_messages, limit).scalars())
        return Page(ids, 0 if ids else None)

    def count(self, connection: Connection, cutoffs: Cutoffs) -> int:
        """Count them."""
        return int(_COUNT_DEAD_MESSAGES(connection, cutoffs.dead_messages).scalar_one())
