"""Disks that fail: full ones heal by themselves, I/O errors end the program. A share of the suites."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection

from feedback_app.cli import run_command_line
from feedback_app.errors import StorageFailed, StorageFull
from feedback_app.model import Customer
from feedback_app.store import ratings
from feedback_app.store.sqlite import file
from feedback_app.store.sqlite.store import SqliteStore
from feedback_app.store.sqlite.writer import _CHECKPOINT_BYTES
from tests.faults import full_disk, io_errors
from tests.faults.__main__ import show, shows_nothing
from tests.faults.needs import need_strace
from tests.faults.scenario import Scene, scene
from tests.making import NOW, incoming
from tests.running import add, business, rows

_BALLAST = "INSERT INTO meta VALUES ('ballast', hex(zeroblob(?)))"  # twice as many bytes
CHATTY = Customer(id="c1", preferred_channels=("chat",))


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """Give a file system of 8 MiB."""
    try:
        with full_disk.small_disk() as folder:
            yield folder
    except PermissionError as reason:
        pytest.skip(str(reason))  # everywhere: no package brings the right to mount


async def test_a_full_disk_refuses_and_heals_without_losing_what_was_acknowledged(small_disk: Path) -> None:
    """Until space is made each write is refused as a whole; then the same open ledger goes on."""
    filler = small_disk / "filler"
    acknowledged: set[str] = set()
    async with SqliteStore(small_disk / "feedback.db") as store:
        room = shutil.disk_usage(small_disk).free - 300_000
        filler.write_bytes(b"x" * room)
        with pytest.raises(StorageFull, match="no space left on the disk; nothing was stored"):
            await _write_until_refused(store, acknowledged)
        assert acknowledged
        filler.unlink()
        await store.write(partial(ratings.take_in, arrivals=[incoming("later")], now=NOW))
        assert store.failed is None
    stored = {
        external_id for (external_id,) in rows(small_disk / "feedback.db", "SELECT external_id FROM feedback")
    }
    assert stored == acknowledged | {"later"}
    assert rows(small_disk / "feedback.db", "PRAGMA integrity_check") == [("ok",)]


async def _write_until_refused(store: SqliteStore, acknowledged: set[str]) -> None:
    for number in itertools.count():
        one = incoming(f"r{number}", comment="full " * 400)
        await store.write(partial(ratings.take_in, arrivals=[one], now=NOW))
        acknowledged.add(f"r{number}")


async def test_the_log_of_a_ledger_does_not_fill_a_small_disk(small_disk: Path) -> None:
    """Where there is little room it is folded back early, so what fits in the ledger can be stored."""
    async with SqliteStore(small_disk / "feedback.db") as store:
        for number in range(600):
            one = incoming(f"r{number % 50}-{number}", comment="word " * 200)
            await store.write(partial(ratings.take_in, arrivals=[one], now=NOW))
            await store.write(lambda connection: connection.exec_driver_sql("DELETE FROM feedback") and None)
    assert rows(small_disk / "feedback.db", "PRAGMA integrity_check") == [("ok",)]


def test_a_daemon_goes_on_by_itself_when_space_is_back(small_disk: Path) -> None:
    """Three times filled until somebody was refused, and freed, under load: nothing lost, soon back, no restart."""
    del small_disk  # each case mounts its own; without the right to, this skips
    figures = full_disk.run(3, 1)
    assert figures.broken == []
    assert (figures.lost, figures.fillings, figures.skipped) == (0, 3, 0)
    assert figures.refusals + figures.waits >= figures.fillings
    assert figures.acknowledged > 0
    assert figures.slowest_heal < full_disk.HEAL_LIMIT


@pytest.fixture
def no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody mount anything, as without root."""

    def refused() -> Path:
        raise PermissionError("that needs root")

    monkeypatch.setattr(full_disk, "small_disk", refused)


