"""`db backup`, `db restore`, `db check`, `db size` as people and programs meet them."""

from __future__ import annotations

import os
import pty
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from feedback_app.store.migrate import HEAD
from feedback_app.store.sqlite.lock import LedgerLock
from tests.cli.conftest import Cli, Ledger
from tests.copies import damage, fill
from tests.making import incoming, message
from tests.postgres import Server


@pytest.fixture
def filled(folder: Path) -> Path:
    """Make a ledger with rows in every table."""
    fill(folder / "feedback.db")
    return folder / "feedback.db"


def test_a_backup_says_what_is_in_it(cli: Cli, filled: Path) -> None:
    """In a line for people, and whole for programs."""
    said = cli.ok("db", "backup", "b.db").out
    size = (filled.parent / "b.db").stat().st_size
    assert re.fullmatch(
        rf"b\.db: 12 ratings, 12 messages, schema \d{{4}}, {size:,} bytes in [\d.]+ s; verified\n", said
    )
    data = cli.ok("db", "backup", "c.db", "--json").json
    assert (data["file"], data["ratings"], data["messages"], data["bytes"]) == ("c.db", 12, 12, size)
    assert data["tables"]["customer"] == 12
    assert data["seconds"] >= 0


def test_a_restore_says_what_it_did(cli: Cli, ledger: Ledger) -> None:
    """What is held, what the old one has more, and where that is."""
    ledger.take_in(incoming("r1"), incoming("r2"))
    ledger.enqueue(message(1, feedback=1))
    cli.ok("db", "backup", "b.db")
    ledger.take_in(incoming("r3"))
    said = cli.ok("db", "restore", "b.db", "--yes").out.splitlines()
    (kept,) = ledger.path.parent.glob("feedback.db.before-restore-*")
    assert said == [
        f"{ledger.path}: restored from b.db: 2 ratings, 1 message, schema {HEAD}",
        f"the old ledger is kept as {kept}",
        "it has 1 rating that the backup lacks",
        (
            "1 message waited in the backup and may have left since: held; see `messages list --state held`,"
            " then `messages retry` or `messages cancel`"
        ),
        "2 ratings will be processed by the next `run`",
    ]
    assert cli.ok("messages", "cancel", "1").out == "message 1: cancelled\n"


def test_programs_get_what_a_restore_did(cli: Cli, ledger: Ledger) -> None:
    """As JSON; `--resend` leaves what waits."""
    ledger.take_in(incoming("r1"))
    ledger.enqueue(message(1, feedback=1))
    cli.ok("db", "backup", "b.db")
    data = cli.ok("db", "restore", "b.db", "--yes", "--resend", "--json").json
    assert (data["messages_due"], data["messages_held"], data["ratings_lost"]) == (1, 0, 0)
    assert Path(data["kept"]).exists()
    assert ledger.rows("SELECT state FROM message") == [("queued",)]


@pytest.mark.parametrize("is_whole", [False, True])
def test_a_restore_warns_of_what_a_damaged_ledger_could_not_say(
    cli: Cli, ledger: Ledger, *, is_whole: bool
) -> None:
    """Whether a page of it is broken or all: who said no since would be asked again without a word."""
    ledger.take_in(incoming("r1"))
    cli.ok("db", "backup", "b.db")
    if is_whole:
        ledger.path.write_bytes(b"noise" * 1000)
    else:
        damage(ledger.path, "customer")
    said = cli.ok("db", "restore", "b.db", "--yes")
    lacks = (
        "what it had beyond the backup is not known: it cannot be read" if is_whole else "it has no rating"
    )
    assert lacks in said.out
    more = ", which addresses were suppressed, which messages ended, who was thanked" if is_whole else ""
    assert said.err == (
        f"warning: it is damaged; not taken over, or not wholly: who opted out{more}; docs/operations.md"
        " shows under 'Back up and restore' what to do before the next `run`\n"
    )


def test_programs_get_what_was_not_taken_over(cli: Cli, ledger: Ledger) -> None:
    """By the names under which the figures stand; nothing where there was no ledger."""
    ledger.take_in(incoming("r1"))
    cli.ok("db", "backup", "b.db")
    damage(ledger.path, "customer")
    damage(ledger.path, "suppressed_address")
    data = cli.ok("db", "restore", "b.db", "--yes", "--json").json
    assert data["not_taken_over"] == ["customers_opted_out_since", "addresses_suppressed_since"]
    ledger.path.unlink()
    data = cli.ok("db", "restore", "b.db", "--yes", "--json").json
    assert (data["kept"], data["not_taken_over"]) == (None, [])


def test_without_a_terminal_it_wants_a_yes(cli: Cli, filled: Path) -> None:
    """Nothing is changed before."""
    cli.ok("db", "backup", "b.db")
    result = cli("db", "restore", "b.db")
    assert result.code == 2
    assert "b.db is a sound backup; to put it in the place of" in result.err
    assert list(filled.parent.glob("*before-restore*")) == []


