"""Where ratings come from by themselves: how far each source was read, whether it rests, and what was no rating."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import select

from feedback_app.store import ratings
from feedback_app.store.bulk import insert_rows
from feedback_app.store.sql import Statement
from feedback_app.store.tables import dead_letter

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Connection

    from feedback_app.model import Milliseconds
    from feedback_app.store.ratings import Arrival, Taken

_REGISTER = Statement("INSERT INTO source (name) VALUES (?) ON CONFLICT DO NOTHING")
_POSITION = Statement("SELECT position FROM source WHERE name = ?")
_PAUSED = Statement("SELECT name FROM source WHERE paused_at IS NOT NULL")
_PAUSE = Statement("UPDATE source SET paused_at = ? WHERE name = ? AND paused_at IS NULL")
_RESUME = Statement("UPDATE source SET paused_at = NULL WHERE name = ? AND paused_at IS NOT NULL")
_COUNT = Statement("UPDATE source SET received = received + ?, received_at = ? WHERE name = ?")
_GO_ON = Statement("UPDATE source SET position = ? WHERE name = ?")
_ALL = Statement(
    "SELECT s.name, s.paused_at, s.received, s.received_at,"
    " (SELECT count(*) FROM dead_letter AS d WHERE d.source = s.name) AS dead FROM source AS s ORDER BY s.name"
)
_DEAD_COLUMNS = ("source", "key", "external_id", "payload", "reason", "received_at")


class DeadLetter(NamedTuple):
    """A payload that is no rating."""

    key: bytes  # over id and payload: one that comes again is the same
    external_id: str | None
    payload: bytes  # as it came; the beginning of one that is too large
    reason: str


class Delivery(NamedTuple):
    """What came of one `receive`, to be made true together."""

    source: str
    arrivals: Sequence[Arrival]
    dead: Sequence[DeadLetter]
    position: str | None  # None: as before


def register(connection: Connection, names: Collection[str]) -> None:
    """Note which sources there are."""
    for name in names:
        _REGISTER(connection, name)


def position(connection: Connection, name: str) -> str | None:
    """Return where the source goes on from."""
    found: str | None = _POSITION(connection, name).scalar_one_or_none()
    return found


def take_delivery(connection: Connection, delivery: Delivery, now: Milliseconds) -> list[Taken]:
    """Store ratings, dead letters, position and counters; says for each arrival what became of it."""
    taken = ratings.take_in(connection, delivery.arrivals, now)
    rows = [(delivery.source, *letter, now) for letter in delivery.dead]
    insert_rows(connection, "dead_letter", _DEAD_COLUMNS, rows, tail="ON CONFLICT DO NOTHING")
    _COUNT(connection, len(delivery.arrivals) + len(delivery.dead), now, delivery.source)
    if delivery.position is not None:
        _GO_ON(connection, delivery.position, delivery.source)
    return taken


def paused(connection: Connection) -> set[str]:
    """Return the names of the sources that are to rest."""
    return {str(name) for (name,) in _PAUSED(connection)}


def pause(connection: Connection, name: str, now: Milliseconds) -> bool:
    """Let a source rest; says whether that is new."""
    register(connection, [name])
    return _PAUSE(connection, now, name).rowcount == 1


def resume(connection: Connection, name: str) -> bool:
    """Let it go on; says whether that is new."""
    return _RESUME(connection, name).rowcount == 1


def known(connection: Connection) -> dict[str, dict[str, Any]]:
    """Return what the ledger knows of each source: paused_at, received, received_at, dead."""
    return {row["name"]: dict(row) for row in _ALL(connection).mappings()}


def dead_letters(connection: Connection, name: str | None, limit: int | None) -> list[dict[str, Any]]:
    """Return the newest dead letters, of one source or of all."""
    query = select(dead_letter).order_by(dead_letter.c.id.desc())
    if name is not None:
        query = query.where(dead_letter.c.source == name)
    if limit is not None:
        query = query.limit(limit)
    return [dict(row) for row in connection.execute(query).mappings()]
