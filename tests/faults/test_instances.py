"""A share of the suite `instances`: races for one report; the whole is `python -m tests.faults instances`."""

from __future__ import annotations

from tests.faults import instances


def test_of_ten_processes_asked_for_one_report_one_makes_it() -> None:
    """The others say that it was made already; each date has one row and one mail, which left once."""
    figures = instances.run(0, 1)
    assert figures.broken == []
    assert (figures.dates, figures.asked, figures.made) == (1, 10, 1)
    assert (figures.missing, figures.doubled) == (0, 0)
