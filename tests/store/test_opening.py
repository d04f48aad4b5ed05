"""Creating, checking and refusing ledgers; one daemon at a time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from feedback_app.errors import BadConfig, BadData, Busy, CannotCreate, StorageFailed
from feedback_app.store import migrate
from feedback_app.store.sqlite import file
from feedback_app.store.sqlite.engines import writing_engine
from feedback_app.store.sqlite.lock import LedgerLock, daemon_runs
from feedback_app.store.sqlite.store import SqliteStore
from feedback_app.store.tables import metadata


async def test_a_ledger_is_created_whole_and_private(tmp_path: Path) -> None:
    """The file is readable by its owner only, in WAL mode, marked as ours, and no draft is left."""
    path = tmp_path / "feedback.db"
    async with SqliteStore(path) as store:
        assert len(store.ledger_id) == 12
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".new")]  # noqa: PTH208 - no event loop waits
    assert file.check(path) == migrate.HEAD
    ledger = sqlite3.connect(path)
    assert ledger.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    ledger.close()


def test_the_migrations_make_what_the_tables_say(tmp_path: Path) -> None:
    """Alembic finds no difference between a migrated ledger and the tables in the code."""
    path = tmp_path / "feedback.db"
    file.create(path)
    engine = writing_engine(path)
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    engine.dispose()
    assert differences == []


def test_partial_indices_are_the_same_in_migrations_and_tables(tmp_path: Path) -> None:
    """Alembic does not compare the conditions of indices, so they are compared by their text."""

    def indices(path: Path) -> set[str]:
        ledger = sqlite3.connect(path)
        rows = ledger.execute(
            "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        ).fetchall()
        ledger.close()
        return {sql for (sql,) in rows}

    file.create(tmp_path / "migrated.db")
    (tmp_path / "made.db").touch()
    engine = writing_engine(tmp_path / "made.db")
    with engine.begin() as connection:
        metadata.create_all(connection)
    engine.dispose()
    assert indices(tmp_path / "migrated.db") == indices(tmp_path / "made.db")


def test_processes_that_create_the_same_ledger_at_once_share_one(tmp_path: Path) -> None:
    """Each of several processes finds a whole ledger, all of them the same one."""
    program = f"""
import asyncio
from pathlib import Path
from feedback_app.store.sqlite.store import SqliteStore

async def main():
    async with SqliteStore(Path({str(tmp_path / "feedback.db")!r})) as store:
        print(store.ledger_id)

