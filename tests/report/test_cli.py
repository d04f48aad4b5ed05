"""`feedback-app report`, as a person or cron calls it."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import socket
import sqlite3
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from feedback_app.cli import run_command_line
from feedback_app.store.sqlite.lock import LedgerLock
from feedback_app.store.sqlite.store import SqliteStore
from tests.report.ledgers import arrive, at, rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Where it is morning now, so that no midnight comes between; these zones count the hours west of Greenwich.
ZONE = ZoneInfo(f"Etc/GMT{(datetime.now(UTC).hour + 6) % 24 - 12:+d}")
TODAY = datetime.now(ZONE).date()
YESTERDAY = TODAY - timedelta(days=1)
PLUGINS = Path(__file__).parents[2] / "plugins"
CONFIG = f"""\
[plugins]
directory = "{PLUGINS}"
[plugins.email_notifier]
transport = "maildir"
maildir = "mail"
sender = "reports@example.com"
[reports.daily]
timezone = "{ZONE.key}"
to = ["ops@example.com"]
[reports.weekend]
timezone = "{ZONE.key}"
"""

Run = tuple[int, str, str]


@pytest.fixture
def feedback_app(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Run]:
    """Return the program, in a folder where three ratings came in yesterday and one today."""
    (tmp_path / "config.toml").write_text(CONFIG)

    async def fill() -> None:
        async with SqliteStore(tmp_path / "feedback.db") as store:
            await arrive(store, 5, 4, 1, item="hat", comment="Grün", moment=at(YESTERDAY, zone=ZONE))
            await arrive(store, 2, moment=at(TODAY, "00:00", ZONE))

    asyncio.run(fill())

    def run(*arguments: str) -> Run:
        code = run_command_line(["--config", str(tmp_path / "config.toml"), *arguments])
        return code, *capsys.readouterr()

    return run


def stored(folder: Path, sql: str) -> Sequence[tuple[object, ...]]:
    """Return what a query finds in the ledger."""

    async def look() -> Sequence[tuple[object, ...]]:
        async with SqliteStore(folder / "feedback.db") as store:
            return await rows(store, sql)

    return asyncio.run(look())


def test_build_prints_yesterdays_report_and_stores_nothing(
    feedback_app: Callable[..., Run], tmp_path: Path
) -> None:
    """Yesterday in the report's zone is what one wants to see."""
    code, out, err = feedback_app("report", "build")
    assert (code, err) == (0, "")
    assert "3 ratings, average 3.33, 1 low" in out
    assert stored(tmp_path, "SELECT * FROM report_run") == []


def test_build_of_today_says_so_far(feedback_app: Callable[..., Run]) -> None:
    """The day is not over, so its figures are no report yet."""
    code, out, _ = feedback_app("report", "build", "--date", str(TODAY))
    assert code == 0
    assert ", so far\n" in out
    assert "1 rating, " in out


def test_build_prints_every_format(feedback_app: Callable[..., Run]) -> None:
    """JSON and CSV are what programs read, HTML is a whole document."""
    data = json.loads(feedback_app("report", "build", "daily", "--format", "json")[1])
    assert (data["date"], data["ratings"], data["low"]) == (str(YESTERDAY), 3, 1)
    (row,) = csv.DictReader(io.StringIO(feedback_app("report", "build", "--format", "csv")[1]))
    assert (row["date"], row["ratings"]) == (str(YESTERDAY), "3")
    assert feedback_app("report", "build", "--format", "html")[1].startswith("<!DOCTYPE html>")


