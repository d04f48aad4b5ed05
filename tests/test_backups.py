"""Backups by the clock: made once a day or as soon as can be, and the last good one is never removed."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from feedback_app import backups
from feedback_app.backups import Backups, made_in, newest_in
from feedback_app.clock import Clock
from feedback_app.daemon import Daemon
from feedback_app.settings import Settings, load_settings
from feedback_app.store.sqlite import file
from feedback_app.store.sqlite.backup import Backup
from feedback_app.testing.clock import ManualClock
from tests.running import business, running, until


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder with a ledger."""
    file.create(tmp_path / "feedback.db")
    return tmp_path


@pytest.fixture
def clock() -> ManualClock:
    """Give a clock that shows noon."""
    return ManualClock(datetime(2027, 1, 15, 12, tzinfo=UTC))


def settings_of(folder: Path, text: str = 'directory = "backups"') -> Settings:
    """Load a `[backup]` table."""
    (folder / "config.toml").write_text(f"[backup]\n{text}\n")
    return load_settings(folder / "config.toml", environ={})


def minding(folder: Path, clock: Clock, text: str = 'directory = "backups"') -> Backups:
    """Return what makes backups."""
    return Backups(settings_of(folder, text), clock=clock, stopping=asyncio.Event())


def names(folder: Path) -> list[str]:
    """Return the backups there are."""
    return [one.name for one in made_in(folder / "backups")]


async def test_one_a_day(folder: Path, clock: ManualClock) -> None:
    """The first one at once, then at the hour, whoever looks however often."""
    mind = minding(folder, clock)
    for _ in range(3 * 24 * 6):
        await mind.look()
        clock.turn(minutes=10)
    assert names(folder) == [
        "feedback-2027-01-15T120000Z.db",
        "feedback-2027-01-16T033000Z.db",
        "feedback-2027-01-17T033000Z.db",
        "feedback-2027-01-18T033000Z.db",
    ]


async def test_what_was_missed_is_made_up_once(folder: Path, clock: ManualClock) -> None:
    """A daemon that did not run at the hour makes one when it starts; one that just restarts makes none."""
    await minding(folder, clock).look()
    clock.turn(hours=1)
    await minding(folder, clock).look()
    assert len(names(folder)) == 1
    clock.turn(days=5)
    await minding(folder, clock).look()
    assert len(names(folder)) == 2


async def test_only_its_own_old_files_are_removed(folder: Path, clock: ManualClock) -> None:
    """The oldest beyond `keep`; files of others, links and folders with such names stay."""
    kept = folder / "backups"
    kept.mkdir()
    for day in range(1, 6):
        (kept / f"feedback-2027-01-0{day}T033000Z.db").write_text("old")
    others = ["notes.txt", "feedback.db", "feedback-2027-01-01T033000Z.db.bak"]
    for name in others:
        (kept / name).write_text("mine")
    (kept / "feedback-2026-01-01T000000Z.db").symlink_to("notes.txt")
    (kept / "feedback-2026-01-02T000000Z.db").mkdir()
    (kept / ".feedback-2027-01-05T033000Z.db.0123abcd.new").write_text("left by who was killed")
    await minding(folder, clock, 'directory = "backups"\nkeep = 3').look()
    assert names(folder) == [
        "feedback-2027-01-04T033000Z.db",
        "feedback-2027-01-05T033000Z.db",
        "feedback-2027-01-15T120000Z.db",
    ]
    left = {one.name for one in kept.iterdir()}
    assert {*others, "feedback-2026-01-01T000000Z.db", "feedback-2026-01-02T000000Z.db"} <= left
    assert not [name for name in left if name.endswith(".new")]


async def test_what_a_clock_that_was_ahead_has_named_goes_first(folder: Path, clock: ManualClock) -> None:
    """Else it would take the places of the good ones until its time has come."""
    kept = folder / "backups"
    kept.mkdir()
    for name in ("2027-01-13", "2027-01-14", "2029-01-01", "2029-01-02"):
        (kept / f"feedback-{name}T033000Z.db").write_text("old")
    await minding(folder, clock, 'directory = "backups"\nkeep = 3').look()
    assert names(folder) == [
        "feedback-2027-01-13T033000Z.db",
        "feedback-2027-01-14T033000Z.db",
        "feedback-2027-01-15T120000Z.db",
    ]


