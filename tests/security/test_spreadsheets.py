"""A spreadsheet that opens an export calculates nothing of it (S7), whatever delimiter it takes."""

from __future__ import annotations

import csv
import dataclasses
import io
from typing import TYPE_CHECKING

import pytest

from feedback_app.report.export import harmless, to_csv
from feedback_app.report.sample import sample_day
from tests.making import incoming

if TYPE_CHECKING:
    from tests.cli.conftest import Cli, Ledger

FIRST = ["=", "+", "-", "@", "\t", "\r", "\n", "\0", "\uff1d", "\uff0b", "\uff0d", "\uff20"]


@pytest.mark.parametrize("first", FIRST, ids=ascii)
@pytest.mark.parametrize("before", ["", " ", "\u3000", "\t\t", "\r\n", "\0", '"'], ids=ascii)
def test_no_cell_begins_as_a_formula(before: str, first: str) -> None:
    """Each first character that some program calculates, in full-width form too, and behind what is skipped."""
    shown = str(harmless(f"{before}{first}1+1"))

    assert not _calculates(shown)
    assert shown.replace("'", "") == f"{before}{first}1+1"


@pytest.mark.parametrize("opening", ["", " ", '"', '" '], ids=ascii)
@pytest.mark.parametrize("separator", [";", "\t", "|", "\n", "\r\n", "\r"], ids=ascii)
def test_no_delimiter_of_another_country_makes_a_formula(
    separator: str, opening: str, cli: Cli, ledger: Ledger
) -> None:
    """Where `;` separates, the quotes around our texts are not seen, and a text can begin a cell or a row."""
    trick = f'nice{separator}{opening}=1+1&"'
    ledger.processed([incoming(rating=2, comment=trick)])
    day = sample_day()
    day = dataclasses.replace(
        day, lowest_items=(dataclasses.replace(day.lowest_items[0], item=trick), *day.lowest_items)
    )

    for page in (cli.ok("low-ratings", "export").out, to_csv([day])):
        assert "nice" in page
        for delimiter in (",", ";", "\t", "|"):
            for row in csv.reader(io.StringIO(page, newline=""), delimiter=delimiter):
                assert not [cell for cell in row if "1+1" in cell and _calculates(cell)]


def test_raw_is_asked_for(cli: Cli, ledger: Ledger) -> None:
    """Programs get the texts as they are, by an option that nobody gives by accident."""
    ledger.processed([incoming(rating=2, comment="=1+1")])

    assert '"=1+1"' in cli.ok("low-ratings", "export", "--raw").out


@pytest.mark.parametrize(
    "text", ["", "fine", "1=1", "a-b", "a - b", "5 + 5", "me@example.org", "fine; and cheap", "two\nlines"]
)
def test_ordinary_texts_stay_as_they_are(text: str) -> None:
    """No apostrophe where nothing could be calculated."""
    assert harmless(text) == text


def _calculates(cell: str) -> bool:
    """Say whether a spreadsheet may take this for a formula: it skips blanks, controls and quotes before it."""
    return cell.lstrip(' \t\r\n\0"\u3000\ufeff').startswith(tuple("=+-@\uff1d\uff0b\uff0d\uff20"))
