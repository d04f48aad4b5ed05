"""Faults of the ledger, of the daemon and of what waits, with what is found and what mends it."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from pathlib import Path

import pytest

from feedback_app.clock import now_ms
from feedback_app.store import daemons, report_queries, sources, starts
from feedback_app.store.sqlite.lock import LedgerLock
from tests.cli.conftest import Ledger
from tests.doctor.planting import Plant, Planted, config, file, simple
from tests.making import incoming, message


def in_ledger(*units: Callable[[Path], object]) -> Plant:
    """Do something to a ledger that is well."""

    def plant(folder: Path) -> None:
        Ledger(folder / "feedback.db").take_in(incoming(), now=now_ms())
        for unit in units:
            unit(folder / "feedback.db")

    return simple(plant)


def sql(*statements: str) -> Callable[[Path], None]:
    """Change a ledger behind the program's back."""

    def change(path: Path) -> None:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
            for statement in statements:
                database.execute(statement)

    return change


def garbage(path: Path) -> None:
    """Write over some pages in the middle."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as ledger:
        ledger.seek(5 * 4096)
        ledger.write(b"\xa5" * 3 * 4096)


FORGETFUL_INDEX = sql(
    "PRAGMA writable_schema = ON",
    "UPDATE sqlite_master SET sql = replace(sql, '''dead''', '''received''') WHERE name = 'ix_feedback_dead'",
)


def unit(work: Callable[..., object], **arguments: object) -> Callable[[Path], object]:
    """Have the program write something."""
    return lambda path: Ledger(path).write(partial(work, **arguments))


def register(**more: object) -> Callable[[Path], None]:
    """Note the start of a daemon, and what became of it."""

    def change(path: Path) -> None:
        begun = {"boot_id": "b1", "host": "shop", "pid": 4711, "now": now_ms() - 600_000}
        unit(daemons.register, **begun)(path)
        for column, value in more.items():
            sql(f"UPDATE daemon SET {column} = {value!r}")(path)

    return change


@contextlib.contextmanager
def _running(path: Path) -> Iterator[None]:
    lock = LedgerLock(path)
    assert lock.try_acquire("daemon")
    try:
        yield
    finally:
        lock.release()


def with_daemon(**facts: object) -> Plant:
    """Have somebody hold the daemon's lock, whose row in the ledger tells these facts."""

    @contextlib.contextmanager
    def entered(folder: Path) -> Iterator[None]:
        with (
            in_ledger(register(**{"heartbeat_at": now_ms(), **facts}))(folder),
            _running(folder / "feedback.db"),
        ):
            yield

    return entered


def down(reason: str, **more: object) -> str:
    """Write how a daemon tells of what is down."""
    return json.dumps({"chat": {"down_since": now_ms(), "reason": reason, **more}})


def five_failed_starts(path: Path) -> None:
    """Let five starts fail in a row."""
    for _ in range(5):
        unit(starts.failed, reason="the channel chat does not open", now=now_ms())(path)
    unit(starts.pause, length=300_000, now=now_ms())(path)


def paused_source(path: Path) -> None:
    """Pause a source that somebody knows."""
    unit(sources.register, names=["till"])(path)
    unit(sources.pause, name="till", now=now_ms())(path)


def late_report(path: Path) -> None:
    """Let the schedule have begun long ago."""
    unit(report_queries.remember_first_date, name="daily", first=date(2026, 1, 1))(path)


def given_up(path: Path) -> None:
    """Leave messages for a person."""
    Ledger(path).enqueue(message(1), message(2), message(3))
    sql("UPDATE message SET state = 'dead' WHERE id < 3", "UPDATE message SET state = 'held' WHERE id = 3")(
        path
    )


@contextlib.contextmanager
def on_a_full_disk(folder: Path) -> Iterator[None]:
    """Keep the ledger on a disk of eight megabytes."""
    disk = folder / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(disk)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    try:
        (folder / "config.toml").write_text('[store]\nurl = "sqlite:///disk/feedback.db"\n')
        yield
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


