"""A share of the suite `days`: years of reports over clock changes; the whole is `python -m tests.faults days`."""

from __future__ import annotations

import pytest

from tests.faults import days


@pytest.mark.parametrize("seed", [14, 43], ids=["Apia leaves out a date", "Cairo changes four times"])
def test_every_date_of_a_year_has_one_report_of_its_own_ratings(seed: int) -> None:
    """In one mail each, made at the first look after it fell due, whatever the clocks of the zone do."""
    figures = days.run(seed, 1)
    assert figures.broken == []
    assert (figures.missing, figures.doubled) == (0, 0)
    assert figures.days >= 365
    assert figures.at_change >= 2
