"""A ledger put back from a backup: what is none is refused, what was is kept, and killed it is one or the other."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from feedback_app.errors import BadData, Busy, FeedbackAppError, NotPermitted
from feedback_app.store import ratings
from feedback_app.store.migrate import HEAD
from feedback_app.store.sqlite import file
from feedback_app.store.sqlite.backup import Backup
from feedback_app.store.sqlite.lock import LedgerLock
from feedback_app.store.sqlite.store import SqliteStore
from tests.copies import SQLITE, ask, contents, fill
from tests.making import NOW, incoming
from tests.store.broken_backups import BROKEN
from tests.store.restoring import STAMP, restore, sql

PLACES = ("restore.ready", "restore.kept", "restore.replaced")


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Return what is in a folder's files, locks aside."""
    return {
        one.name: one.read_bytes()
        for one in folder.iterdir()
        if one.is_file() and not one.name.endswith(("-lock", "-shm"))
    }


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Make a ledger of three ratings."""
    path = tmp_path / "feedback.db"
    fill(path, rows=3)
    return path


@pytest.fixture
def backup(ledger: Path, tmp_path: Path) -> Path:
    """Make a backup of another time: two more ratings were in it."""
    other = tmp_path / "other.db"
    fill(other, rows=5)
    folder = tmp_path / "backups"
    folder.mkdir()
    Backup(other, folder / "b.db").make()
    for one in tmp_path.glob("other.db*"):
        one.unlink()
    return folder / "b.db"


# --- what is refused


def test_there_are_enough_of_them() -> None:
    """As was promised."""
    assert len(BROKEN) >= 20


@pytest.mark.parametrize("name", BROKEN)
def test_what_no_ledger_can_be_restored_from_is_refused(ledger: Path, backup: Path, name: str) -> None:
    """With the reason in a line; neither the ledger nor the file is touched, and nothing is left beside them."""
    make, code, said = BROKEN[name]
    make(backup)
    before = bytes_of(ledger.parent), bytes_of(backup.parent)
    with pytest.raises(FeedbackAppError, match=said) as refused:
        restore(ledger, backup)
    assert refused.value.exit_code == code
    assert str(backup) in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
    assert (bytes_of(ledger.parent), bytes_of(backup.parent)) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_refused(ledger: Path, backup: Path) -> None:
    """Exit code 77."""
    backup.chmod(0)
    with pytest.raises(NotPermitted):
        restore(ledger, backup)


@pytest.mark.parametrize("kind", ["itself", "link", "hard link"])
def test_the_ledger_itself_is_refused(ledger: Path, tmp_path: Path, kind: str) -> None:
    """Under whatever name."""
    other = tmp_path / "same.db"
    match kind:
        case "link":
            other.symlink_to(ledger)
        case "hard link":
            other.hardlink_to(ledger)
        case _:
            other = ledger
    with pytest.raises(FeedbackAppError, match="is the ledger itself"):
        restore(ledger, other)


def test_a_daemon_that_runs_is_named(ledger: Path, backup: Path) -> None:
    """On the ledger, and on a ledger that is given as a backup."""
    lock = LedgerLock(ledger)
    assert lock.try_acquire("daemon")
    with pytest.raises(Busy, match=f"a daemon with pid {os.getpid()} already runs"):
        restore(ledger, backup)
    lock.release()
    lock = LedgerLock(backup)
    assert lock.try_acquire("daemon")
    with pytest.raises(Busy, match="a daemon runs on it"):
        restore(ledger, backup)
    lock.release()


async def test_a_command_that_has_the_ledger_open_is_waited_for_and_then_said(
    ledger: Path, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its next commit would go into a file that nobody reads any more."""
    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda *given, **more: connect(*given, **({"timeout": 0.1} | more))
    )
    before = contents(f"{SQLITE}{ledger}")
    async with SqliteStore(ledger):
        with pytest.raises(Busy, match="another process has the ledger open"):
            restore(ledger, backup)
    assert contents(f"{SQLITE}{ledger}") == before


def test_the_database_of_another_program_is_not_replaced(tmp_path: Path, backup: Path) -> None:
    """It may be that [store] url is wrong."""
    path = tmp_path / "theirs.db"
    sql(path, "CREATE TABLE t (x)")
    with pytest.raises(BadData, match="a SQLite database of another program"):
        restore(path, backup)


# --- what is done


@pytest.fixture
def lines(ledger: Path) -> Iterator[Path]:
    """Be sure that nothing is left beside the ledger."""
    yield ledger
    assert [one.name for one in ledger.parent.iterdir() if ".new" in one.name] == []


async def test_the_ledger_is_that_of_the_backup(lines: Path, backup: Path) -> None:
    """The old one is kept, whole and in one file; both can be opened and written."""
    old, wanted = contents(f"{SQLITE}{lines}"), contents(f"{SQLITE}{backup}")
    done = restore(lines, backup, resend=True)
    assert done.kept == lines.with_name(f"feedback.db.before-restore-{STAMP}")
    assert contents(f"{SQLITE}{lines}") == wanted
    assert contents(f"{SQLITE}{done.kept}") == old
    assert not done.kept.with_name(done.kept.name + "-wal").exists()
    async with SqliteStore(lines, "daemon") as store:
        await store.write(partial(ratings.take_in, arrivals=[incoming()], now=NOW))
    assert ask(f"{SQLITE}{lines}", "PRAGMA journal_mode") == [("wal",)]
    restore(lines, done.kept, stamp="later")  # a kept one can be put back again
    assert len(contents(f"{SQLITE}{lines}")["feedback"]) == 3


