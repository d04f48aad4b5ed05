"""`db trim`: what is past its time goes at once, and what went is said."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from feedback_app.clock import now_ms
from tests.cli.conftest import Cli, Ledger
from tests.making import incoming

PLACE = "retention.deleted"
DAY = 86_400_000  # milliseconds
CONFIG = '[retention]\nmessages = "30d"\nratings = "30d"\n'
NOTHING = dict.fromkeys(
    (
        "attempts",
        "messages",
        "dead_messages",
        "low_ratings",
        "ratings",
        "reports",
        "dead_letters",
        "daemons",
        "tries",
    ),
    0,
)


@pytest.fixture
def old(ledger: Ledger, folder: Path) -> Ledger:
    """Give a ledger with 600 ratings that are past their time."""
    (folder / "config.toml").write_text(CONFIG)
    arrivals = [incoming(f"r{number}", rating=number % 5 + 1) for number in range(600)]
    ledger.processed(arrivals, ended="thanked", now=now_ms() - 40 * DAY)
    return ledger


def test_it_says_what_goes_and_then_what_went(old: Ledger, cli: Cli) -> None:
    """A dry run deletes nothing; a second run finds nothing."""
    dry = cli.ok("db", "trim", "--dry-run", "--json").json
    assert dry == {"dry_run": True, "deleted": {**NOTHING, "ratings": 600}}
    assert old.rows("SELECT count(*) FROM feedback") == [(600,)]
    done = cli.ok("db", "trim", "--json").json
    assert done["deleted"] == {**NOTHING, "ratings": 600}
    assert done["complete"]
    assert done["steps"] > 1
    assert old.rows("SELECT count(*) FROM feedback") == [(0,)]
    assert cli.ok("db", "trim", "--json").json["deleted"] == NOTHING


def test_people_get_a_table(old: Ledger, cli: Cli) -> None:
    """With how long each class is kept."""
    dry = cli.ok("db", "trim", "--dry-run")
    assert "ratings\t30d\t600" in dry.out.splitlines()
    assert "low_ratings\tforever\t0" in dry.out.splitlines()
    assert dry.said == ["dry run: nothing was deleted"]
    (said,) = cli.ok("db", "trim").said
    assert "steps, the slowest held the ledger for" in said


def test_the_report_says_that_low_ratings_were_deleted(old: Ledger, cli: Cli, folder: Path) -> None:
    """In one line; the counts stand."""
    (day,) = old.rows("SELECT date(received_at / 1000, 'unixepoch') FROM feedback LIMIT 1")[0]
    before = json.loads(cli.ok("report", "build", "--date", day, "--format", "json").out)
    cli.ok("db", "trim")
    after = json.loads(cli.ok("report", "build", "--date", day, "--format", "json").out)
    assert (before["low_deleted"], after["low_deleted"]) == (0, 240)
    assert {**before, "low_deleted": 240, "read_at": after["read_at"]} == after
    for form in ("text", "html"):
        assert (
            "240 low ratings and what was said in them were deleted"
            in cli.ok("report", "build", "--date", day, "--format", form).out
        )


@pytest.mark.parametrize("nth", [1, 3])
def test_a_kill_in_the_middle_of_a_step_changes_no_report(
    old: Ledger, cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    """A row is there or counted, never both, never neither; the next run does the rest."""
    (day,) = old.rows("SELECT date(received_at / 1000, 'unixepoch') FROM feedback LIMIT 1")[0]
    build = ("report", "build", "--date", day, "--format", "json")
    before = json.loads(cli.ok(*build).out)
    monkeypatch.setenv("FEEDBACK_FAILPOINT", f"{PLACE}:kill:{nth}")
    monkeypatch.setenv("FEEDBACK_FAILPOINT_TEST", "yes")
    killed = subprocess.run([sys.executable, "-m", "feedback_app", "db", "trim"], check=False)
    assert killed.returncode == -9
    for name in ("FEEDBACK_FAILPOINT", "FEEDBACK_FAILPOINT_TEST"):
        monkeypatch.delenv(name)
    (left,) = old.rows("SELECT count(*) FROM feedback")[0]
    assert left == (600 if nth == 1 else left)
    for _ in range(2):
        after = json.loads(cli.ok(*build).out)
        assert (after["ratings"], after["stars"]) == (before["ratings"], before["stars"])
        cli.ok("db", "trim")
    assert old.rows("SELECT count(*) FROM feedback") == [(0,)]


def test_a_replay_thanks_nobody_whose_message_may_be_gone(old: Ledger, cli: Cli, folder: Path) -> None:
    """Only their analysis is looked at."""
    (folder / "config.toml").write_text('[retention]\nmessages = "30d"\n')
    old.write(lambda connection: connection.exec_driver_sql(
        "INSERT INTO message (message_id, dedupe_key, purpose, feedback_id, channel, recipient, subject, text, html,"
        " state, created_at, next_attempt_at, settled_at)"
        " SELECT 'm' || id, 'thanks:' || id, 'thanks', id, 'email', 'a@example.com', '', '', '', 'sent',"
        " received_at, received_at, received_at FROM feedback"
    ))  # fmt: skip
    cli.ok("customers", "add", "--id", "c1", "--email", "ada@example.com")
    assert cli.ok("db", "trim", "--json").json["deleted"]["messages"] == 600
    cli.ok("feedback", "replay", "--since", "2020-01-01", "--until", "2100-01-01")
    assert old.rows("SELECT count(*) FROM message") == [(0,)]
    assert old.rows("SELECT count(*) FROM low_rating") == [(0,)]
