"""A backup of a ledger in use: one snapshot, whole or not there."""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from feedback_app.errors import Busy, CannotCreate, FeedbackAppError, NotFound, StorageFailed, StorageFull
from feedback_app.store import ratings
from feedback_app.store.migrate import HEAD
from feedback_app.store.sqlite import drafts, file, place, snapshot
from feedback_app.store.sqlite.backup import Backup
from feedback_app.store.sqlite.lock import LedgerLock
from feedback_app.store.sqlite.store import SqliteStore
from tests.copies import SQLITE, contents, fill
from tests.making import NOW, incoming

PLACES = ("backup.copied", "backup.verified")


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Make a ledger with rows in every table."""
    path = tmp_path / "feedback.db"
    fill(path)
    return path


def test_a_backup_is_the_ledger(ledger: Path, tmp_path: Path) -> None:
    """The same rows, readable by its owner only, and nothing beside it."""
    target = tmp_path / "b" / "one.db"
    target.parent.mkdir()
    found = Backup(ledger, target).make()
    assert found.schema == HEAD
    assert found.ratings == 12
    assert found.size == target.stat().st_size
    assert contents(f"{SQLITE}{target}") == contents(f"{SQLITE}{ledger}")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [one.name for one in target.parent.iterdir() if "-" not in one.name] == ["one.db"]


async def test_what_is_committed_meanwhile_is_not_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer commits between the steps, and waits for nobody; the copy is as of the moment of the count."""
    path = tmp_path / "feedback.db"
    async with SqliteStore(path, "daemon") as store:
        first = [incoming(f"r{number}", comment="x" * 4000) for number in range(400)]
        await store.write(partial(ratings.take_in, arrivals=first, now=NOW))
        monkeypatch.setattr(snapshot, "_STEP", 10)
        made = Backup(path, tmp_path / "b.db")
        steps = 0

        def keep_on() -> None:
            nonlocal steps
            steps += 1
            one = [incoming(f"late{steps}")]
            store.submit(partial(ratings.take_in, arrivals=one, now=NOW)).result(2)

        monkeypatch.setattr(made, "_keep_on", keep_on)
        found = made.make()
        assert steps > 10
        assert found.ratings == 400 + 1  # one before the snapshot: `keep_on` is asked first then
    assert len(contents(f"{SQLITE}{tmp_path / 'b.db'}")["feedback"]) == found.ratings


def test_a_name_that_is_taken_is_refused(ledger: Path, tmp_path: Path) -> None:
    """Files, folders, links to nowhere, and the ledger's own names; nothing is overwritten."""
    (tmp_path / "there.db").write_text("precious")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.db").symlink_to("nowhere")
    for name in ("there.db", "folder", "link.db", "feedback.db", "feedback.db-journal"):
        with pytest.raises(CannotCreate):
            Backup(ledger, tmp_path / name).make()
    with pytest.raises(CannotCreate, match="there is no folder"):
        Backup(ledger, tmp_path / "no" / "b.db").make()
    assert (tmp_path / "there.db").read_text() == "precious"


def test_a_name_that_is_taken_meanwhile_is_refused(
    ledger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever was first keeps it."""
    target = tmp_path / "b.db"
    made = Backup(ledger, target)
    monkeypatch.setattr(drafts, "sync", lambda _draft: target.write_text("first"))
    with pytest.raises(CannotCreate, match="is there already"):
        made.make()
    assert target.read_text() == "first"


def test_there_must_be_a_ledger(tmp_path: Path) -> None:
    """None is made for the sake of its backup."""
    with pytest.raises(NotFound):
        Backup(tmp_path / "feedback.db", tmp_path / "b.db").make()
    assert list(tmp_path.iterdir()) == []


def test_a_disk_without_room_is_told_before_the_copy(
    ledger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what is needed and what is left."""
    monkeypatch.setattr(place, "room", lambda _folder: 1000)
    with pytest.raises(StorageFull, match="1,000 are left"):
        Backup(ledger, tmp_path / "b.db").make()


def test_a_damaged_ledger_gives_no_backup(ledger: Path, tmp_path: Path) -> None:
    """An index that lacks a row is found in the copy, which is not kept."""
    with closing(sqlite3.connect(ledger, isolation_level=None)) as base:
        base.execute("PRAGMA writable_schema = ON")
        base.execute("UPDATE sqlite_master SET rootpage = (SELECT rootpage FROM sqlite_master"
                     " WHERE name = 'ix_feedback_customer_id') WHERE name = 'ix_message_feedback_id'")  # fmt: skip
    with pytest.raises((StorageFailed, FeedbackAppError)):
        Backup(ledger, tmp_path / "b.db").make()
    assert not (tmp_path / "b.db").exists()


@pytest.mark.parametrize("before", ["moment", "compare"])
def test_one_that_is_interrupted_leaves_nothing(
    ledger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    """While pages are copied, and while the copy is verified."""
    made = Backup(ledger, tmp_path / "b.db")
    whole = getattr(snapshot, before)

    def interrupted(*given: object) -> object:
        thread = threading.Thread(target=made.interrupt)
        thread.start()
        thread.join()
        return whole(*given)

    monkeypatch.setattr(snapshot, before, interrupted)
    with pytest.raises(Busy, match="stopped before its end"):
        made.make()
    assert [one.name for one in tmp_path.iterdir() if ".new" in one.name or one.name == "b.db"] == []


@pytest.mark.parametrize("point", PLACES)
def test_one_that_is_killed_leaves_nothing_that_looks_like_one(
    ledger: Path, tmp_path: Path, point: str
) -> None:
    """Only a hidden draft, which another name cannot be mistaken for."""
    armed = {"FEEDBACK_FAILPOINT": f"{point}:kill", "FEEDBACK_FAILPOINT_TEST": "yes"}
    done = subprocess.run(
        [sys.executable, "-m", "feedback_app", "db", "backup", "b.db"],
        cwd=ledger.parent, env={**os.environ, **armed}, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL
    assert [one.name for one in tmp_path.glob("*b.db*") if not one.name.startswith(".")] == []


def test_it_asks_no_daemon(ledger: Path, tmp_path: Path) -> None:
    """The lock is the daemon's, and stays so."""
    lock = LedgerLock(ledger)
    assert lock.try_acquire("daemon")
    Backup(ledger, tmp_path / "b.db").make()
    lock.release()
    assert file.check(tmp_path / "b.db") == HEAD


@pytest.mark.parametrize("is_taken", [False, True])
def test_a_disk_without_links_will_do(
    ledger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_taken: bool
) -> None:
    """A memory stick, some network shares: the draft is renamed, and still onto nobody."""
    target = tmp_path / "b.db"

    def refuse(*_names: object) -> None:
        if is_taken:
            target.write_text("first")
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    if is_taken:
        with pytest.raises(CannotCreate, match="is there already"):
            Backup(ledger, target).make()
        assert target.read_text() == "first"
    else:
        Backup(ledger, target).make()
        assert file.check(target) == HEAD
    assert list(tmp_path.glob(".*.new")) == []
