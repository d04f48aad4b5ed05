"""How much room a ledger takes, and what of it takes how much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Room(NamedTuple):
    """What a ledger takes and what is left, in bytes; None: does not apply, or cannot be told."""

    ledger: int
    log: int | None = None  # beside an SQLite file: committed and not yet folded back into it
    free: int | None = None  # what may still be written beside an SQLite file


@dataclass(frozen=True, kw_only=True, slots=True)
class TableSize:
    """One table with its indices; sizes in bytes."""

    name: str
    rows: int
    table: int
    indices: int

    @property
    def total(self) -> int:
        """Both together."""
        return self.table + self.indices


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """A whole ledger; sizes in bytes."""

    tables: Sequence[TableSize]  # the largest first
    total: int  # all tables and what is free; of a server's database whatever else is in it, too
    free: int | None  # of that, kept for what comes next; None: not known
    file: int | None  # on the disk; None: the server's own affair
    log: int | None  # what is written and not yet folded in, beside the file
    exact: bool  # whether tables and indices were measured; else it is an estimate by some of their rows


def largest_first(tables: Sequence[TableSize]) -> list[TableSize]:
    """Return them in the order in which people look for what is large."""
    return sorted(tables, key=lambda one: (-one.total, one.name))
