"""Addresses that nothing more is sent to, because it would never arrive."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from feedback_app.store.bulk import insert_rows
from feedback_app.store.sql import Members, Statement

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from sqlalchemy import Connection

    from feedback_app.model import Milliseconds

_AMONG = Statement(
    "SELECT address, reason FROM suppressed_address WHERE channel = ? AND address IN ({texts})"
)
_PAGE = Statement(
    "SELECT channel, address, reason, since FROM suppressed_address"
    " WHERE channel > ? OR (channel = ? AND address > ?) ORDER BY channel, address LIMIT ?"
)
_REMOVE = Statement("DELETE FROM suppressed_address WHERE channel = ? AND address = ?")


class Suppressed(NamedTuple):
    """One address of one channel."""

    channel: str
    address: str  # as `normal` writes it
    reason: str
    since: Milliseconds

    @property
    def id(self) -> tuple[str, str]:
        """The key."""
        return self.channel, self.address


def normal(address: str) -> str:
    """Return the form in which an address is kept: servers that tell upper from lower case are few."""
    return address.strip().casefold()


def add(connection: Connection, found: Iterable[Suppressed]) -> int:
    """Suppress addresses; one that is suppressed keeps its first reason. Returns how many are new."""
    rows = [(one.channel, normal(one.address), one.reason, one.since) for one in found]
    columns = ("channel", "address", "reason", "since")
    tail = "ON CONFLICT (channel, address) DO NOTHING"
    return insert_rows(connection, "suppressed_address", columns, rows, tail=tail)


def remove(connection: Connection, channel: str, address: str) -> bool:
    """Let messages go to an address again; False when it was not suppressed."""
    return _REMOVE(connection, channel, normal(address)).rowcount == 1


def among(connection: Connection, channel: str, addresses: Collection[str]) -> dict[str, str]:
    """Return the reasons of those of the addresses that are suppressed, by `normal` address."""
    found = _AMONG(connection, channel, Members({normal(one) for one in addresses}))
    return dict(tuple(row) for row in found)


def page(connection: Connection, *, after: tuple[str, str] | None, limit: int) -> Sequence[Suppressed]:
    """Return the next ones in order of channel and address."""
    channel, address = after or ("", "")
    return [Suppressed(*row) for row in _PAGE(connection, channel, channel, address, limit)]
