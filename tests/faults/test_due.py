"""A share of the suite `due`: kills around the hour of the report; the whole is `python -m tests.faults due`."""

from __future__ import annotations

from tests.faults import due
from tests.faults.needs import need_faketime


def test_a_daemon_killed_when_the_report_is_due_makes_each_once() -> None:
    """Killed before it, after it, or while its mail leaves: one row and one mail for each date."""
    need_faketime()
    figures = due.run(0, 8)
    assert figures.broken == []
    assert figures.kills == figures.dates == 8
    assert figures.before + figures.between + figures.after == 8
    assert (figures.missing, figures.doubled) == (0, 0)