async def test_commits_in_the_log_are_kept_too(ledger: Path, backup: Path) -> None:
    """A daemon that was killed left a log; the old ledger is kept with what was in it."""
    path = ledger.with_name("crashed.db")
    async with SqliteStore(path, "daemon") as store:
        await store.write(partial(ratings.take_in, arrivals=[incoming()], now=NOW))
        for one in path.parent.glob("crashed.db*"):
            if one.is_file() and not one.name.endswith("-lock"):
                shutil.copy(one, one.with_name(one.name.replace("crashed", "left")))
    left = path.with_name("left.db")
    assert left.with_name("left.db-wal").stat().st_size > 0
    done = restore(left, backup)
    assert done.kept
    assert len(contents(f"{SQLITE}{done.kept}")["feedback"]) == 1
    assert done.since.lost == 1


def test_a_broken_ledger_is_kept_as_it_is(ledger: Path, backup: Path) -> None:
    """With its log, which belongs to it and to no other."""
    ledger.write_bytes(b"noise" * 1000)
    ledger.with_name("feedback.db-wal").write_bytes(b"log")
    done = restore(ledger, backup)
    assert done.kept
    assert done.since.lost is None
    assert done.kept.read_bytes() == b"noise" * 1000
    assert done.kept.with_name(done.kept.name + "-wal").read_bytes() == b"log"
    assert not ledger.with_name("feedback.db-wal").exists()
    assert file.check(ledger) == HEAD


def test_a_ledger_that_is_gone_is_made(tmp_path: Path, backup: Path) -> None:
    """A log that it left is not taken for the new one's."""
    path = tmp_path / "gone.db"
    path.with_name("gone.db-wal").write_bytes(b"log")
    done = restore(path, backup)
    assert done.kept is None
    assert file.check(path) == HEAD
    assert path.with_name(f"gone.db.before-restore-{STAMP}-wal").read_bytes() == b"log"


def test_a_backup_of_an_older_schema_waits_for_its_upgrade(ledger: Path, backup: Path) -> None:
    """`run` upgrades it, as any old ledger."""
    sql(backup, "UPDATE alembic_version SET version_num = '0002'")
    restore(ledger, backup)
    assert file.check(ledger) == "0002"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_owner_stays(ledger: Path, backup: Path) -> None:
    """Root restores what a daemon of its own user goes on with."""
    os.chown(ledger, 12345, 12345)
    ledger.chmod(0o640)
    restore(ledger, backup)
    found = ledger.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (12345, 12345, 0o640)


@pytest.mark.parametrize("point", PLACES)
async def test_killed_there_is_the_old_or_the_new_one(ledger: Path, backup: Path, point: str) -> None:
    """Whole, and the program goes on with it; the same restore works afterwards."""
    old, wanted = contents(f"{SQLITE}{ledger}"), contents(f"{SQLITE}{backup}")
    armed = {"FEEDBACK_FAILPOINT": f"{point}:kill", "FEEDBACK_FAILPOINT_TEST": "yes"}
    done = subprocess.run(  # noqa: ASYNC221 - no loop waits
        [sys.executable, "-m", "feedback_app", "db", "restore", str(backup), "--yes", "--resend"],
        cwd=ledger.parent, env={**os.environ, **armed}, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL
    is_new = point == "restore.replaced"
    assert contents(f"{SQLITE}{ledger}") == (wanted if is_new else old)
    async with SqliteStore(ledger, "daemon") as store:
        await store.write(partial(ratings.take_in, arrivals=[incoming()], now=NOW))
    assert ask(f"{SQLITE}{ledger}", "PRAGMA integrity_check") == [("ok",)]
    restore(ledger, backup, resend=True)
    assert contents(f"{SQLITE}{ledger}") == wanted
    assert list(ledger.parent.glob(".*.new*")) == []


def test_who_opened_the_old_one_a_moment_before_cannot_write_it(ledger: Path, backup: Path) -> None:
    """Its log would be taken for the new one's: they have the same name."""
    with contextlib.closing(
        sqlite3.connect(ledger, isolation_level=None)
    ) as late:  # opened, and nothing read yet
        restore(ledger, backup, resend=True)
        wanted = contents(f"{SQLITE}{ledger}")
        for statement in ("DELETE FROM delivery_attempt", "PRAGMA journal_mode = WAL"):
            with pytest.raises(sqlite3.OperationalError, match="attempt to write a readonly database"):
                late.execute(statement)
        assert len(late.execute("SELECT * FROM feedback").fetchall()) == 3
    assert contents(f"{SQLITE}{ledger}") == wanted
    assert ask(f"{SQLITE}{ledger}", "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize("name", ["it's", "a b", "50%", "what?", "#1", 'q"q', "größe", "%41;x"])
def test_any_name_will_do(tmp_path: Path, name: str) -> None:
    """Of folders and files; they stand in SQLite's URLs and statements."""
    folder = tmp_path / name
    folder.mkdir()
    ledger, backup = folder / f"{name}.db", folder / f"{name}-backup.db"
    fill(ledger, rows=2)
    Backup(ledger, backup).make()
    done = restore(ledger, backup)
    assert done.since.lost == 0
    assert file.check(ledger) == HEAD


def test_a_link_to_the_ledger_stays_one(tmp_path: Path, ledger: Path, backup: Path) -> None:
    """What it leads to is replaced, and kept beside itself."""
    link = tmp_path / "elsewhere" / "link.db"
    link.parent.mkdir()
    link.symlink_to(ledger)
    done = restore(link, backup)
    assert link.is_symlink()
    assert done.kept
    assert done.kept.parent == ledger.parent
    assert len(contents(f"{SQLITE}{ledger}")["feedback"]) == 5