def test_build_writes_to_a_file(feedback_app: Callable[..., Run], tmp_path: Path) -> None:
    """Nothing is printed then; a place that cannot be written is said in one line."""
    file = tmp_path / "report.html"
    assert feedback_app("report", "build", "--format", "html", "-o", str(file)) == (0, "", "")
    assert "Grün" in file.read_text(encoding="utf-8")
    code, _, err = feedback_app("report", "build", "-o", str(tmp_path / "no" / "report.txt"))
    assert code == 73
    assert err == f"feedback-app: {tmp_path}/no/report.txt: cannot be written: No such file or directory\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("build dialy", "no report is named 'dialy'; did you mean 'daily'?"),
        ("build x", "no report is named 'x'; there are: daily, weekend"),
        ("send x", "no report is named 'x'; there are: daily, weekend"),
        ("list x", "no report is named 'x'; there are: daily, weekend"),
        ("build --date 2026-02-30", "--date '2026-02-30': not a date; write it as 2026-11-21"),
        ("build --date yesterday", "--date 'yesterday': not a date; write it as 2026-11-21"),
        ("build --date 0001-01-01", "--date 0001-01-01: too long ago; the earliest is 1970-01-08"),
        (
            "build --date 9999-12-31",
            f"--date 9999-12-31: that day has not begun in {ZONE.key}; the latest is {TODAY}",
        ),
        (
            f"send --date {TODAY}",
            f"--date {TODAY}: that day is not over in {ZONE.key}; the latest to send is {YESTERDAY}",
        ),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    feedback_app: Callable[..., Run], arguments: str, line: str
) -> None:
    """The exit code is that of a wrong call."""
    assert feedback_app("report", *arguments.split()) == (2, "", f"feedback-app: {line}\n")


def test_send_makes_and_delivers_the_report_once(feedback_app: Callable[..., Run], tmp_path: Path) -> None:
    """Cron may call it twice; one mail lies in the mailbox."""
    first, second = feedback_app("report", "send"), feedback_app("report", "send")
    assert first == (0, "", f"the report 'daily' of {YESTERDAY} is made for 1 recipient\nsent: 1\n")
    assert second == (0, "", f"the report 'daily' of {YESTERDAY} was already made\n")
    (file,) = (tmp_path / "mail" / "new").iterdir()
    mail = message_from_bytes(file.read_bytes(), policy=policy.default)
    assert mail["Subject"] == f"Ratings on {YESTERDAY}: 3 ratings, average 3.3, 1 low"
    assert [part.get_content_type() for part in mail.walk()][1:] == ["text/plain", "text/html"]
    assert stored(tmp_path, "SELECT state FROM message") == [("sent",)]


def test_send_leaves_the_delivery_to_a_running_daemon(
    feedback_app: Callable[..., Run], tmp_path: Path
) -> None:
    """The message waits in the outbox, where the daemon finds it."""
    lock = LedgerLock(tmp_path / "feedback.db")
    assert lock.try_acquire("daemon")
    try:
        code, _, err = feedback_app("report", "send")
    finally:
        lock.release()
    assert code == 0
    assert err.endswith("the running daemon delivers it\n")
    assert stored(tmp_path, "SELECT state FROM message") == [("queued",)]


# Once it has nothing more to send, and the ledger is still held, another command makes a report.
LATE = """
import subprocess, sys
from pathlib import Path
from feedback_app import *

HERE = Path(__file__).parent

class Chat(Notifier):
    channel = "chat"
    on_unknown = "resend"

    async def send(self, message):
        with (HERE / "sent.log").open("a") as log:
            log.write(message.subject.split(":")[0] + "\\n")
        return Receipt()

    async def close(self):
        if not (HERE / "other.log").exists():
            with (HERE / "other.log").open("w") as log:
                command = [sys.executable, "-m", "feedback_app", "--config", HERE.parent / "config.toml"]
                subprocess.run([*command, "report", "send", "weekend"], stdout=log, stderr=log, check=True)

@hookimpl
def make_notifier(settings):
    return Chat()
"""