@pytest.mark.parametrize(("answer", "code"), [("n\n", 130), ("y\n", 0)])
def test_a_terminal_is_asked(filled: Path, answer: str, code: int) -> None:
    """With what is in the backup; who says no has changed nothing."""
    command = [sys.executable, "-m", "feedback_app", "db"]
    subprocess.run([*command, "backup", "b.db"], check=True, timeout=60, stdout=subprocess.DEVNULL)
    ours, theirs = pty.openpty()
    os.write(ours, answer.encode())
    done = subprocess.run(
        [*command, "restore", "b.db"],
        stdin=theirs,
        stderr=theirs,
        stdout=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    assert done.returncode == code
    assert "b.db is sound: 12 ratings, 12 messages" in os.read(ours, 65536).decode()
    assert len(list(filled.parent.glob("*before-restore*"))) == (code == 0)


def test_a_daemon_is_not_pulled_from_under(cli: Cli, filled: Path) -> None:
    """Exit code 75, and its pid."""
    cli.ok("db", "backup", "b.db")
    lock = LedgerLock(filled)
    assert lock.try_acquire("daemon")
    result = cli("db", "restore", "b.db", "--yes")
    lock.release()
    assert result.code == 75
    assert f"a daemon with pid {os.getpid()} already runs" in result.err


def test_a_check_of_an_older_ledger_asks_for_no_backup(cli: Cli, ledger: Ledger) -> None:
    """It is to be upgraded; a backup would have the same schema, and less in it."""
    ledger.take_in(incoming())
    with closing(sqlite3.connect(ledger.path, isolation_level=None)) as base:
        base.execute("UPDATE alembic_version SET version_num = '0003'")
    result = cli("db", "check")
    assert result.code == 65
    assert "run `feedback-app db upgrade`" in result.out
    assert "nothing is damaged" in result.err
    assert "restore a backup" not in result.err


def test_a_check_that_finds_something_ends_with_65(cli: Cli, ledger: Ledger) -> None:
    """The findings are data, what to do about them is talk."""
    ledger.take_in(incoming())
    assert "broken" not in cli.ok("db", "check").out
    with closing(sqlite3.connect(ledger.path, isolation_level=None)) as base:
        base.execute("UPDATE feedback SET state = 'lost'")
    result = cli("db", "check")
    assert result.code == 65
    assert "broken\teach rating is received, processed or dead\t1 not so, such as number 1\n" in result.out
    assert re.search(r"1 of \d+ checks failed; keep a copy of it as it is, then restore a backup", result.err)
    data = cli("db", "check", "--json").json
    assert data["ok"] is False
    assert [one["found"] for one in data["checks"] if not one["ok"]] == ["1 not so, such as number 1"]


def test_a_check_and_a_size_go_beside_a_daemon(cli: Cli, filled: Path) -> None:
    """They want nobody's lock."""
    lock = LedgerLock(filled)
    assert lock.try_acquire("daemon")
    cli("db", "check")
    cli.ok("db", "size")
    lock.release()


def test_sizes_say_what_takes_how_much(cli: Cli, filled: Path) -> None:
    """A line a table, the whole, and the log."""
    said = cli.ok("db", "size").out.splitlines()
    total = filled.stat().st_size
    assert said[0].split("\t") == ["table", "rows", "bytes", "index bytes", "together", "share"]
    assert any(line.startswith("feedback\t12\t") for line in said)
    assert f"{filled}: {total:,} bytes" in said
    data = cli.ok("db", "size", "--json").json
    parts = sum(one["bytes"] for one in data["tables"].values()) + data["free_bytes"]
    assert (data["total_bytes"], parts, data["exact"]) == (total, total, True)


def test_on_a_server_other_tools_back_up(cli: Cli, folder: Path, postgres_url: str) -> None:
    """They are named; check and size work there too."""
    (folder / "config.toml").write_text(f'[store]\nurl = "{postgres_url}"\n')
    for words, tool in ((("backup", "b.db"), "pg_dump"), (("restore", "b.db", "--yes"), "pg_restore")):
        result = cli("db", *words)
        assert result.code == 2
        assert f"the ledger is on PostgreSQL: use {tool}, as docs/operations.md shows" in result.err
    assert "broken" not in cli.ok("db", "check").out
    assert cli.ok("db", "size", "--json").json["tables"]["feedback"]["rows"] == 0


def test_a_server_without_a_ledger_is_said(cli: Cli, folder: Path, postgres_server: Server) -> None:
    """Neither makes one."""
    url = postgres_server.new_database()
    (folder / "config.toml").write_text(f'[store]\nurl = "{url}"\n')
    for words in ("check", "size"):
        result = cli("db", words)
        assert (result.code, "there is no ledger" in result.err) == (1, True)
    postgres_server.drop(url)


def test_status_shows_the_last_and_the_next(cli: Cli, folder: Path) -> None:
    """Where backups are made; else there is nothing to show."""
    assert cli.ok("status", "--json").json["backup"] is None
    (folder / "config.toml").write_text('[backup]\ndirectory = "backups"\nat = "03:30"\n')
    assert cli.ok("status", "--json").json["backup"]["last"] is None
    (folder / "backups").mkdir()
    (folder / "backups" / "feedback-2026-01-15T033000Z.db").write_text("")
    assert cli.ok("status", "--json").json["backup"] == {
        "directory": str(folder / "backups"),
        "last": "2026-01-15T03:30:00+00:00",
        "next": "2026-01-16T03:30:00+00:00",
    }
    assert (
        "backup        last 2026-01-15T03:30:00+00:00, next 2026-01-16T03:30:00+00:00"
        in cli.ok("status").out.splitlines()
    )
