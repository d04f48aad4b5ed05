"""Other processes on the ledger: whoever is in the way is named, and waited for."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest

from feedback_app.cli import run_command_line
from feedback_app.errors import Busy
from feedback_app.model import Customer
from feedback_app.store import ratings
from feedback_app.store.sqlite import file, holders
from feedback_app.store.sqlite.store import SqliteStore
from tests.making import NOW, incoming
from tests.running import add, business, daemon, running, sent, until
from tests.store.strangers import stranger

CHATTY = Customer(id="c1", preferred_channels=("chat",))


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait 50 ms for a lock instead of 5 s."""
    monkeypatch.setattr("feedback_app.store.sqlite.engines._COMMON", ("PRAGMA busy_timeout = 50",))


@pytest.mark.usefixtures("_impatient")
async def test_whoever_keeps_others_from_writing_is_named(tmp_path: Path) -> None:
    """The error of a write that waited in vain has the pid of the process that is in the way."""
    path = tmp_path / "feedback.db"
    async with SqliteStore(path) as store:
        with stranger(path, "BEGIN EXCLUSIVE") as pid:
            assert holders.writer_of(path) == pid
            with pytest.raises(Busy, match=rf"another process \(pid {pid}\) holds the ledger locked"):
                await store.write(partial(ratings.take_in, arrivals=[incoming()], now=NOW))
        assert holders.writer_of(path) is None


@pytest.mark.usefixtures("_impatient")
def test_a_command_that_waited_in_vain_ends_with_75_and_the_pid(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, and nothing is stored."""
    config = business(tmp_path)
    ledger = tmp_path / "feedback.db"
    file.create(ledger)
    with stranger(ledger, "BEGIN EXCLUSIVE") as pid:
        code = run_command_line(["--config", str(config), "feedback", "add", "--rating", "4"])
    assert code == 75
    assert capsys.readouterr().err == (
        f"feedback-app: {ledger}: another process (pid {pid}) holds the ledger locked; try again\n"
    )


@pytest.mark.usefixtures("_impatient")
async def test_a_daemon_says_whom_it_waits_for_and_goes_on_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing but the end of the other's transaction is needed."""
    monkeypatch.setattr("feedback_app.presence._HEARTBEAT", 0.05)
    ledger = tmp_path / "feedback.db"
    async with running(daemon(business(tmp_path))):
        with stranger(ledger, "BEGIN IMMEDIATE") as pid:
            named = f"another process (pid {pid}) holds the ledger locked; try again"
            await until(lambda: any(named in getattr(one, "reason", "") for one in caplog.records))
        await add(ledger, [incoming("r1", contact=CHATTY)], NOW)
        await until(lambda: sent(tmp_path))


async def test_a_log_that_a_reader_keeps_from_being_folded_back_is_warned_of_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever reads an old state for hours makes the log grow; the warning names the process."""
    monkeypatch.setattr("feedback_app.chores._WATCH", 0.02)
    monkeypatch.setattr("feedback_app.store.sqlite.store.LARGE_WAL", 200_000)
    ledger = tmp_path / "feedback.db"
    async with running(daemon(business(tmp_path))):
        with stranger(ledger, "BEGIN", "SELECT count(*) FROM feedback") as pid:
            await add(ledger, [incoming("r1", comment="long " * 60_000)], NOW)
            await until(lambda: "the ledger's log grows" in caplog.messages)
            (warning,) = (one.warning for one in caplog.records if "log grows" in one.message)  # type: ignore[attr-defined]
    assert f"other processes that read: {pid}" in warning
    assert caplog.messages.count("the ledger's log grows") == 1


def test_status_tells_of_a_large_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the log is and who reads, below the ledger's name."""
    monkeypatch.setattr("feedback_app.store.sqlite.store.LARGE_WAL", 1_000_000)
    config = business(tmp_path)
    ledger = tmp_path / "feedback.db"
    file.create(ledger)
    with stranger(ledger, "BEGIN", "SELECT count(*) FROM feedback") as pid:
        asyncio.run(add(ledger, [incoming("r1", comment="long " * 300_000)], NOW))
        assert run_command_line(["--config", str(config), "status"]) == 0
    assert (
        f"\nwarning: {ledger}-wal: has grown to 1 MiB; it can be folded back when nobody reads an old state any"
        f" more; other processes that read: {pid}\n"
    ) in capsys.readouterr().out
