"""The one writer: group commit, isolation of units, what survives."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from feedback_app.errors import Busy
from feedback_app.store.sqlite.store import SqliteStore


@pytest.fixture
def store(sqlite_store: SqliteStore) -> SqliteStore:
    """Give what only SQLite has."""
    return sqlite_store


def _note(connection: Connection, key: str, value: str = "") -> str:
    connection.exec_driver_sql("INSERT INTO meta (key, value) VALUES (?, ?)", (key, value))
    return key


def _keys(connection: Connection) -> set[str]:
    rows = connection.exec_driver_sql("SELECT key FROM meta WHERE key NOT IN ('ledger_id', 'readable_from')")
    return set(rows.scalars())


async def test_a_write_is_on_the_disk_when_its_caller_hears(store: SqliteStore) -> None:
    """Another connection sees the row as soon as `write` has returned."""
    await store.write(partial(_note, key="a"))
    other = sqlite3.connect(store.path)
    found = other.execute("SELECT count(*) FROM meta WHERE key = 'a'").fetchone()
    other.close()
    assert found == (1,)


async def test_many_writes_at_once_share_commits(store: SqliteStore) -> None:
    """A thousand concurrent units need far fewer commits than a thousand, and each gets its own result."""
    commits = 0

    def count() -> None:
        nonlocal commits
        commits += 1

    store._writer._committed = count
    results = await asyncio.gather(*(store.write(partial(_note, key=f"k{n}")) for n in range(1000)))
    assert results == [f"k{n}" for n in range(1000)]
    assert 1 <= commits <= 100
    assert len(await store.read(_keys)) == 1000


async def test_one_bad_unit_does_not_take_its_neighbours_down(store: SqliteStore) -> None:
    """The unit that fails is rolled back alone and its error reaches only its caller."""

    def bad(connection: Connection) -> None:
        _note(connection, "half")
        raise ValueError("this unit only")

    results = await asyncio.gather(
        store.write(partial(_note, key="before")),
        store.write(bad),
        store.write(partial(_note, key="after")),
        return_exceptions=True,
    )
    assert [str(one) for one in results] == ["before", "this unit only", "after"]
    assert await store.read(_keys) == {"before", "after"}


async def test_cancelling_the_caller_does_not_cancel_the_write(store: SqliteStore) -> None:
    """What was queued is written although nobody waits for it any more."""
    task = asyncio.create_task(store.write(partial(_note, key="orphan")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await store.write(partial(_note, key="later"))
    assert await store.read(_keys) == {"orphan", "later"}


async def test_readers_cannot_write(store: SqliteStore) -> None:
    """A query that tries to write is refused by the database."""
    with pytest.raises(Exception, match="readonly"):
        await store.read(partial(_note, key="sneaky"))


async def test_the_ledger_is_durable_and_never_checkpoints_by_itself(store: SqliteStore) -> None:
    """The writer's connection has FULL durability and no automatic checkpoint."""

    def pragmas(connection: Connection) -> list[int]:
        names = ("synchronous", "wal_autocheckpoint", "foreign_keys")
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in names]

    assert await store.write(pragmas) == [2, 0, 1]


async def test_a_large_wal_is_folded_back_into_the_file(tmp_path: Path) -> None:
    """After more than the threshold was written, the WAL is empty again and nothing is lost."""
    path = tmp_path / "feedback.db"
    async with SqliteStore(path) as store:
        for number in range(3):
            await store.write(partial(_note, key=f"big{number}", value="x" * 8_000_000))
        await store.write(partial(_note, key="small"))
        wal = path.with_name("feedback.db-wal")
        assert wal.stat().st_size < 16 * 1024 * 1024
        assert len(await store.read(_keys)) == 4


async def test_a_reader_in_the_way_only_puts_the_checkpoint_off(tmp_path: Path) -> None:
    """An open read transaction neither blocks the writer nor breaks anything."""
    path = tmp_path / "feedback.db"
    async with SqliteStore(path) as store:
        reader = sqlite3.connect(path, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM meta").fetchone()
        for number in range(3):
            await store.write(partial(_note, key=f"big{number}", value="x" * 8_000_000))
        reader.close()
        await store.write(partial(_note, key="after"))
        assert len(await store.read(_keys)) == 4
        assert store.failed is None


async def test_a_lock_held_by_another_process_is_waited_for_then_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A locked ledger gives one clear error after the time-out; afterwards writing goes on."""
    monkeypatch.setattr("feedback_app.store.sqlite.engines._COMMON", ("PRAGMA busy_timeout = 50",))
    path = tmp_path / "feedback.db"
    async with SqliteStore(path) as store:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Busy, match="another process holds the ledger locked"):
            await store.write(partial(_note, key="early"))
        other.execute("ROLLBACK")
        other.close()
        await store.write(partial(_note, key="late"))
        assert await store.read(_keys) == {"late"}


async def test_a_lock_is_waited_for_once_and_not_by_each_of_a_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty units that met a locked ledger together hear of it together."""
    monkeypatch.setattr("feedback_app.store.sqlite.engines._COMMON", ("PRAGMA busy_timeout = 250",))
    path = tmp_path / "feedback.db"
    async with SqliteStore(path) as store:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            begun = time.monotonic()
            writes = (store.write(partial(_note, key=f"k{number}")) for number in range(20))
            errors = await asyncio.gather(*writes, return_exceptions=True)
            took = time.monotonic() - begun
    assert {type(error) for error in errors} == {Busy}
    assert took < 2.5  # one by one it is 5 s


async def test_errors_of_the_database_do_not_quote_what_was_to_be_stored(store: SqliteStore) -> None:
    """They reach the log; the parameters are names, addresses and comments."""
    await store.write(partial(_note, key="a", value="ada@example.com"))
    with pytest.raises(IntegrityError) as error:
        await store.write(partial(_note, key="a", value="ada@example.com"))
    assert "ada@example.com" not in str(error.value)


async def test_a_commit_stays_one_when_the_checkpoint_may_not_be_made(store: SqliteStore) -> None:
    """Without a right to the lock file the log only grows; whoever wrote hears of success."""
    store.path.with_name("feedback.db-lock").mkdir()
    assert await store.write(partial(_note, key="big", value="x" * 17_000_000)) == "big"
    store.path.with_name("feedback.db-lock").rmdir()


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    """A process that writes and prints each key, killed in the middle, has lost none that it printed."""
    program = f"""
import asyncio
from functools import partial
from pathlib import Path
from feedback_app.store.sqlite.store import SqliteStore
from tests.store.test_writer import _note

async def main():
    async with SqliteStore(Path({str(tmp_path / "feedback.db")!r})) as store:
        for number in range(100_000):
            print(await store.write(partial(_note, key=f"k{{number}}")), flush=True)

asyncio.run(main())
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    told = [process.stdout.readline().strip() for _ in range(200)]
    process.kill()
    told += process.stdout.read().split("\n")[:-1]
    process.stdout.close()
    process.wait()
    ledger = sqlite3.connect(tmp_path / "feedback.db")
    stored = {key for (key,) in ledger.execute("SELECT key FROM meta")}
    assert ledger.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    ledger.close()
    assert len(told) >= 200
    assert set(told) <= stored