PLANTED: dict[str, Planted] = {
    # the ledger
    "a ledger with damaged pages": (
        in_ledger(garbage),
        "problem",
        "{dir}/feedback.db: the ledger is damaged",
        "restore it from a backup",
    ),
    "an index that misses rows": (
        in_ledger(FORGETFUL_INDEX),
        "problem",
        "{dir}/feedback.db: damaged: row 1 missing from index ix_feedback_dead",
        "restore it from a backup",
    ),
    "a ledger of a newer program": (
        in_ledger(sql("UPDATE alembic_version SET version_num = '9999'")),
        "problem",
        "the ledger has schema 9999, this program knows up to",
        "upgrade feedback_app",
    ),
    "a ledger of an older program": (
        in_ledger(sql("UPDATE alembic_version SET version_num = '0001'")),
        "warning",
        "{dir}/feedback.db: has schema 0001, this program wants",
        "feedback-app db upgrade",
    ),
    "a text for a ledger": (
        file("feedback.db", "Dear diary\n"),
        "problem",
        "{dir}/feedback.db: not a SQLite database",
        "name another file in [store] url, or restore it from a backup",
    ),
    "a ledger in a folder that is not there": (
        config('[store]\nurl = "sqlite:///data/feedback.db"\n'),
        "problem",
        "{dir}/data/feedback.db: the folder {dir}/data does not exist",
        "make it, or name another file in [store] url",
    ),
    "a disk that is almost full": (
        on_a_full_disk,
        "problem",
        "free beside the ledger, at least 64 MiB are needed",
        "make room, or name a ledger on another disk in [store] url",
    ),
    "a ledger for all to read": (
        in_ledger(lambda path: path.chmod(0o644)),
        "warning",
        "others than its owner can read customers' data in {dir}/feedback.db",
        "chmod 600 {dir}/feedback.db",
    ),
    # the daemon and what waits
    "a daemon that ended without a word": (
        in_ledger(register()),
        "warning",
        "none runs; the last one ended without a word after 20",
        "feedback-app run, or: systemctl start feedback-app",
    ),
    "a daemon whose heart does not beat": (
        with_daemon(heartbeat_at=now_ms() - 3_600_000),
        "problem",
        "pid 4711 on shop runs, and its last heartbeat is 3,",
        "kill -USR1 4711 makes it log where; then restart it",
    ),
    "starts that fail in a row": (
        in_ledger(five_failed_starts),
        "problem",
        "its starts failed again and again, the next is paused until",
        "mend that, then: feedback-app run",
    ),
    "a plugin that was suspended": (
        with_daemon(channels=down("suspended: 5 failures in a row of plugin chat: ValueError")),
        "problem",
        "its messages wait: suspended: 5 failures in a row of plugin chat: ValueError",
        "mend the plugin, then reload the daemon",
    ),
    "a channel that is down": (
        with_daemon(channels=down("127.0.0.1:25 answered 535 no")),
        "problem",
        "its messages wait: 127.0.0.1:25 answered 535 no",
        "mend what it says; it is tried again by itself",
    ),
    "a source that is down": (
        with_daemon(sources=down("no such stream", state="down")),
        "problem",
        "its ratings wait: no such stream",
        "mend what it says; it is opened again by itself",
    ),
    "a source that somebody paused": (
        in_ledger(paused_source),
        "warning",
        "paused since 20",
        "feedback-app sources resume till",
    ),
    "messages that were given up": (
        in_ledger(given_up),
        "warning",
        "2 messages were given up",
        "feedback-app messages list --state dead",
    ),
    "messages that may have left": (
        in_ledger(given_up),
        "warning",
        "1 messages may have left and wait for your word",
        "feedback-app messages list --state held",
    ),
    "customers who prefer what nobody serves": (
        in_ledger(
            sql(
                "INSERT INTO customer (id, preferred_channels, created_at, updated_at) VALUES ('c', 'fax,email', 1, 1)"
            )
        ),
        "warning",
        "customers prefer it and no plugin serves it",
        "`feedback-app plugins new fax` writes one to start from",
    ),
    "a clock that is behind": (
        in_ledger(sql("UPDATE feedback SET received_at = received_at + 7200000")),
        "problem",
        "the ledger has entries from 7,",
        "set the clock: timedatectl set-ntp true",
    ),
    "a report that is late": (
        in_ledger(late_report),
        "problem",
        "of 7 days, the oldest 20",
        "start the daemon, which makes it up",
    ),
}
