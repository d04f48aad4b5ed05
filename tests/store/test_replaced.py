"""Ledgers that are moved, removed or replaced under a program that has them open."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from feedback_app.chores import Chores
from feedback_app.clock import now_ms
from feedback_app.errors import Busy, FeedbackAppError, StorageFailed
from feedback_app.report.reporter import Reporter
from feedback_app.settings import load_settings
from feedback_app.store import migrate, ratings
from feedback_app.store.sqlite import file
from feedback_app.store.sqlite.restore import restoring
from feedback_app.store.sqlite.store import SqliteStore
from tests.making import NOW, incoming
from tests.running import DEADLINE, business, daemon, until

LEDGERS = Path(__file__).parents[1] / "data" / "ledgers"


def _move(ledger: Path) -> None:
    ledger.rename(ledger.with_name("elsewhere.db"))


def _remove(ledger: Path) -> None:
    ledger.unlink()


def _replace(ledger: Path) -> None:
    copy = ledger.with_name("copy.db")
    file.create(copy)
    copy.replace(ledger)


def _remove_log(ledger: Path) -> None:
    ledger.with_name(ledger.name + "-wal").unlink()


def _move_folder(ledger: Path) -> None:
    ledger.parent.rename(ledger.parent.with_name("away"))


def _touch(ledger: Path) -> None:
    os.utime(ledger, (0, 0))
    ledger.chmod(0o640)


CHANGES = [_move, _remove, _replace, _remove_log, _move_folder]


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Return where a ledger is to be, in a folder that may be moved."""
    (tmp_path / "business").mkdir()
    return tmp_path / "business" / "feedback.db"


@pytest.mark.parametrize("change", CHANGES)
async def test_a_daemon_that_has_nothing_to_write_notices_that_its_ledger_is_another(
    ledger: Path, change: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However rarely it polls: it looks at the files every two seconds, here more often."""
    monkeypatch.setattr("feedback_app.chores._WATCH", 0.02)
    monkeypatch.setattr("feedback_app.chores._CLOCK", 3600.0)
    settings = load_settings(business(ledger.parent, config='[intake]\npoll_interval = "1h"\n'), environ={})
    failures: list[FeedbackAppError] = []
    stopping = asyncio.Event()
    async with SqliteStore(ledger, "daemon") as store:
        chores = Chores(store, settings, wake=lambda: None, fail=failures.append, stopping=stopping)
        tickers = chores.tickers(Reporter(store, settings), [], clock=now_ms)
        running = asyncio.create_task(chores.run(tickers))
        change(ledger)
        await until(lambda: failures)
        stopping.set()
        await running
    assert str(failures[0]) == f"{ledger}: the ledger was replaced or removed while running"


async def test_a_daemon_whose_ledger_is_another_ends_with_74(ledger: Path) -> None:
    """What it would go on writing is gone with it."""
    one = daemon(business(ledger.parent))
    task = asyncio.create_task(one.run())
    await until(one.ready.is_set)
    _remove(ledger)
    with pytest.raises(StorageFailed, match="the ledger was replaced or removed while running") as stopped:
        await asyncio.wait_for(task, DEADLINE)
    assert stopped.value.exit_code == 74


@pytest.mark.parametrize("change", CHANGES)
async def test_what_is_written_into_a_file_without_a_name_is_not_acknowledged(
    ledger: Path, change: Callable[[Path], None]
) -> None:
    """Every write after the change is refused, also before the daemon's next look."""
    async with SqliteStore(ledger) as store:
        await store.write(partial(ratings.take_in, arrivals=[incoming("r1")], now=NOW))
        change(ledger)
        with pytest.raises(StorageFailed, match="replaced or removed"):
            await store.write(partial(ratings.take_in, arrivals=[incoming("r2")], now=NOW))


async def test_a_ledger_touched_by_others_is_still_the_same(ledger: Path) -> None:
    """Times of files, copies made of it and permissions mean nothing."""
    async with SqliteStore(ledger) as store:
        _touch(ledger)
        await store.write(partial(ratings.take_in, arrivals=[incoming("r1")], now=NOW))
        store.verify()


async def test_a_ledger_opened_by_a_link_is_locked_like_the_ledger_itself(
    ledger: Path, tmp_path: Path
) -> None:
    """Two daemons on one file are refused whatever names they know it by."""
    link = tmp_path / "link.db"
    file.create(ledger)
    link.symlink_to(ledger)
    async with SqliteStore(link, "daemon") as store:
        await store.write(partial(ratings.take_in, arrivals=[incoming("r1")], now=NOW))
        with pytest.raises(Busy, match=f"feedback.db: a daemon with pid {os.getpid()} already runs"):
            async with SqliteStore(ledger, "daemon"):
                pass
        link.unlink()
        shutil.copy(ledger, link)
        with pytest.raises(StorageFailed, match="replaced or removed"):
            store.verify()


async def test_a_daemon_that_waited_for_a_restore_opens_what_was_restored(tmp_path: Path) -> None:
    """It had looked at the old ledger; the new one is of an earlier schema, so it is upgraded, and all use that one."""
    path, backup = tmp_path / "feedback.db", tmp_path / "b.db"
    with contextlib.closing(sqlite3.connect(backup, isolation_level=None)) as earlier:
        earlier.executescript((LEDGERS / "0002.sql").read_text(encoding="utf-8"))
    file.create(path)
    restore = contextlib.ExitStack()
    ready = restore.enter_context(restoring(path, backup))

    def finish() -> None:
        with restore:
            ready.finish(resend=False, stamp="then", now=NOW)

    asyncio.get_running_loop().call_soon(finish)  # at the first moment that the daemon waits, for the lock
    async with SqliteStore(path, "daemon") as store:
        assert path.with_name("feedback.db.before-restore-then").exists()
        assert file.check(path) == migrate.HEAD
        store.changed()
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("INSERT INTO meta VALUES ('a', 'b')")
        assert store.changed()
