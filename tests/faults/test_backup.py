"""Backups under load: a seeded share of the suite."""

from __future__ import annotations

from tests.faults import backup


def test_backups_under_load_hold_what_was_acknowledged() -> None:
    """Each is restored and worked on; the ledger in use loses and doubles nothing meanwhile."""
    figures = backup.run(3, 2, backlog=500)
    assert figures.broken == []
    assert figures.backups == 2
    assert figures.meanwhile > 0
    assert (figures.lost, figures.doubled, figures.leaks) == (0, 0, 0)
