"""How messages ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from feedback_app.store.sql import Members, Statement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from feedback_app.model import Milliseconds


class End(NamedTuple):
    """How a message ended."""

    state: Literal["sent", "suppressed", "dead"]
    at: Milliseconds
    reason: str | None


_ENDS = Statement(
    "SELECT id, state, settled_at, error FROM message WHERE id IN ({bigints}) AND settled_at IS NOT NULL"
)


def of(connection: Connection, numbers: Sequence[int]) -> dict[int, End]:
    """Return how those of the messages ended that have."""
    return {number: End(*end) for number, *end in _ENDS(connection, Members(numbers))}
