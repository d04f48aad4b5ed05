"""Ratings of which one may have ended the process, not just failed: tried behind a marker that is committed first.

Claiming a rating writes nothing, so after a crash nobody knows which ones were in hand; but they are among the first
that wait. Those run in small groups, each noted before it is begun. A group that the process does not survive is
split into single ratings at the next start, and a rating that it does not survive alone, three times, is dead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from feedback_app.store import notes, ratings
from feedback_app.store.sql import Statement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from feedback_app.model import Milliseconds

_KEY = (
    "suspects"  # {"trying": numbers in hand, "deaths": suspected number → starts that it ended while alone}
)
_GROUP = 50  # ratings behind one marker; what a restart after a kill costs is a commit for as many
_FIRST = Statement("""
SELECT * FROM (SELECT id FROM feedback WHERE state = 'received' AND retry_at IS NULL ORDER BY id LIMIT ?) AS fresh
UNION ALL SELECT * FROM (SELECT id FROM feedback WHERE state = 'received' AND retry_at <= ? LIMIT ?) AS due""")
_DEATHS = 3  # one may be chance, a kill from outside in its very moment; a storm of kills may bring two


def after_crash(connection: Connection, in_hand: int, now: Milliseconds) -> list[list[int]]:
    """Return the groups to try, in order; `in_hand` is how many ratings a daemon claims at most.

    Also ends a rating that brought the process down often enough. Called once at a start.
    """
    deaths = _accuse(connection)
    waiting = _first_waiting(connection, in_hand, now)
    others = [number for number in waiting if str(number) not in deaths]
    alone = [number for number in waiting if str(number) in deaths]
    alone.sort(key=lambda number: deaths[str(number)])  # the likeliest culprit keeps nobody else waiting
    groups = [others[at : at + _GROUP] for at in range(0, len(others), _GROUP)]
    groups += [[number] for number in alone]
    notes.put(connection, _KEY, {"trying": [], "deaths": deaths} if groups else None)
    return groups


def _accuse(connection: Connection) -> dict[str, int]:
    """Count what the last start died of; returns the suspected numbers and how often each was surely the cause."""
    noted = notes.read(connection, _KEY) or {"trying": [], "deaths": {}}
    tried: list[int] = noted["trying"]
    deaths: dict[str, int] = {**dict.fromkeys(map(str, tried), 0), **noted["deaths"]}
    if len(tried) == 1:
        deaths[str(tried[0])] += 1
        if deaths[str(tried[0])] == _DEATHS:
            reason = f"the program ended {_DEATHS} times while it worked on this rating alone"
            ratings.record_failure(connection, tried[0], reason, None)
    return deaths


def _first_waiting(connection: Connection, limit: int, now: Milliseconds) -> list[int]:
    """Return the numbers that a daemon may have had in hand: the oldest new ones, and retries that are due."""
    return list(_FIRST(connection, limit, now, limit).scalars())


def mark(connection: Connection, numbers: Sequence[int]) -> None:
    """Note which ratings are about to be tried."""
    noted = notes.read(connection, _KEY) or {"deaths": {}}
    notes.put(connection, _KEY, {**noted, "trying": list(numbers)})


def cleared(connection: Connection) -> None:
    """Forget: the process survived all of them, or ended in order."""
    notes.put(connection, _KEY, None)