def test_send_delivers_what_a_command_beside_it_left_to_it(
    feedback_app: Callable[..., Run], tmp_path: Path
) -> None:
    """Two reports are due at one hour, and cron calls for both: neither waits until the next day."""
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "chat.py").write_text(LATE)
    (tmp_path / "config.toml").write_text(f"""\
[reports.daily]
timezone = "{ZONE.key}"
channel = "chat"
to = ["team"]
[reports.weekend]
timezone = "{ZONE.key}"
channel = "chat"
to = ["owner"]
""")
    code, _, err = feedback_app("report", "send")
    assert (plugins / "other.log").read_text().endswith("the running daemon delivers it\n")
    assert (code, err.splitlines()[-1]) == (0, "sent: 2")
    assert (plugins / "sent.log").read_text().splitlines() == [f"Ratings on {YESTERDAY}"] * 2


def test_send_that_cannot_deliver_fails_and_can_be_called_again(
    feedback_app: Callable[..., Run], tmp_path: Path
) -> None:
    """Cron mails the line to somebody; the report itself is made and waits."""
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        smtp = (
            f'transport = "smtp"\nhost = "127.0.0.1"\nport = {nobody_listens.getsockname()[1]}\ntls = "none"'
        )
        (tmp_path / "config.toml").write_text(CONFIG.replace('transport = "maildir"', smtp))
        code, _, err = feedback_app("report", "send")
    assert code == 69
    assert err.splitlines()[-1] == (
        "feedback-app: not delivered: 1; `messages list` says why, `report send` tries what waits again"
    )
    assert stored(tmp_path, "SELECT count(*) FROM report_run") == [(1,)]


def test_send_without_recipients_only_keeps_the_report(
    feedback_app: Callable[..., Run], tmp_path: Path
) -> None:
    """An archive is a fine thing to have."""
    code, _, err = feedback_app("report", "send", "weekend")
    assert (code, "nobody gets it" in err) == (0, True)
    assert stored(tmp_path, "SELECT name, occasion FROM report_run") == [("weekend", "manual")]


def test_a_dry_run_says_who_would_get_what(feedback_app: Callable[..., Run], tmp_path: Path) -> None:
    """Nothing is made."""
    code, out, _ = feedback_app("report", "send", "--dry-run")
    assert code == 0
    assert out == f"Ratings on {YESTERDAY}: 3 ratings, average 3.3, 1 low\nto ops@example.com by email\n"
    assert stored(tmp_path, "SELECT * FROM report_run") == []


def test_list_shows_the_reports_made_newest_first(feedback_app: Callable[..., Run]) -> None:
    """As a table for people and as JSON for programs."""
    before = YESTERDAY - timedelta(days=1)
    for day in (before, YESTERDAY):
        feedback_app("report", "send", "--date", str(day))
    listed = json.loads(feedback_app("report", "list", "--json")[1])
    assert [(one["name"], one["date"], one["occasion"]) for one in listed] == [
        ("daily", str(YESTERDAY), "manual"),
        ("daily", str(before), "manual"),
    ]
    assert listed[0]["figures"]["ratings"] == 3
    table = feedback_app("report", "list", "daily")[1].splitlines()
    assert table[1].startswith(f"{YESTERDAY}\tdaily\tmanual\t")
    assert table[1].endswith("\t3\t3.33\t1")
    assert feedback_app("report", "list", "weekend", "--json") == (0, "[]\n", "")


def test_reports_of_an_older_program_are_listed(feedback_app: Callable[..., Run], tmp_path: Path) -> None:
    """Their figures know nothing of what analysers say."""
    code, _, err = feedback_app("report", "send", "weekend")
    assert code == 0, err
    ledger = sqlite3.connect(tmp_path / "feedback.db")
    ledger.execute("UPDATE report_run SET figures = json_remove(figures, '$.facts')")
    ledger.commit()
    ledger.close()

    code, out, _ = feedback_app("report", "list", "--json")

    assert code == 0
    (listed,) = json.loads(out)
    assert (listed["ratings"], "facts" in listed["figures"]) == (3, False)
