"""How a report looks as JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta

import pytest

from feedback_app.report.export import to_csv, to_json
from tests.report.days import day, empty
from tests.report.ledgers import DAY


def test_json_has_every_figure_under_its_name() -> None:
    """Programs read moments with their offset, shares as fractions, missing values as null."""
    data = json.loads(to_json(day()))
    assert data["date"] == "2026-11-21"
    assert data["complete"] is True
    assert (data["ratings"], data["average"], data["low"]) == (42, 4.12, 5)
    assert data["stars"][0] == {"rating": 5, "count": 30, "share": 0.714286}
    assert data["start"] == "2026-11-21T00:00:00+01:00"
    assert data["open_low"] == {"count": 9, "oldest_since": "2026-11-21T09:30:00+01:00"}
    assert data["week_before"] is None


def test_csv_has_one_row_per_day_with_the_same_columns() -> None:
    """A day without ratings leaves cells empty."""
    first, second = csv.DictReader(io.StringIO(to_csv([day(), empty(DAY + timedelta(days=1))])))
    assert (first["date"], first["ratings"], first["average"], first["rating_5"]) == (
        "2026-11-21",
        "42",
        "4.12",
        "30",
    )
    assert (second["date"], second["ratings"], second["average"], second["lowest_item"]) == (
        "2026-11-22",
        "0",
        "",
        "",
    )


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\0", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_csv_disarms_formulas(first: str) -> None:
    """A spreadsheet shows what a customer wrote and does not calculate it (OWASP, CSV injection)."""
    (row,) = csv.DictReader(io.StringIO(to_csv([day(item=f"{first}1+1")]), newline=""))
    assert row["lowest_item"] == f"'{first}1+1"
