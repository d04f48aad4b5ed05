"""The file of refused rows."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import pytest

from feedback_app.errors import CannotCreate, StorageFailed
from feedback_app.intake.records import Reject
from feedback_app.intake.rejects import RejectsWriter

if TYPE_CHECKING:
    from pathlib import Path

REJECT = Reject(7, "rating is missing", 'a,"b\r\nc",é')


def test_rejects_come_back_as_they_were(tmp_path: Path) -> None:
    """As CSV and as JSON lines."""
    for form, name in (("csv", "r.csv"), ("jsonl", "r.jsonl")):
        with RejectsWriter(tmp_path / name, format=form) as writer:  # type: ignore[arg-type]
            writer.write(REJECT)
            writer.write(REJECT)
        assert writer.written == 2
    with (tmp_path / "r.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [{"line": "7", "reason": "rating is missing", "row": REJECT.raw}] * 2
    lines = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert lines == [{"line": 7, "reason": "rating is missing", "row": REJECT.raw}] * 2


def test_without_a_reject_there_is_no_file(tmp_path: Path) -> None:
    """An empty file would look like trouble."""
    with RejectsWriter(tmp_path / "r.csv", format="csv"):
        pass
    assert not (tmp_path / "r.csv").exists()


def test_customers_data_are_for_the_owner_only(tmp_path: Path) -> None:
    """Mode 600, whatever the umask allows."""
    with RejectsWriter(tmp_path / "r.csv", format="csv") as writer:
        writer.write(REJECT)
    assert (tmp_path / "r.csv").stat().st_mode & 0o777 == 0o600


def test_a_second_run_replaces_the_rejects_of_the_first(tmp_path: Path) -> None:
    """Of either form."""
    path = tmp_path / "rejects"
    for form, count in (("csv", 3), ("jsonl", 2), ("csv", 1)):
        with RejectsWriter(path, format=form) as writer:  # type: ignore[arg-type]
            for _ in range(count):
                writer.write(REJECT)
    assert path.read_text().count("rating is missing") == 1


def test_any_other_file_is_never_overwritten(tmp_path: Path) -> None:
    """The input itself would be the worst."""
    path = tmp_path / "ratings.csv"
    path.write_text("rating\n5\n")
    with pytest.raises(CannotCreate, match="exists and holds no rejects: choose another name"):
        RejectsWriter(path, format="csv")
    assert path.read_text() == "rating\n5\n"


def test_a_place_that_cannot_take_a_file_is_refused_at_once(tmp_path: Path) -> None:
    """Before the first row is read."""
    with pytest.raises(CannotCreate, match="does not exist"):
        RejectsWriter(tmp_path / "none" / "r.csv", format="csv")
    with pytest.raises(CannotCreate, match="is a folder"):
        RejectsWriter(tmp_path, format="csv")


def test_a_full_disk_is_an_io_error(tmp_path: Path) -> None:
    """Exit code 74, whether it shows while writing or at the end."""
    path = tmp_path / "full"
    path.symlink_to("/dev/full")
    for number in (1, 10_000):
        writer = RejectsWriter(path, format="csv")
        with pytest.raises(StorageFailed, match="writing failed: No space left on device"):
            _write(writer, number)


def _write(writer: RejectsWriter, number: int) -> None:
    with writer:
        for _ in range(number):
            writer.write(REJECT)


def test_bytes_that_did_not_decode_are_written_out(tmp_path: Path) -> None:
    """So the rejects file is always UTF-8."""
    with RejectsWriter(tmp_path / "r.csv", format="csv") as writer:
        writer.write(Reject(1, "x", "caf\udce9"))
    assert "caf\\udce9" in (tmp_path / "r.csv").read_text()
