"""Nobody poses as another by directions and characters without width (S29), nor moves a terminal's cursor (S17)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli

DISGUISES = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\u200b\u2060\ufeff\u00ad"
CURSOR = "\x1b[2J\x1b]0;title\x07\x9b2J\b\r\x7f\u2028\u2029\x85"  # clears the screen, renames the window, …
UNSEEN = {letter for letter in DISGUISES + CURSOR if not letter.isprintable()}


@pytest.fixture
def today(cli: Cli, folder: Path) -> str:
    """Keep a low rating whose every text is in disguise; returns the day on which it arrived."""
    (folder / "config.toml").write_text('[reports.daily]\ntimezone = "UTC"\n')
    cli.ok(
        *("feedback", "add", "--id", "r1", "--customer", "c1", "--rating", "1"),
        *(
            "--item",
            f"Red{DISGUISES}boots",
            "--comment",
            f"gnp.{DISGUISES}{CURSOR}exe",
            "--name",
            f"An{DISGUISES}na",
        ),
    )
    cli.ok("run", "--drain")
    (rating,) = cli.ok("feedback", "list", "--json").json
    return str(rating["received_at"][:10])


LISTS = ("low-ratings list", "low-ratings show 1", "feedback list", "feedback explain 1", "customers list",
         "customers show c1", "status")  # fmt: skip


def test_a_report_shows_them_for_what_they_are(cli: Cli, today: str) -> None:
    """What turns or hides letters is left out or stands there by its number."""
    for form in ("text", "html", "csv"):
        page = cli.ok("report", "build", "daily", "--date", today, "--format", form).out

        assert "Red[U+202A]" in page
        assert not set(page) & UNSEEN
        assert form == "csv" or "gnp.[U+202A]" in page


def test_no_list_and_no_story_prints_them(cli: Cli, today: str) -> None:
    """Whoever looks at a terminal sees what is there, in the order in which it is there."""
    for command in LISTS:
        page = cli.ok(*command.split()).out

        assert page
        assert not set(page) & UNSEEN


def test_an_error_does_not_either(cli: Cli, folder: Path) -> None:
    """A name that was typed comes back visible."""
    refused = cli("feedback", "add", "--rating", f"1{DISGUISES}{CURSOR}")

    assert refused.code != 0
    assert refused.err
    assert not set(refused.err) & UNSEEN
