"""Copies that are killed: a seeded share of the suite."""

from __future__ import annotations

from tests.faults import copying


def test_a_copy_that_is_killed_goes_on_and_ends_the_same() -> None:
    """Once to either database, in the middle of chunks and between them."""
    figures = copying.run(4, 2, count=800)
    assert figures.broken == []
    assert (figures.copies, figures.kills > 0) == (2, True)
    assert figures.refused > 0