async def test_one_that_fails_removes_nothing_and_is_tried_again(
    folder: Path, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A line when it fails, not one for each try; the last good one stays."""
    kept = folder / "backups"
    kept.mkdir()
    (kept / "feedback-2027-01-01T033000Z.db").write_text("the last good one")
    ledger = folder / "feedback.db"
    sound = ledger.read_bytes()
    ledger.write_bytes(sound[:4096] + b"\xff" * 4096 + sound[8192:])
    mind = minding(folder, clock, 'directory = "backups"\nkeep = 1')
    for _ in range(5):
        await mind.look()
        clock.turn(minutes=2)
    assert names(folder) == ["feedback-2027-01-01T033000Z.db"]
    assert [record.message for record in caplog.records] == ["backup not made, trying again"]
    assert "feedback.db" in caplog.records[0].__dict__["reason"]
    ledger.write_bytes(sound)
    caplog.set_level(logging.INFO)
    await mind.look()
    assert names(folder) == ["feedback-2027-01-15T121000Z.db"]
    assert caplog.records[-1].message == "backup made"


async def test_tries_rest_for_a_minute(
    folder: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large copy that fails is not made anew every second; a clock that is set back does not stop it."""
    tried = []

    def fail(*_given: object) -> None:
        tried.append(clock.now)
        raise OSError("the network share is away")

    monkeypatch.setattr(backups, "newest_in", fail)
    mind = minding(folder, clock)
    for _ in range(120):
        await mind.look()
        clock.turn(seconds=1)
    assert len(tried) == 2
    clock.turn(days=-100)
    await mind.look()
    assert len(tried) == 3


@pytest.mark.parametrize("text", ["a file", "a folder that is not there"])
async def test_a_directory_that_cannot_be_is_said(
    folder: Path, clock: ManualClock, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    """In the log, with its path; the folder itself is made, its parents are not."""
    if text == "a file":
        (folder / "backups").write_text("")
        await minding(folder, clock).look()
    else:
        await minding(folder, clock, 'directory = "no/backups"').look()
    (record,) = caplog.records
    assert str(folder) in record.__dict__["reason"]


async def test_a_clock_that_was_never_set_makes_none(folder: Path) -> None:
    """It would remove good ones and name new ones after 1970."""
    await minding(folder, lambda: 1000).look()
    assert names(folder) == []


async def test_a_clock_that_was_ahead_does_not_stop_them(folder: Path, clock: ManualClock) -> None:
    """What it has named is no newest one."""
    clock.turn(days=3650)
    await minding(folder, clock).look()
    clock.turn(days=-3650)
    await minding(folder, clock).look()
    assert newest_in(folder / "backups", clock.now) == clock.now


async def test_a_clock_that_is_put_right_while_the_daemon_runs_does_not_stop_them(
    folder: Path, clock: ManualClock
) -> None:
    """When the next is due was worked out at a moment that has not come."""
    mind = minding(folder, clock)
    clock.turn(days=365)
    await mind.look()
    clock.turn(days=-365)
    for _ in range(2 * 24 * 6):
        await mind.look()
        clock.turn(minutes=10)
    assert names(folder) == [
        "feedback-2027-01-15T120000Z.db",
        "feedback-2027-01-16T033000Z.db",
        "feedback-2027-01-17T033000Z.db",
        "feedback-2028-01-15T120000Z.db",
    ]


async def test_a_stop_does_not_wait_for_one(
    folder: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is interrupted, leaves nothing, and is no failure to be told."""
    begun, make = threading.Event(), Backup.make

    def slow(self: Backup) -> Any:
        begun.set()
        assert self._interrupted.wait(20)
        return make(self)

    monkeypatch.setattr(Backup, "make", slow)
    stopping = asyncio.Event()
    mind = Backups(settings_of(folder), clock=clock, stopping=stopping)
    looking = asyncio.create_task(mind.look())
    await asyncio.to_thread(begun.wait, 20)
    stopping.set()
    await asyncio.wait_for(looking, 20)
    assert list((folder / "backups").iterdir()) == []


async def test_a_stop_does_not_wait_for_a_disk_that_hangs(
    folder: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network share that is away holds its thread for ever, and nothing else."""
    begun, over = threading.Event(), threading.Event()

    def hanging(_self: Backup) -> None:
        begun.set()
        over.wait(60)

    monkeypatch.setattr(Backup, "make", hanging)
    monkeypatch.setattr(backups, "_LET_GO", 0.05)
    stopping = asyncio.Event()
    looking = asyncio.create_task(Backups(settings_of(folder), clock=clock, stopping=stopping).look())
    await asyncio.to_thread(begun.wait, 20)
    stopping.set()
    await asyncio.wait_for(looking, 20)
    over.set()


async def test_the_daemon_makes_them_and_a_reload_applies(tmp_path: Path) -> None:
    """Off, then on, by SIGHUP."""
    config = business(tmp_path)
    read = partial(load_settings, config, environ={})
    one = Daemon(read(), read_settings=read)
    async with running(one):
        assert not (tmp_path / "backups").exists()
        business(tmp_path, config='[backup]\ndirectory = "backups"\n')
        os.kill(os.getpid(), signal.SIGHUP)
        await until(lambda: made_in(tmp_path / "backups"))
    (made,) = made_in(tmp_path / "backups")
    assert file.check(made)
