"""A share of the suite `clock`: a daemon whose clock is set; the whole is `python -m tests.faults clock`."""

from __future__ import annotations

from tests.faults import clock
from tests.faults.needs import need_faketime


def test_a_clock_set_by_decades_and_by_days_neither_stops_deliveries_nor_doubles_reports() -> None:
    """To 1970, then three days ahead, and right again; each date that fell due has one report, the one mail too."""
    need_faketime()
    figures = clock.run(0, 1, places=2)
    assert figures.broken == []
    assert figures.jumps == 3
    assert (figures.reports, figures.lost, figures.missing, figures.doubled) == (3, 0, 0, 0)
