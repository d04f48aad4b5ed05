"""How many messages a provider may be given: by the second, and by the rolling day. Shared by all daemons of a ledger.

Both are rows, so that neither a restart nor another daemon forgets what has left. The second's limit keeps the moment
when the next message may go (the generic cell rate algorithm, ITU-T I.371), with a burst of one second's worth. The
day's counts tries by the minute in which they ended, and adds what is being sent now. A minute counts until it lies a
whole day back. What ended while a clock was ahead counts for the day that it showed. Minutes are forgotten by what
deletes, see `store.retention`: a clock that is ahead must not make the others forget what they have sent.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from feedback_app.clock import JUMP
from feedback_app.store.sql import POSTGRESQL, Statement

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from feedback_app.model import Milliseconds
    from feedback_app.store.outbox import Attempt

_MINUTE = 60_000
_DAY = 24 * 60 * _MINUTE
_SKEW = (
    int(JUMP) // 60
)  # minutes by which another's clock may be ahead; what lies further, a wrong one has noted

_LOCK = {"locked": {POSTGRESQL: "FOR UPDATE"}}
_MAKE = Statement("INSERT INTO rate (provider, next_at) VALUES (?, 0) ON CONFLICT (provider) DO NOTHING")
_NEXT_AT = Statement("SELECT next_at FROM rate WHERE provider = ? {locked}", only=_LOCK)
_PEEK = Statement("SELECT next_at FROM rate WHERE provider = ?")
_ADVANCE = Statement("UPDATE rate SET next_at = ? WHERE provider = ?")
_USED = Statement(
    "SELECT minute, tries FROM tries_by_minute WHERE provider = ? AND minute > ? AND minute <= ? ORDER BY minute"
)
# Repeats the condition of the partial index: SQLite does not conclude it from one state alone.
_SENDING = Statement(
    "SELECT count(*) FROM message WHERE state IN ('sending', 'held', 'suppressed', 'dead') AND state = 'sending'"
    " AND channel = ? AND provider = ?"
)
_COUNT = Statement(
    "INSERT INTO tries_by_minute (provider, minute, tries) VALUES (?, ?, ?)"
    " ON CONFLICT (provider, minute) DO UPDATE SET tries = tries_by_minute.tries + excluded.tries"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """What one provider is given at most; 0 means no limit."""

    provider: str  # the plugin
    channel: str
    per_second: float = 0.0
    per_day: int = 0  # in any 24 hours

    @property
    def is_set(self) -> bool:
        """Whether there is any."""
        return bool(self.per_second or self.per_day)


@dataclass(frozen=True, kw_only=True, slots=True)
class Allowance:
    """How many messages may be claimed now, and when to ask again if none."""

    count: int
    again_at: Milliseconds = 0


def allowance(
    connection: Connection, limit: Limit, room: int, now: Milliseconds, *, only_look: bool = False
) -> Allowance:
    """Return what may be claimed, at most `room`; until the transaction's end nobody else is told more."""
    if not only_look:
        _MAKE(connection, limit.provider)
    next_at = (_PEEK if only_look else _NEXT_AT)(connection, limit.provider).scalar_one_or_none() or 0
    by_day = _by_day(connection, limit, room, now) if limit.per_day else Allowance(count=room)
    by_second = _by_second(limit, int(next_at), room, now) if limit.per_second else Allowance(count=room)
    return min(by_day, by_second, key=lambda one: (one.count, -one.again_at))


def _by_second(limit: Limit, next_at: Milliseconds, room: int, now: Milliseconds) -> Allowance:
    interval = 1000 / limit.per_second  # milliseconds
    start = _start(limit, next_at, now)
    if start > now:
        return Allowance(count=0, again_at=start)
    return Allowance(count=min(room, int((now - start) // interval) + 1), again_at=start)


def _start(limit: Limit, next_at: Milliseconds, now: Milliseconds) -> Milliseconds:
    """Return when the first of the messages that are saved up might have gone.

    A clock that was set back waits for a second, not for the time that it showed.
    """
    interval = 1000 / limit.per_second
    earliest = now - max(0, int(1000 - interval))
    return max(earliest, min(next_at, now + max(1000, int(interval))))


def _by_day(connection: Connection, limit: Limit, room: int, now: Milliseconds) -> Allowance:
    # In this order: each look has a snapshot of its own, and a try that ends between them is to count twice, not never.
    sending = int(_SENDING(connection, limit.channel, limit.provider).scalar_one())
    minutes = _used(connection, limit.provider, now)
    left = limit.per_day - sending - sum(tries for _, tries in minutes)
    oldest = minutes[0][0] if minutes else now // _MINUTE
    return Allowance(count=max(0, min(room, left)), again_at=(oldest + 1) * _MINUTE + _DAY)


def used(connection: Connection, provider: str, now: Milliseconds) -> int:
    """Return how many tries ended within the day that counts for `per_day`."""
    return sum(tries for _, tries in _used(connection, provider, now))


def _used(connection: Connection, provider: str, now: Milliseconds) -> list[tuple[int, int]]:
    """Return (minute, tries) of the day, the oldest first."""
    found = _USED(connection, provider, _expired(now), now // _MINUTE + _SKEW)
    return [(int(minute), int(tries)) for minute, tries in found]


def _expired(now: Milliseconds) -> int:
    """Return the newest minute that lies a whole day back."""
    return (now - _DAY) // _MINUTE - 1


def claimed(connection: Connection, limit: Limit, count: int, now: Milliseconds) -> None:
    """Note that so many were claimed, in the transaction of their allowance."""
    if limit.per_second and count:
        next_at = int(_NEXT_AT(connection, limit.provider).scalar_one())
        start = _start(limit, next_at, now)
        # Rounded up: a fraction less with each claim would add up to more than the limit.
        _ADVANCE(connection, start + ceil(count * 1000 / limit.per_second), limit.provider)


def settled(connection: Connection, limit: Limit, attempts: Iterable[Attempt]) -> None:
    """Count tries that ended, in the transaction that records them."""
    if not limit.per_day:
        return
    by_minute = Counter(one.ended_at // _MINUTE for one in attempts)
    for minute in sorted(by_minute):
        _COUNT(connection, limit.provider, minute, by_minute[minute])
