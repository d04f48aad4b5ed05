"""Upgrades that break off: the old ledger or the new one, never half, and a copy beside it."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection

from feedback_app.errors import StorageFailed
from feedback_app.store import migrate
from feedback_app.store.sqlite import drafts, file
from feedback_app.store.sqlite.store import SqliteStore

OLD = "0000"


def _half(connection: Connection) -> None:
    connection.exec_driver_sql("ALTER TABLE meta ADD COLUMN half TEXT")
    connection.exec_driver_sql("CREATE TABLE also_half (id INTEGER)")
    connection.exec_driver_sql("INSERT INTO also_half VALUES (1)")


def _breaks_off(connection: Connection) -> None:
    _half(connection)
    raise RuntimeError("in the middle")


def _fails_in_sqlite(connection: Connection) -> None:
    _half(connection)
    connection.exec_driver_sql("SELECT 1 FROM nowhere")


def _whole(connection: Connection) -> None:
    _half(connection)
    connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{migrate.HEAD}'")


def _dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as ledger:
        return [*ledger.iterdump(), str(ledger.execute("PRAGMA integrity_check").fetchone())]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Give a ledger of an earlier program."""
    path = tmp_path / "feedback.db"
    file.create(path)
    with closing(sqlite3.connect(path)) as ledger, ledger:
        ledger.execute(f"UPDATE alembic_version SET version_num = '{OLD}'")
        ledger.execute("INSERT INTO meta VALUES ('kept', 'yes')")
    return path


@pytest.mark.parametrize(
    ("migration", "error"), [(_breaks_off, RuntimeError), (_fails_in_sqlite, StorageFailed)]
)
def test_an_upgrade_that_breaks_off_leaves_the_old_ledger_and_a_copy(
    old: Path,
    migration: Callable[[Connection], None],
    error: type[Exception],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All of it is one transaction; afterwards it can be tried again."""
    before = _dump(old)
    monkeypatch.setattr(migrate, "apply", migration)
    with pytest.raises(error):
        file.upgrade(old)
    assert _dump(old) == before
    assert _dump(old.with_name(f"feedback.db.before-{migrate.HEAD}")) == before
    monkeypatch.setattr(migrate, "apply", _whole)
    assert file.upgrade(old) == (OLD, migrate.HEAD)
    assert 'INSERT INTO "also_half" VALUES(1);' in _dump(old)
    assert _dump(old.with_name(f"feedback.db.before-{migrate.HEAD}")) == before


def test_a_copy_has_its_name_only_when_it_is_whole(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that breaks off leaves that of an earlier try as it was; what a kill left of one is removed."""
    copy = old.with_name(f"feedback.db.before-{migrate.HEAD}")
    for ending in ("", "-journal"):
        old.with_name(f".{copy.name}.0123abcd.new{ending}").write_bytes(b"half")
    copy.write_bytes(b"of an earlier try")

    def fails(_path: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(drafts, "sync", fails)
        with pytest.raises(StorageFailed, match=f"{copy.name}: cannot be made: Input/output error"):
            file.upgrade(old)
    assert copy.read_bytes() == b"of an earlier try"
    before = _dump(old)
    monkeypatch.setattr(migrate, "apply", _whole)
    file.upgrade(old)
    assert _dump(copy) == before
    assert copy.stat().st_mode & 0o777 == 0o600
    assert not list(old.parent.glob(".*.new*"))


async def test_a_daemon_that_upgrades_keeps_the_lock_and_starts_only_on_the_new_schema(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What breaks off lets go of the lock, so the next start can try."""
    monkeypatch.setattr(migrate, "apply", _breaks_off)
    with pytest.raises(RuntimeError, match="in the middle"):
        async with SqliteStore(old, "daemon"):
            pass
    monkeypatch.setattr(migrate, "apply", _whole)
    async with SqliteStore(old, "daemon") as store:
        assert len(store.ledger_id) == 12
    assert file.check(old) == migrate.HEAD


def test_a_schema_number_that_is_none_is_damage(old: Path) -> None:
    """It is neither older nor newer, so nobody upgrades it."""
    with closing(sqlite3.connect(old)) as ledger, ledger:
        ledger.execute("UPDATE alembic_version SET version_num = '00x1'")
    with pytest.raises(StorageFailed, match=r"the ledger is damaged \(its schema's number is none\)"):
        file.check(old)
