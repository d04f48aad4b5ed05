"""`feedback import`: from the file to the summary."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.running import rows

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli, Ledger

DEADLINE = 30  # seconds
COUNTS = {"accepted": 0, "duplicates": 0, "conflicts": 0, "rejected": 0, "warnings": 0, "dry_run": False}


def test_the_same_file_again_adds_nothing(cli: Cli, folder: Path) -> None:
    """The counts go to stdout, the remark to stderr."""
    (folder / "r.csv").write_text("rating,comment\n5,good\n5,good\n1,bad\n")

    assert cli.ok("feedback", "import", "r.csv", "--json").json == COUNTS | {"accepted": 3}
    again = cli.ok("feedback", "import", "r.csv")

    assert again.out == "r.csv: accepted 0, duplicates 3, conflicts 0, rejected 0, warnings 0\n"
    assert again.err == "the duplicates were taken for old ones: they were in the ledger already\n"


def test_columns_are_mapped_and_constants_set(cli: Cli, folder: Path) -> None:
    """A column with a field's name needs no --map."""
    (folder / "r.csv").write_text("Stars,id\n4,r1\n")

    cli.ok(
        "feedback", "import", "r.csv", "--map", "rating=Stars", "--set", "item=umbrella", "--source", "shop"
    )

    one = cli.ok("feedback", "list", "--json").json[0]
    assert (one["rating"], one["item"], one["source"], one["external_id"]) == (4, "umbrella", "shop", "r1")


def test_a_conflict_is_counted_and_named_and_the_first_one_stays(cli: Cli, folder: Path) -> None:
    """It is no refused row: the exit code stays 0."""
    (folder / "r.csv").write_text("id,rating\nr1,5\nr1,1\n")

    result = cli.ok("feedback", "import", "r.csv", "--json")

    assert result.json == COUNTS | {"accepted": 1, "conflicts": 1}
    assert (
        result.err == "r.csv:3: conflict: id 'r1' is in the ledger with other content; the first one stays\n"
    )


def test_refused_rows_are_shown_until_there_are_too_many(cli: Cli, folder: Path) -> None:
    """Five are shown, the others counted, and the way to keep them is said."""
    (folder / "r.csv").write_text("rating\n5\n" + "9\n" * 7)

    result = cli("feedback", "import", "r.csv", "--json")

    assert (result.code, result.json) == (65, COUNTS | {"accepted": 1, "rejected": 7})
    assert result.said == [
        *(f"r.csv:{line}: rating must be a whole number from 1 to 5, got '9'" for line in range(3, 8)),
        "and 2 more refused rows",
        "use --rejects FILE to keep the refused rows",
    ]


def test_refused_rows_go_to_a_file(cli: Cli, folder: Path) -> None:
    """With line and reason, readable by its owner only."""
    (folder / "r.jsonl").write_text('{"rating": 5}\n{"rating": 9}\n')

    result = cli("feedback", "import", "r.jsonl", "--rejects", "bad.jsonl")

    assert result.code == 65
    assert result.err == "the refused rows are in bad.jsonl\n"
    assert json.loads((folder / "bad.jsonl").read_text())["line"] == 2
    assert (folder / "bad.jsonl").stat().st_mode & 0o077 == 0


def test_the_rejects_file_cannot_be_the_file_that_is_read(cli: Cli, folder: Path) -> None:
    """It would be emptied while it is read."""
    (folder / "r.csv").write_text("line,reason,row\n1,x,9\n")

    result = cli("feedback", "import", "r.csv", "--rejects", "./r.csv", "--map", "rating=row")

    assert result.code == 2
    assert result.err == "feedback-app: --rejects r.csv is the file that is read; choose another name\n"


def test_a_scale_of_its_own_says_what_is_valid(cli: Cli, folder: Path) -> None:
    """Ratings are taken as they are, never rescaled."""
    (folder / "r.csv").write_text("rating\n0.5\n4.5\n")

    cli.ok("feedback", "import", "r.csv", "--scale", "0.5..5/0.5")

    assert [one["rating"] for one in cli.ok("feedback", "list", "--json").json] == [0.5, 4.5]


def test_a_dry_run_judges_everything_and_stores_nothing(cli: Cli, folder: Path) -> None:
    """No ledger appears."""
    (folder / "r.csv").write_text("rating,customer,email\n5,c,x\n9,c,\n")

    result = cli("feedback", "import", "r.csv", "--dry-run", "--json")

    assert result.code == 65
    assert result.json == COUNTS | {"accepted": 1, "rejected": 1, "warnings": 1, "dry_run": True}
    assert not (folder / "feedback.db").exists()


def test_standard_input_needs_a_source(cli: Cli) -> None:
    """Rows without an id get one from the file's name, and there is none."""
    refused = cli("feedback", "import", "-", stdin=b"rating\n5\n")

    assert refused.code == 2
    assert refused.err == (
        "feedback-app: standard input has no file name to make ids of: give --source NAME, the same one for the "
        "same data\n"
    )
    assert (
        cli.ok("feedback", "import", "-", "--source", "s", "--json", stdin=b"rating\n5\n").json["accepted"]
        == 1
    )


def test_history_is_taken_in_without_thanks(cli: Cli, folder: Path) -> None:
    """--no-thanks holds for every row."""
    (folder / "r.csv").write_text("rating\n5\n")

    cli.ok("feedback", "import", "r.csv", "--no-thanks")

    assert cli.ok("feedback", "list", "--json").json[0]["thank"] is False


def test_channels_that_nobody_serves_are_named_once(cli: Cli, folder: Path) -> None:
    """However many customers prefer them."""
    (folder / "r.csv").write_text("rating,customer,preferred_channel\n5,c1,fax\n5,c2,fax\n5,c3,email\n")

    result = cli.ok("feedback", "import", "r.csv")

    assert result.err == (
        "warning: no installed plugin serves the channel 'fax'; it is kept (there are: email, sms)\n"
    )


