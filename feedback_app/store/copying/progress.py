"""How far a copy is: a note in the target, committed with each step, and the reason why nobody else may use it yet."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from feedback_app.errors import BadConfig, Busy
from feedback_app.store.sql import Statement

if TYPE_CHECKING:
    from sqlalchemy import Connection

KEY = "unfinished_copy"  # in `meta`

_BEGIN = Statement("INSERT INTO meta (key, value) VALUES (?, ?)")
_ADVANCE = Statement("UPDATE meta SET value = ? WHERE key = ? AND value = ?")
_END = Statement("DELETE FROM meta WHERE key = ? AND value = ?")


class Progress(NamedTuple):
    """What of the source is in the target."""

    ledger_id: str  # of the source
    table: str | None = None  # the one that is being copied, those before it are done; None: none is begun
    after: list[int | str] | None = None  # key of its last row that is there

    @classmethod
    def of(cls, noted: str) -> Progress:
        """Return what was noted."""
        return cls(*json.loads(noted))

    @property
    def text(self) -> str:
        """The note."""
        return json.dumps(self)


def begin(connection: Connection, first: Progress) -> None:
    """Note that a copy begins."""
    _BEGIN(connection, KEY, first.text)


def advance(connection: Connection, before: Progress, now: Progress) -> None:
    """Note a step. Raises Busy when somebody else went on with this copy."""
    if _ADVANCE(connection, now.text, KEY, before.text).rowcount != 1:
        raise _raced()


def end(connection: Connection, last: Progress) -> None:
    """Note that the copy is whole: from now on it is a ledger. Raises as `advance`."""
    if _END(connection, KEY, last.text).rowcount != 1:
        raise _raced()


def _raced() -> Busy:
    return Busy("another `db copy` writes into the same ledger")


def refuse_unfinished(name: str, noted: object) -> None:
    """Raise BadConfig for a ledger in which a copy is noted; `noted` is None in all others."""
    if noted is not None:
        raise BadConfig(f"{name}: an unfinished copy of a ledger; run the same `feedback-app db copy` again")
