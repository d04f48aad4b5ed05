"""What a class of things to delete is, and what all of them share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias

from feedback_app.store import notes
from feedback_app.store.sql import POSTGRESQL

if TYPE_CHECKING:
    from collections import Counter, defaultdict
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from feedback_app.model import Milliseconds
    from feedback_app.store.rollups import Rollup

Gone: TypeAlias = "defaultdict[int, Rollup]"  # by the quarter of an hour

NEVER: Milliseconds = -1  # nothing is older
UNLOCKED = {"unlocked": {POSTGRESQL: "FOR UPDATE SKIP LOCKED"}}
_KEY = "deleted_before"


@dataclass(frozen=True, kw_only=True, slots=True)
class Cutoffs:
    """For each class the moment before which things go, or NEVER."""

    attempts: Milliseconds = NEVER
    messages: Milliseconds = NEVER
    dead_messages: Milliseconds = NEVER
    low_ratings: Milliseconds = NEVER
    ratings: Milliseconds = NEVER
    reports: Milliseconds = NEVER
    dead_letters: Milliseconds = NEVER
    daemons: Milliseconds = NEVER
    tries: Milliseconds = NEVER


class Page(NamedTuple):
    """What a step is to delete, and where the next one goes on; None: there is nothing more."""

    ids: Sequence[Any]
    after: int | None


class Kind(ABC):
    """One class of things that are deleted.

    A query finds what is due, which holds nobody up; a unit of work looks again and deletes it.
    """

    name: ClassVar[str]  # as in `Cutoffs`

    @abstractmethod
    def find(self, connection: Connection, cutoffs: Cutoffs, after: int, limit: int) -> Page:
        """Return about `limit` of what is due behind the place `after`, first 0."""

    @abstractmethod
    def delete(
        self, connection: Connection, cutoffs: Cutoffs, ids: Sequence[Any], gone: Gone
    ) -> Counter[str]:
        """Delete what may still go, count in `gone` what reports count, and return how many rows went, by class."""

    @abstractmethod
    def count(self, connection: Connection, cutoffs: Cutoffs) -> int:
        """Return how many would go."""


def deleted_before(connection: Connection) -> Milliseconds:
    """Return the moment before which a rating may have had a message or a low rating that is deleted by now."""
    return int(notes.read(connection, _KEY) or 0)


def remember(connection: Connection, cutoff: Milliseconds) -> None:
    """Note that messages or low ratings of older ratings may be deleted."""
    if cutoff > deleted_before(connection):
        notes.put(connection, _KEY, cutoff)