asyncio.run(main())
"""
    processes = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    ids = {process.communicate(timeout=60)[0] for process in processes}
    assert [process.returncode for process in processes] == [0, 0, 0, 0]
    assert len(ids) == 1


def _text_file(path: Path) -> None:
    path.write_text("dear diary, today I was not a database at all, and I never will be one either\n" * 20)


def _empty_file(path: Path) -> None:
    path.touch()


def _folder(path: Path) -> None:
    path.mkdir()


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _foreign(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE recipes (name TEXT)")
    other.commit()
    other.close()


def _truncated(path: Path) -> None:
    file.create(path)
    os.truncate(path, 5000)


@pytest.mark.parametrize(
    ("plant", "wanted"),
    [
        (_text_file, "not a SQLite database; it was left as it is"),
        (_empty_file, "the file is empty, so it is no ledger"),
        (_folder, "a folder; [store] url must name a file"),
        (_pipe, "not a regular file; [store] url must name a file"),
        (_foreign, "a SQLite database of another program; it was left as it is"),
    ],
)
async def test_what_is_no_ledger_is_refused_and_left_alone(plant, wanted: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """The error says what the path is, and the file is byte for byte what it was."""
    path = tmp_path / "feedback.db"
    plant(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(BadData) as refusal:
        async with SqliteStore(path):
            pass
    assert wanted in str(refusal.value)
    assert str(path) in str(refusal.value)
    assert (path.read_bytes() if path.is_file() else b"") == before


def test_what_sqlite_quotes_stays_in_one_line(tmp_path: Path) -> None:
    """A damaged schema is quoted with all its line breaks."""
    path = tmp_path / "feedback.db"
    file.create(path)
    with contextlib.closing(sqlite3.connect(path)) as ledger, ledger:
        ledger.execute("PRAGMA writable_schema = 1")
        ledger.execute("UPDATE sqlite_master SET name = sql, sql = 'CREATE nothing' WHERE name = 'message'")
    with pytest.raises(StorageFailed, match="malformed database schema") as refusal:
        file.check(path)
    said = str(refusal.value)
    assert len(said.splitlines()) == 1
    assert len(said) < len(str(path)) + 300
    assert said.endswith("restore it from a backup")


async def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """A ledger in a folder that does not exist cannot be created; the folder is named."""
    with pytest.raises(CannotCreate, match="nowhere does not exist"):
        async with SqliteStore(tmp_path / "nowhere" / "feedback.db"):
            pass


async def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """A ledger of a later program is not touched."""
    path = tmp_path / "feedback.db"
    file.create(path)
    ledger = sqlite3.connect(path)
    ledger.execute("UPDATE alembic_version SET version_num = '9999'")
    ledger.commit()
    ledger.close()
    with pytest.raises(BadConfig, match="has schema 9999, this program knows up to"):
        async with SqliteStore(path):
            pass


@pytest.mark.parametrize(
    ("noted", "serves"),
    [("9999:0002", True), ("9999:0001", True), ("9999:9998", False), ("9998:0001", False), ("9999", False)],
)
async def test_a_newer_schema_that_says_it_serves_this_program_is_used(
    tmp_path: Path, noted: str, serves: bool
) -> None:
    """So programs of two versions can run while the upgrade goes from host to host."""
    path = tmp_path / "feedback.db"
    file.create(path)
    with contextlib.closing(sqlite3.connect(path)) as ledger, ledger:
        ledger.execute("UPDATE alembic_version SET version_num = '9999'")
        ledger.execute("UPDATE meta SET value = ? WHERE key = 'readable_from'", (noted,))
    with contextlib.nullcontext() if serves else pytest.raises(BadConfig, match="upgrade feedback_app"):
        async with SqliteStore(path, "daemon") as store:
            assert store.ledger_id


async def test_a_second_daemon_is_refused_and_told_the_pid_of_the_first(tmp_path: Path) -> None:
    """One ledger, one daemon; commands are not hindered."""
    path = tmp_path / "feedback.db"
    async with SqliteStore(path, "daemon"):
        with pytest.raises(Busy, match=f"a daemon with pid {os.getpid()} already runs"):
            async with SqliteStore(path, "daemon"):
                pass
        async with SqliteStore(path):
            assert daemon_runs(path) == os.getpid()
    assert daemon_runs(path) is None


async def test_a_daemon_waits_for_a_commands_checkpoint(tmp_path: Path) -> None:
    """A command has the lock for a moment only; that is no reason to refuse the daemon."""
    path = tmp_path / "feedback.db"
    file.create(path)
    lock = LedgerLock(path)
    assert lock.try_acquire("command")
    asyncio.get_running_loop().call_later(0.2, lock.release)
    async with SqliteStore(path, "daemon"):
        assert daemon_runs(path) == os.getpid()


async def test_an_opening_that_fails_lets_go_of_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No lock and no thread are left, so the next one can open."""
    path = tmp_path / "feedback.db"
    file.create(path)
    with sqlite3.connect(path) as ledger:
        ledger.execute("ALTER TABLE meta RENAME TO meta_away")
    ledger.close()
    threads = threading.active_count()
    with pytest.raises(StorageFailed, match=r"the ledger is damaged \(no such table: meta\)"):
        async with SqliteStore(path, "daemon"):
            pass
    assert threading.active_count() == threads
    lock = LedgerLock(path)
    assert lock.try_acquire("daemon")
    lock.release()


def test_a_lock_dies_with_its_holder(tmp_path: Path) -> None:
    """After SIGKILL the lock file still stands and is free."""
    path = tmp_path / "feedback.db"
    program = f"""
from pathlib import Path
from feedback_app.store.sqlite.lock import LedgerLock
lock = LedgerLock(Path({str(path)!r}))
print(lock.try_acquire("daemon"), flush=True)
input()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "True\n"
    assert daemon_runs(path) == process.pid
    process.kill()
    process.communicate()
    lock = LedgerLock(path)
    assert lock.try_acquire("daemon")
    lock.release()


async def test_a_command_rings_the_daemons_bell(tmp_path: Path) -> None:
    """A commit of another opener of the ledger is heard at once, and shows in the version."""
    path = tmp_path / "feedback.db"
    rung = asyncio.Event()
    async with SqliteStore(path, "daemon") as store:
        store.watch(rung.set)
        store.changed()
        async with SqliteStore(path) as other:
            await other.write(
                lambda connection: connection.exec_driver_sql("INSERT INTO meta VALUES ('a', 'b')") and None
            )
        await asyncio.wait_for(rung.wait(), 5)
        assert store.changed()
    assert not path.with_name("feedback.db-bell").exists()