def test_a_channel_that_is_set_for_all_rows_is_looked_at_too(cli: Cli, folder: Path) -> None:
    """The file itself has no column for it."""
    (folder / "r.csv").write_text("rating,customer\n5,c1\n")

    result = cli.ok("feedback", "import", "r.csv", "--set", "preferred_channel=fax")

    assert "no installed plugin serves the channel 'fax'" in result.err


def test_an_import_leaves_the_search_for_garbage_as_it_was(cli: Cli, folder: Path) -> None:
    """What it takes out of the search while it runs is given back."""
    (folder / "r.csv").write_text("rating\n5\n")

    cli.ok("feedback", "import", "r.csv")

    assert gc.get_freeze_count() == 0


@pytest.mark.parametrize(
    ("options", "code", "line"),
    [
        (["--map", "rating"], 2, "--map 'rating': FIELD=COLUMN is wanted"),
        (["--scale", "5..1"], 2, "--scale '5..1': a scale rises: 5..1 does not"),
        (["--source", " "], 2, "--source is blank; give a name such as import"),
        (["--source", "x" * 201], 2, "--source must be at most 200 characters, got 201"),
        (["--set", "rating=9"], 2, "--set rating: rating must be a whole number from 1 to 5, got '9'"),
        (["--rejects", "no/where.csv"], 73, "no/where.csv: the folder no does not exist"),
    ],
)
def test_bad_options_are_one_clear_line_and_nothing_is_stored(
    cli: Cli, folder: Path, options: list[str], code: int, line: str
) -> None:
    """They are judged before the first row."""
    (folder / "r.csv").write_text("rating\n5\n")

    result = cli("feedback", "import", "r.csv", *options)

    assert (code, f"feedback-app: {line}\n") == (result.code, result.err)
    assert not (folder / "feedback.db").exists()


def test_what_was_stored_before_the_file_broke_is_said(cli: Cli, folder: Path, ledger: Ledger) -> None:
    """Whole chunks of good rows stay; the file may be mended and imported again."""
    good = "id,rating\nr0,9\n" + "".join(f"r{number},5\n" for number in range(20_500))
    (folder / "r.csv").write_bytes(good.encode("utf-16") + b"\n")  # half a character at the end

    result = cli("feedback", "import", "r.csv", "--encoding", "utf-16")

    ((stored,),) = ledger.rows("SELECT count(*) FROM feedback")
    refused, hint, said, error = result.said
    assert (result.code, result.out) == (65, "")
    assert refused == "r.csv:2: rating must be a whole number from 1 to 5, got '9'"
    assert hint == "use --rejects FILE to keep the refused rows"
    assert error == "feedback-app: r.csv is not utf-16: truncated data; give --encoding"
    count = int(said.removeprefix("r.csv: at least ").partition(" ")[0].replace(",", ""))
    assert 10_000 < count <= stored == 20_000
    assert said.endswith(" rows are stored; the same command goes on where this one stopped")


def test_ctrl_c_ends_an_import_that_waits_and_says_how_much_is_stored(folder: Path) -> None:
    """The exit code is 130; what was committed stays, and the same command goes on."""
    command = [sys.executable, "-m", "feedback_app", "feedback", "import", "-", "--source", "pipe"]
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(b"id,rating\n" + b"".join(b"r%d,5\n" % number for number in range(20_500)))
        process.stdin.flush()
        # The last 500 rows make no whole chunk: the import now waits in a read for more.
        _wait_for_rows(folder / "feedback.db", 20_000)
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(DEADLINE) == 130
        said = process.stderr.read().decode().split("\n")
    assert said[0].startswith("standard input: at least 1")
    assert said[0].endswith(" rows are stored; the same command goes on where this one stopped")
    assert said[-2:] == ["feedback-app: interrupted", ""]


def _wait_for_rows(path: Path, wanted: int) -> None:
    """Return once another process has stored as many rows; fails after the deadline."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        if path.exists() and rows(path, "SELECT count(*) FROM feedback")[0][0] >= wanted:
            return
        time.sleep(0.01)
    raise AssertionError(f"{path} did not get {wanted} rows in {DEADLINE} s")


def test_real_reviews_come_in_whole(cli: Cli, shared_data: Path) -> None:
    """10,000 reviews with line breaks and quotes in them; the same file again adds nothing."""
    command = (
        "feedback", "import", str(shared_data / "womens_clothing_reviews.csv"), "--json",
        "--map", "rating=Rating", "--map", "item=Clothing ID", "--map", "comment=Review Text",
    )  # fmt: skip

    assert cli.ok(*command).json == COUNTS | {"accepted": 10_000}
    assert cli.ok(*command).json == COUNTS | {"duplicates": 10_000}


def test_half_stars_are_refused_or_taken_by_the_scale(cli: Cli, folder: Path, shared_data: Path) -> None:
    """The figures are those of the data set."""
    command = (
        "feedback", "import", str(shared_data / "movielens" / "ratings.csv"), "--json",
        "--map", "customer=userId", "--map", "item=itemId", "--map", "rating=rating",
    )  # fmt: skip

    refused = cli(*command, "--rejects", "bad.csv")
    assert (refused.code, refused.json) == (65, COUNTS | {"accepted": 70_438, "rejected": 30_398})
    assert len((folder / "bad.csv").read_text().splitlines()) == 30_399
    taken = cli.ok(*command, "--scale", "0.5..5/0.5").json
    assert taken == COUNTS | {"accepted": 30_398, "duplicates": 70_438}
