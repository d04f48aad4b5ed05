"""Ratings that were processed, low ratings that were resolved, and what was no rating."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from feedback_app.store.retention.kind import UNLOCKED, Cutoffs, Gone, Kind, Page, remember
from feedback_app.store.rollups import quarter_of
from feedback_app.store.sql import Members, Statement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

_LOW_RATINGS = Statement(
    "SELECT id FROM low_rating WHERE id > ? AND state = 'resolved' AND resolved_at < ? ORDER BY id LIMIT ?"
)
_DELETE_LOW_RATINGS = Statement(
    "DELETE FROM low_rating WHERE id IN ({bigints}) AND state = 'resolved' AND resolved_at < ?"
)
_COUNT_LOW_RATINGS = Statement("SELECT count(*) FROM low_rating WHERE state = 'resolved' AND resolved_at < ?")


class LowRatings(Kind):
    """Low ratings that were resolved."""

    name = "low_ratings"

    def find(self, connection: Connection, cutoffs: Cutoffs, after: int, limit: int) -> Page:
        """Go along their numbers."""
        ids = list(_LOW_RATINGS(connection, after, cutoffs.low_ratings, limit).scalars())
        return Page(ids, ids[-1] if ids else None)

    def delete(
        self, connection: Connection, cutoffs: Cutoffs, ids: Sequence[Any], gone: Gone
    ) -> Counter[str]:
        """Their ratings are what is in the figures."""
        del gone
        remember(connection, cutoffs.low_ratings)
        done = _DELETE_LOW_RATINGS(connection, Members(ids), cutoffs.low_ratings)
        return Counter(low_ratings=done.rowcount)

    def count(self, connection: Connection, cutoffs: Cutoffs) -> int:
        """Count them."""
        return int(_COUNT_LOW_RATINGS(connection, cutoffs.low_ratings).scalar_one())


# Subqueries that give a value are answered from the indices, row by row; NOT EXISTS might read all messages first.
_UNREFERRED = """(SELECT min(m.id) FROM message AS m WHERE m.feedback_id = f.id %s) IS NULL
   AND (SELECT min(l.id) FROM low_rating AS l WHERE l.feedback_id = f.id %s) IS NULL"""
_FREE = _UNREFERRED % ("", "")
_FREE_THEN = _UNREFERRED % (
    "AND NOT (m.state IN ('sent', 'suppressed') AND m.settled_at < ? OR m.state = 'dead' AND m.settled_at < ?)",
    "AND NOT (l.state = 'resolved' AND l.resolved_at < ?)",
)
_RATINGS = Statement(
    f"""SELECT f.received_at, f.id FROM feedback AS f
 WHERE f.received_at >= ? AND f.received_at < ? AND f.state = 'processed' AND {_FREE}
 ORDER BY f.received_at LIMIT ?"""  # noqa: S608 - constants
)
_LOCK_RATINGS = Statement(
    "SELECT id FROM feedback WHERE id IN ({bigints}) AND state = 'processed' {unlocked}", only=UNLOCKED
)
# A query of its own, behind the lock: so it sees what was committed until then.
_DELETE_RATINGS = Statement(
    f"""DELETE FROM feedback AS f WHERE f.id IN ({{bigints}}) AND {_FREE}
RETURNING received_at, item, rating, ended, thank, analysis"""  # noqa: S608 - constants
)
_COUNT_RATINGS = Statement(
    f"SELECT count(*) FROM feedback AS f WHERE f.received_at < ? AND f.state = 'processed' AND {_FREE_THEN}"  # noqa: S608
)


class Ratings(Kind):
    """Ratings that were processed and that no message and no low rating belongs to."""

    name = "ratings"

    def find(self, connection: Connection, cutoffs: Cutoffs, after: int, limit: int) -> Page:
        """Go along their arrival."""
        rows = _RATINGS(connection, after, cutoffs.ratings, limit).all()
        return Page([number for _, number in rows], rows[-1][0] if rows else None)

    def delete(
        self, connection: Connection, cutoffs: Cutoffs, ids: Sequence[Any], gone: Gone
    ) -> Counter[str]:
        """Delete those that are still free."""
        del cutoffs
        numbers = Members(_LOCK_RATINGS(connection, Members(ids)).scalars())
        deleted: Counter[str] = Counter()
        for received_at, *rating in _DELETE_RATINGS(connection, numbers):
            deleted[self.name] += 1
            gone[quarter_of(received_at)].add_rating(rating)
        return deleted

    def count(self, connection: Connection, cutoffs: Cutoffs) -> int:
        """Count those that are free once messages and low ratings have gone."""
        others = (cutoffs.messages, cutoffs.dead_messages, cutoffs.low_ratings)
        return int(_COUNT_RATINGS(connection, cutoffs.ratings, *others).scalar_one())


_DEAD_LETTERS = Statement("SELECT id, received_at < ? FROM dead_letter WHERE id > ? ORDER BY id LIMIT ?")
_DELETE_DEAD_LETTERS = Statement("DELETE FROM dead_letter WHERE id IN ({bigints})")
_COUNT_DEAD_LETTERS = Statement("SELECT count(*) FROM dead_letter WHERE received_at < ?")


class DeadLetters(Kind):
    """What sources brought that is no rating."""

    name = "dead_letters"

    def find(self, connection: Connection, cutoffs: Cutoffs, after: int, limit: int) -> Page:
        """Go along their numbers, which rise with time."""
        rows = _DEAD_LETTERS(connection, cutoffs.dead_letters, after, limit).all()
        ids = [number for number, is_old in rows if is_old]
        return Page(ids, rows[-1][0] if ids else None)

    def delete(
        self, connection: Connection, cutoffs: Cutoffs, ids: Sequence[Any], gone: Gone
    ) -> Counter[str]:
        """They are in no figures."""
        del cutoffs, gone
        return Counter(dead_letters=_DELETE_DEAD_LETTERS(connection, Members(ids)).rowcount)

    def count(self, connection: Connection, cutoffs: Cutoffs) -> int:
        """Count them."""
        return int(_COUNT_DEAD_LETTERS(connection, cutoffs.dead_letters).scalar_one())
