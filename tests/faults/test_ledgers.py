"""Ledgers that rot, grow and are shared: a seeded share of the suites, and what each must be able to find."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from feedback_app.cli import run_command_line
from feedback_app.errors import StorageFailed
from feedback_app.model import Customer
from feedback_app.store.sqlite import file
from tests.faults import big, commands, corrupt, starts, stress
from tests.making import NOW, incoming
from tests.running import DEADLINE, add, business, daemon

CHATTY = Customer(id="c1", preferred_channels=("chat",))


def test_a_damaged_ledger_is_refused_or_unhurt() -> None:
    """Never a traceback, never a change to what is refused; most damage of a page is found at the start."""
    figures = corrupt.run(400, 40)
    assert figures.broken == []
    assert figures.refused > 5
    assert figures.unhurt > 0
    assert figures.refused + figures.unhurt + figures.unnoticed + figures.shortened == 40


def test_the_program_itself_refuses_a_damaged_ledger(tmp_path: Path) -> None:
    """As a process: exit code 74, one line, the file as it was."""
    config = business(tmp_path)
    ledger = tmp_path / "feedback.db"
    file.create(ledger)
    _spoil(ledger, "report_run")  # which the command has no need of
    content = ledger.read_bytes()
    command = [sys.executable, "-m", "feedback_app", "--config", str(config), "status"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 74
    assert ran.stderr.startswith(f"feedback-app: {ledger}: the ledger is damaged (")
    assert ran.stderr.endswith("); restore it from a backup\n")
    assert ran.stderr.count("\n") == 1
    assert ledger.read_bytes() == content


async def test_damage_that_a_daemon_comes_upon_later_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large ledger is not read through at the start; the page is found when it is needed, and nobody goes on."""
    monkeypatch.setattr("feedback_app.store.sqlite.file._CHECKED", 0)
    ledger = tmp_path / "feedback.db"
    config = business(tmp_path)
    await add(ledger, [incoming(f"r{n}", comment="word " * 200, contact=CHATTY) for n in range(400)], NOW)
    _spoil(ledger, "ix_feedback_pending")
    with pytest.raises(StorageFailed, match=r"the ledger is damaged .*; restore it from a backup"):
        await asyncio.wait_for(daemon(config).run(), DEADLINE)


def _spoil(ledger: Path, name: str) -> None:
    """Overwrite the first page of a table or an index."""
    base = sqlite3.connect(ledger)
    (page,) = base.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)).fetchone()
    base.close()
    with ledger.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(random.Random(1).randbytes(4096))


def test_a_text_that_is_no_text_any_more_is_not_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """SQLite does not look into texts, and Python's error quotes them; ours does not."""
    config = business(tmp_path)
    ledger = tmp_path / "feedback.db"
    asyncio.run(add(ledger, [incoming(comment="the canary sings")], NOW))
    ledger.write_bytes(ledger.read_bytes().replace(b"the canary sings", b"the canary s\xffngs"))
    assert run_command_line(["--config", str(config), "feedback", "list"]) == 74
    assert capsys.readouterr().err == (
        f"feedback-app: {ledger}: the ledger is damaged (a text that is not UTF-8); restore it from a backup\n"
    )


def test_what_stands_in_the_place_of_a_table_s_name_is_not_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """SQLite names the table whose definition is none, and where pages were swapped that is a customer."""
    config = business(tmp_path)
    ledger = tmp_path / "feedback.db"
    file.create(ledger)
    with contextlib.closing(sqlite3.connect(ledger)) as base, base:
        base.execute("PRAGMA writable_schema = ON")
        base.execute("UPDATE sqlite_master SET name = 'Canary Bird', sql = 'none' WHERE name = 'report_run'")
    assert run_command_line(["--config", str(config), "status"]) == 74
    assert capsys.readouterr().err == (
        f"feedback-app: {ledger}: the ledger is damaged (malformed database schema); restore it from a backup\n"
    )


def test_of_daemons_started_at_once_one_runs() -> None:
    """The others end with 75 and name it; killed, it is followed at once."""
    figures = starts.run(0, 1, together=4)
    assert figures.broken == []
    assert figures.refused == 3


def test_commands_beside_a_busy_daemon_succeed_and_do_not_hold_it_up() -> None:
    """Reading and writing ones, while a hundred ratings a second come."""
    figures = commands.run(5, 5)
    assert figures.broken == []
    assert figures.commands == 5


def test_a_large_ledger_is_asked_as_fast_as_a_small_one() -> None:
    """Twenty thousand ratings; the suite does it with a million and more."""
    figures = big.run(0, 20)
    assert figures.broken == []
    assert figures.rows == 20_000


def test_writers_readers_and_checkpoints_leave_a_sound_ledger() -> None:
    """One round; whatever was acknowledged is there."""
    figures = stress.run(1, 1)
    assert figures.broken == []
    assert figures.checkpoints > 0
    assert figures.acknowledged > 0
