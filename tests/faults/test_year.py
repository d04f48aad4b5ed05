"""A share of the suite `year`: a quarter with few ratings; the whole is `python -m tests.faults year`."""

from __future__ import annotations

from tests.faults import year


def test_a_daemon_stays_as_it_is_for_months() -> None:
    """Its ledger, its memory and its open files; each day has its report, and those over the past are right."""
    figures = year.run(1, 1, days=100, a_day=40, growth=0.15)
    assert figures.broken == []
    assert (figures.missing, figures.doubled) == (0, 0)
    assert figures.reports == 100
    assert figures.deleted > 100 * 40
