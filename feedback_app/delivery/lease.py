"""Whether what was claimed is still ours."""

from __future__ import annotations

from typing import Protocol


class LeaseHolder(Protocol):
    """Under whose id messages are claimed, and whether that still counts."""

    owner: str

    def holds(self, owner: str | None = None) -> bool:
        """Whether what was claimed (under `owner`) is surely still ours."""


class Alone:
    """The one daemon of a ledger: nobody takes anything away from it."""

    def __init__(self, boot_id: str) -> None:
        self.owner = boot_id

    def holds(self, owner: str | None = None) -> bool:
        """Return True."""
        return True
