"""Ledgers that are none, are damaged, or are in somebody's hand, each made of a case's folder."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import chdir, closing, contextmanager
from pathlib import Path

from feedback_app.store.sqlite.lock import LedgerLock
from tests.golden.registry import Setup, registering

SETUPS: dict[str, Setup] = {}
_setup = registering(SETUPS)


def _sql(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for statement in statements:
            database.execute(statement)


@_setup
def _folder_for_ledger(folder: Path) -> None:
    (folder / "feedback.db").mkdir()


@_setup
def _fifo_for_ledger(folder: Path) -> None:
    os.mkfifo(folder / "feedback.db")


@_setup
def _socket_for_ledger(folder: Path) -> None:
    with chdir(folder), closing(socket.socket(socket.AF_UNIX)) as one:
        one.bind("feedback.db")


@_setup
def _ledger_that_links_to_itself(folder: Path) -> None:
    (folder / "feedback.db").symlink_to("feedback.db")


@_setup
def _ledger_that_links_nowhere(folder: Path) -> None:
    (folder / "feedback.db").symlink_to("gone.db")


@_setup
def _database_of_another_program(folder: Path) -> None:
    _sql(folder / "feedback.db", "CREATE TABLE songs (title TEXT)")


@_setup
def _newer_schema(folder: Path) -> None:
    _sql(folder / "feedback.db", "UPDATE alembic_version SET version_num = '9999'")


@_setup
def _ledger_without_schema(folder: Path) -> None:
    _sql(folder / "feedback.db", "DROP TABLE alembic_version")


@_setup
def _unfinished_copy(folder: Path) -> None:
    _sql(folder / "feedback.db", "INSERT INTO meta VALUES ('unfinished_copy', '[\"id\", null, null]')")


@_setup
def _encrypted_ledger(folder: Path) -> None:
    (folder / "feedback.db").write_bytes(bytes(range(255, -1, -1)) * 32)  # SQLCipher leaves no header


@_setup
def _ledger_cut_short(folder: Path) -> None:
    os.truncate(folder / "feedback.db", 20_000)


@_setup
def _ledger_with_garbage(folder: Path) -> None:
    with (folder / "feedback.db").open("r+b") as ledger:
        ledger.seek(5 * 4096)
        ledger.write(b"\xa5" * 3 * 4096)


@_setup
def _log_of_garbage(folder: Path) -> None:
    (folder / "feedback.db-wal").write_bytes(b"\xa5" * 100_000)


@_setup
def _ledger_that_links_to_a_folder(folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "feedback.db").symlink_to("data")


@_setup
def _log_without_ledger(folder: Path) -> None:
    (folder / "feedback.db-wal").write_bytes(b"what a crash left")


@contextmanager
def _ledger_in_memory(folder: Path) -> Iterator[None]:
    """Configure a ledger on the tmpfs that every Linux has."""
    place = Path("/dev/shm") / folder.name
    place.mkdir()
    (folder / "config.toml").write_text(f'[store]\nurl = "sqlite:///{place}/feedback.db"\n')
    (folder / "shm").symlink_to(place)
    try:
        yield
    finally:
        shutil.rmtree(place)


@contextmanager
def _ledger_locked(folder: Path) -> Iterator[None]:
    """Hold the ledger as a stranger would who looks into it with a tool."""
    with closing(sqlite3.connect(folder / "feedback.db", isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        yield


@contextmanager
def _daemon_running(folder: Path) -> Iterator[None]:
    """Hold the lock that a daemon holds."""
    lock = LedgerLock(folder / "feedback.db")
    assert lock.try_acquire("daemon")
    try:
        yield
    finally:
        lock.release()


SETUPS |= {
    "ledger_in_memory": _ledger_in_memory,
    "ledger_locked": _ledger_locked,
    "daemon_running": _daemon_running,
}