def test_a_suite_that_could_run_no_case_is_no_success(
    no_disk: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its figures say so, and the command's exit code, too."""
    del no_disk
    figures = {"cases": 2, "slow": [], **asdict(full_disk.run(3, 2))}
    assert shows_nothing(figures)
    show("disk", "a small disk", figures)
    assert "SKIPPED: all of it, so this proves nothing" in capsys.readouterr().out
    assert not shows_nothing({"cases": 1, "skipped": 4, "passed": 1})


@pytest.mark.parametrize(
    "command", [["run"], ["run", "--drain"], ["feedback", "add", "--rating", "5"], ["status"]]
)
@pytest.mark.parametrize("there", [True, False], ids=["ledger", "none yet"])
def test_without_space_at_the_start_one_line_says_so(
    small_disk: Path, command: list[str], there: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 74, in one line, and no half-made ledger is left."""
    config = business(small_disk)
    ledger = small_disk / "feedback.db"
    if there:
        file.create(ledger)
    full_disk.fill(small_disk)
    code = run_command_line(["--config", str(config), *command])
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("feedback-app: ")]
    assert code == 74
    assert said == [f"feedback-app: {ledger}: no space left on the disk; nothing was stored"]
    assert ledger.exists() == there


def test_a_file_system_mounted_read_only_is_named(
    small_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is tried; the line says what is wrong with which folder."""
    config = business(small_disk)
    ledger = small_disk / "feedback.db"
    file.create(ledger)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert run_command_line(["--config", str(config), "status"]) == 73
    assert capsys.readouterr().err == (
        f"feedback-app: {ledger}: the file system of {small_disk} is mounted read-only;"
        " name another file in [store] url\n"
    )


def test_an_io_error_ends_the_program_and_nothing_is_folded_back(tmp_path: Path) -> None:
    """SQLite would let later commits succeed after a failed sync, and empty the log when it is closed."""
    need_strace()
    config = business(tmp_path, config="[delivery]\nworkers = 2\n")
    ledger = tmp_path / "feedback.db"
    asyncio.run(add(ledger, [incoming(f"r{n}", contact=CHATTY) for n in range(60)], NOW))
    before = ledger.read_bytes()
    strace = [
        "strace",
        "-f",
        "-o",
        "/dev/null",
        "-e",
        "trace=fdatasync",
        "-e",
        "inject=fdatasync:error=EIO:when=5",
    ]
    command = [sys.executable, "-m", "feedback_app", "--config", str(config), "run", "--drain"]
    broken = subprocess.run([*strace, *command], capture_output=True, text=True, timeout=60, check=False)
    assert broken.returncode == 74, broken.stderr
    assert "stopped, because what reached the disk is unknown" in broken.stderr
    assert "Traceback" not in broken.stderr
    assert ledger.read_bytes() == before
    assert ledger.with_name("feedback.db-wal").stat().st_size > 0


@pytest.mark.parametrize("call", ["pwrite64", "fdatasync"])
async def test_an_io_error_of_a_checkpoint_ends_the_daemon_and_loses_nothing(call: str) -> None:
    """In mid-run, when the log has grown so large that it is folded back: the next start does it again."""
    need_strace()
    async with scene() as one:
        one.make_ledger()
        # On the ledger's own file, which while a daemon works only a checkpoint writes.
        strace = ["strace", "-D", "-f", "-o", "/dev/null", "-P", str(one.ledger), "-e", f"trace={call}"]
        daemon = await one.start("run", prefix=[*strace, "-e", f"inject={call}:error=EIO:when=1"])
        await daemon.ready()
        await one.fill(20, 1)
        await _grow_the_log(one)
        await one.fill(20, 2)
        code = await daemon.ended(limit=30)
        said = [line for line in daemon.said.splitlines() if line.startswith("feedback-app: ")]
        assert said == [f"feedback-app: {one.ledger}: checkpoint failed: disk I/O error"]
        assert code == 74
        assert '"exception"' not in daemon.said
        assert one.ask("PRAGMA integrity_check") == [("ok",)]
        (in_flight,) = one.ask("SELECT count(*) FROM message WHERE state = 'sending'")[0]
        verdict = await one.settle_and_judge()
        assert (verdict.broken, verdict.lost) == ([], 0)
        assert verdict.acknowledged == 40
        assert verdict.doubled <= in_flight


async def _grow_the_log(one: Scene) -> None:
    """Write beside the daemon, as a command does, so much that at its next commit the log is worth folding back."""
    size = _CHECKPOINT_BYTES // 2

    def write(connection: Connection) -> None:
        connection.exec_driver_sql(_BALLAST, (size,))

    async with SqliteStore(one.ledger) as store:
        await store.write(write)


def test_a_new_ledger_is_on_the_disk_with_its_name(tmp_path: Path) -> None:
    """After a power cut right after the first start there is a whole ledger or none: the folder is synced last."""
    need_strace()
    trace = tmp_path / "trace"
    make = "from pathlib import Path; from feedback_app.store.sqlite.file import create; create(Path('a.db').resolve())"
    strace = ["strace", "-f", "-y", "-o", str(trace), "-e", "trace=link,linkat,fsync,fdatasync"]
    subprocess.run([*strace, sys.executable, "-c", make], check=True, timeout=60, cwd=tmp_path)
    calls = [line.split(maxsplit=1)[1] for line in trace.read_text().splitlines() if "(" in line]
    content, name, folder = calls[-3:]
    assert content.startswith(("fsync(", "fdatasync("))
    assert ".a.db." in content
    assert name.startswith("link")
    assert folder.startswith("fsync(")
    assert f"<{tmp_path}>" in folder


def test_errors_of_syncs_writes_and_reads_end_the_program_and_lose_nothing() -> None:
    """One of each kind: exit code 74 with a clear line, or healed, and the next start finds everything."""
    need_strace()
    figures = io_errors.run(4, len(io_errors.FAULTS))
    assert figures.broken == []
    assert figures.lost == 0
    assert figures.stopped + figures.healed >= 3


async def test_an_error_of_a_reader_ends_all_writing(tmp_path: Path) -> None:
    """Whoever finds the ledger broken, nobody goes on with it."""

    def broken(_connection: object) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_READ
        raise error

    async with SqliteStore(tmp_path / "feedback.db") as store:
        with pytest.raises(StorageFailed, match="disk I/O error"):
            await store.read(broken)
        with pytest.raises(StorageFailed, match="disk I/O error"):
            await store.write(partial(ratings.take_in, arrivals=[incoming()], now=NOW))
