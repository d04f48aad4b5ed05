"""A ledger that is copied is the same ledger, and nothing but a whole copy is used."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from feedback_app import failpoints
from feedback_app.errors import BadConfig, BadData, Busy, NotFound, StorageFailed
from feedback_app.store.copying import copier
from feedback_app.store.copying.ends import end_at
from feedback_app.store.copying.plan import TABLES
from feedback_app.store.ledger import Ledger
from feedback_app.store.postgresql.ledger import PostgresLedger
from feedback_app.store.sqlite import file
from feedback_app.store.sqlite.ledger import SqliteLedger
from feedback_app.store.sqlite.lock import LedgerLock
from feedback_app.store.tables import metadata
from tests.copies import SQLITE, Places, ask, contents, copied, fill

WAYS = [
    ("sqlite", "sqlite"),
    ("sqlite", "postgresql"),
    ("postgresql", "sqlite"),
    ("postgresql", "postgresql"),
]


@pytest.fixture
def full(tmp_path: Path) -> str:
    """Return the URL of a ledger with rows in every table."""
    fill(tmp_path / "full.db")
    return f"{SQLITE}{tmp_path / 'full.db'}"


@pytest.fixture
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Places]:
    """Give places for ledgers."""
    places = Places(tmp_path, request)
    yield places
    for url in places.made:
        places.server.drop(url)


def _ledger(url: str) -> Ledger:
    return SqliteLedger(Path(url.removeprefix(SQLITE))) if url.startswith(SQLITE) else PostgresLedger(url)


@pytest.mark.parametrize(("old", "new"), WAYS)
def test_a_copy_holds_the_same(full: str, place: Places, old: str, new: str) -> None:
    """Every value of every column, the ledger's id among them, and the sums say so."""
    source, target = place(old), place(new)
    copied(full, source)

    sums = copied(source, target)

    assert contents(target) == contents(source) == contents(full)
    assert {name: one.rows for name, one in sums.items()} == {
        table.name: len(contents(full)[table.name]) for table in TABLES
    }
    assert _ledger(target).problems() == []


@pytest.mark.parametrize(("old", "new"), WAYS)
def test_an_empty_ledger_can_be_copied(place: Places, old: str, new: str) -> None:
    """It is a ledger like any other."""
    source, target = place(old), place(new)
    _ledger(source).upgrade()

    copied(source, target)

    assert contents(target) == contents(source)


@pytest.mark.parametrize(("old", "new"), WAYS)
def test_numbers_go_on_behind_the_highest_ever_used(full: str, place: Places, old: str, new: str) -> None:
    """Also behind one whose row is gone: a person may have been told it."""
    source, target = place(old), place(new)
    copied(full, source)
    copied(source, target)

    ask(
        target,
        "INSERT INTO feedback (source, external_id, content_hash, rating, comment, received_at, thank, state)"
        " VALUES ('x', 'y', '', 5, '', 1, '1', 'received')",
    )
    ask(
        target,
        "INSERT INTO low_rating (feedback_id, state, stored_at) SELECT max(id), 'open', 1 FROM feedback",
    )

    assert ask(target, "SELECT max(id) FROM feedback") == [(113,)]
    assert ask(target, "SELECT max(id) FROM low_rating") == [(13,)]


def test_every_table_has_an_order_that_a_note_can_hold() -> None:
    """Numbers and texts that are never NULL, unique together."""
    for table in TABLES:
        columns = metadata.tables[table.name].c
        assert {columns[name].type.python_type for name in table.order} <= {int, str}
        assert not any(columns[name].nullable for name in table.order)
        assert {one.name for one in metadata.tables[table.name].primary_key} <= set(table.order)


def test_the_newest_daemon_is_the_last_row_on_sqlite(full: str, place: Places) -> None:
    """There the order of the rows tells which start was the last one."""
    ask(full, "UPDATE daemon SET started_at = 1000 - rowid")
    target = place("sqlite")
    copied(full, target)
    newest = "SELECT boot_id FROM daemon ORDER BY {} DESC LIMIT 1"
    assert ask(target, newest.format("rowid")) == ask(full, newest.format("started_at"))


