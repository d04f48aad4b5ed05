"""A share of the suites `year` and `trim`: a quarter with few ratings, a small ledger."""

from __future__ import annotations

from tests.faults import trim, year


def test_somebody_writes_while_rows_are_deleted() -> None:
    """A share of the suite `trim`; how long they wait is judged there."""
    figures = trim.run(0, 3)
    assert figures.broken == []
    assert figures.deleted > 1_500
    assert figures.writes > 10


def test_a_daemon_stays_as_it_is_for_months() -> None:
    """Its ledger, its memory and its open files; each day has its report, and those over the past are right."""
    figures = year.run(1, 1, days=100, a_day=40, growth=0.15)
    assert figures.broken == []
    assert (figures.missing, figures.doubled) == (0, 0)
    assert figures.reports == 100
    assert figures.deleted > 100 * 40