def _stop_at(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    """End the copy while it writes its n-th chunk."""
    left = iter(range(chunk, 0, -1))

    def reached(name: str) -> None:
        if name == "copy.written" and next(left, 0) == 1:
            raise RuntimeError("stopped")

    monkeypatch.setattr(failpoints, "reached", reached)


def _half(monkeypatch: pytest.MonkeyPatch, source: str, target: str, chunk: int = 4) -> None:
    with monkeypatch.context() as patch:
        _stop_at(patch, chunk)
        with pytest.raises(RuntimeError):
            copied(source, target)


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_an_unfinished_copy_is_refused_by_everybody(
    full: str, place: Places, monkeypatch: pytest.MonkeyPatch, database: str
) -> None:
    """Whoever opens, upgrades or checks it is told in one line; the copy itself goes on."""
    target = place(database)
    _half(monkeypatch, full, target)
    ledger = _ledger(target)

    for attempt in (lambda: _entered(ledger), ledger.upgrade, ledger.revision):
        with pytest.raises(
            BadConfig, match=r"unfinished copy of a ledger; run the same `feedback-app db copy`"
        ):
            attempt()
    assert len(ledger.problems()) == 1
    with pytest.raises(BadConfig, match="unfinished copy"):
        copied(target, place("sqlite"))

    copied(full, target)
    assert contents(target) == contents(full)
    _entered(ledger)


def _entered(ledger: Ledger) -> None:
    import asyncio

    async def enter() -> None:
        async with ledger.open():
            pass

    asyncio.run(enter())


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_target_in_use_is_left_as_it_is(
    full: str, place: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: str
) -> None:
    """Another ledger, this one itself, a finished copy, and the unfinished copy of another."""
    other, empty = tmp_path / "other.db", tmp_path / "empty.db"
    fill(other, 2)
    file.create(empty)
    used, finished, half = place(database), place(database), place(database)
    copied(f"{SQLITE}{other}", used)
    copied(full, finished)
    _half(monkeypatch, f"{SQLITE}{other}", half, chunk=2)
    before = [contents(one) for one in (used, finished, half)]

    with pytest.raises(BadData, match=r"holds a ledger of its own \(table \w+\); it was left as it is"):
        copied(full, used)
    for source in (full, finished) if database == "postgresql" else (full,):
        with pytest.raises(BadData, match=r"a finished copy of it; nothing was done"):
            copied(source, finished)
    with pytest.raises(BadData, match="unfinished copy of another ledger"):
        copied(f"{SQLITE}{empty}", half)

    assert [contents(one) for one in (used, finished, half)] == before


def test_another_program_s_tables_are_left_as_they_are(full: str, place: Places, tmp_path: Path) -> None:
    """On either database."""
    server, stranger = place("postgresql"), tmp_path / "songs.db"
    ask(server, "CREATE TABLE message (title text)")
    with closing(sqlite3.connect(stranger)) as base:
        base.execute("CREATE TABLE songs (title TEXT)")

    with pytest.raises(BadData, match="tables of another program"):
        copied(full, server)
    with pytest.raises(BadData, match="database of another program"):
        copied(full, f"{SQLITE}{stranger}")

    assert ask(server, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == [("message",)]


def test_a_source_in_use_is_refused(full: str, place: Places) -> None:
    """By a daemon with its lock on SQLite, with a young heartbeat on PostgreSQL."""
    path, server = Path(full.removeprefix(SQLITE)), place("postgresql")
    lock = LedgerLock(path)
    assert lock.try_acquire("daemon")
    with pytest.raises(Busy, match=r"a daemon with pid \d+ already runs"):
        copied(full, server)
    lock.release()
    copied(full, server)
    ask(
        server,
        "INSERT INTO daemon (boot_id, host, pid, started_at, heartbeat_at)"
        " VALUES ('b', 'h', 4711, 1, extract(epoch FROM now()) * 1000)",
    )
    for source, target in ((server, place("sqlite")), (full, server)):
        with pytest.raises(Busy, match=r"a daemon with pid 4711 runs on this ledger; stop it first"):
            copied(source, target)


def test_nobody_writes_while_it_is_read(full: str, place: Places) -> None:
    """What would be written now would be in neither ledger afterwards."""
    server = place("postgresql")
    copied(full, server)
    with (
        closing(sqlite3.connect(full.removeprefix(SQLITE), timeout=0)) as base,
        end_at(full, Path("/")).source(),
        pytest.raises(sqlite3.OperationalError, match="locked"),
    ):
        base.execute("BEGIN IMMEDIATE")
    with end_at(server, Path("/")).source(), pytest.raises(psycopg.errors.LockNotAvailable):
        ask(server, "SET lock_timeout = 10; DELETE FROM low_rating")


def test_the_source_s_file_and_log_stay_as_they_are(full: str, place: Places, tmp_path: Path) -> None:
    """Byte for byte, also where a crash left a log behind."""
    files = [tmp_path / "full.db", tmp_path / "full.db-wal"]
    keeper = sqlite3.connect(files[0], isolation_level=None)
    keeper.execute("PRAGMA wal_autocheckpoint = 0")
    keeper.execute("UPDATE customer SET name = 'new'")
    before = [hashlib.sha256(one.read_bytes()).digest() for one in files]

    copied(full, place("sqlite"))

    assert [hashlib.sha256(one.read_bytes()).digest() for one in files] == before
    keeper.close()


def test_a_source_that_was_used_meanwhile_is_found_out(
    full: str, place: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end compares everything; what differs is named and never becomes a ledger."""
    target = place("sqlite")
    monkeypatch.setattr(copier, "_ROWS", 1)
    _half(monkeypatch, full, target, chunk=6)
    ask(full, "UPDATE customer SET phone = '0'")

    with pytest.raises(StorageFailed, match=r"table customer differs from .*full\.db"):
        copied(full, target)
    with pytest.raises(BadConfig, match="unfinished"):
        _entered(_ledger(target))


def test_what_postgresql_cannot_hold_is_named(full: str, place: Places) -> None:
    """By table and row, without the text."""
    ask(full, "UPDATE message SET error = 'a' || char(0) WHERE id = 3")
    with pytest.raises(BadData, match=r"table message, row 3 holds a NUL character") as refusal:
        copied(full, place("postgresql"))
    assert "Grüße" not in str(refusal.value)


def test_a_source_that_is_not_there_is_not_made(place: Places, tmp_path: Path) -> None:
    """Neither is the target."""
    with pytest.raises(NotFound, match="there is no ledger"):
        copied(place("sqlite"), f"{SQLITE}{tmp_path / 'new.db'}")
    assert list(tmp_path.iterdir()) == []
