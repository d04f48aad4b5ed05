"""The daemon deletes what is past its time, and gives others their turn."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from feedback_app.settings import load_settings
from feedback_app.store.retention import steps
from feedback_app.store.retention.steps import Step
from feedback_app.store.sqlite.store import SqliteStore
from feedback_app.trimming import Trimmer
from tests.making import NOW
from tests.running import business, daemon, rows, running, until
from tests.store.old_rows import DAY, OLD, put, rating

HOUR = 3_600_000  # milliseconds
CONFIG = '[retention]\nmessages = "30d"\nratings = "30d"\n'
COUNT = "SELECT count(*) FROM feedback"


async def _fill(folder: Path, count: int) -> Path:
    config = business(folder, config=CONFIG)
    async with SqliteStore(folder / "feedback.db") as store:
        await put(store, ratings=[rating(number, OLD) for number in range(1, count + 1)])
    return config


async def test_a_daemon_deletes_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without being asked."""
    monkeypatch.setattr("feedback_app.chores._RETENTION", 0.02)
    config = await _fill(tmp_path, 300)
    async with running(daemon(config, clock=lambda: NOW)):
        await until(lambda: rows(tmp_path / "feedback.db", COUNT) == [(0,)])


async def test_a_daemon_that_deletes_stops_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the pause between two steps, with work left for the next start."""
    monkeypatch.setattr("feedback_app.chores._RETENTION", 0.02)
    monkeypatch.setattr("feedback_app.trimming._SHARE", 1_000_000)
    config = await _fill(tmp_path, 300)
    async with running(daemon(config, clock=lambda: NOW)):
        await until(lambda: rows(tmp_path / "feedback.db", COUNT) != [(300,)])
    assert rows(tmp_path / "feedback.db", COUNT) != [(0,)]


@pytest.mark.parametrize(("held", "rest"), [(0.0, 0.025), (1.0, 1.0)])
async def test_others_find_the_ledger_free_between_two_steps(
    held: float, rest: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as a step held it, commit included, and long enough that whoever looks every 20 ms sees it."""
    step, rests = steps.step, []

    def long_ago(*args: Any, **kwargs: Any) -> Step | None:
        done = step(*args, **kwargs)
        return done and done._replace(begun=done.begun - held)

    async def recorded(seconds: float, _stopping: object) -> None:
        rests.append(seconds)

    monkeypatch.setattr(steps, "step", long_ago)
    monkeypatch.setattr("feedback_app.trimming._rest", recorded)
    settings = load_settings(await _fill(tmp_path, 300), environ={})
    async with SqliteStore(tmp_path / "feedback.db") as store:
        done = await Trimmer(store, settings.retention, clock=lambda: NOW).run()
    assert done.steps == len(rests) >= 2
    assert min(rests) >= rest
    assert held < done.slowest < held + 5.0


class _Hands:
    """A wall clock and a stop-watch, set from outside."""

    def __init__(self) -> None:
        self.wall = OLD + 5 * DAY
        self.watch = 0.0

    def run_for(self, hours: float) -> None:
        """Let both go on."""
        self.wall += int(hours * HOUR)
        self.watch += hours * 3600

    def trimmer(self, store: SqliteStore, config: Path) -> Trimmer:
        """Return what a daemon has that starts now."""
        kept = load_settings(config, environ={}).retention
        return Trimmer(store, kept, clock=lambda: self.wall, stopwatch=lambda: self.watch)


async def test_a_clock_that_is_ahead_for_hours_deletes_nothing_young(tmp_path: Path) -> None:
    """Ten years ahead for half a day, over a new start: twelve days are believed, and what is 30 days old goes."""
    config, hands, stopping = await _fill(tmp_path, 10), _Hands(), asyncio.Event()
    async with SqliteStore(tmp_path / "feedback.db") as store:
        await hands.trimmer(store, config).run(stopping)
        hands.wall += 3650 * DAY
        for _start in range(2):
            trimmer = hands.trimmer(store, config)
            for _look in range(6):
                hands.run_for(1)
                await trimmer.run(stopping)
        assert rows(tmp_path / "feedback.db", COUNT) == [(10,)]
        hands.wall -= 3650 * DAY
        await trimmer.run(stopping)
        assert rows(tmp_path / "feedback.db", COUNT) == [(10,)]
        hands.run_for(25 * 24)
        await trimmer.run(stopping)
        assert rows(tmp_path / "feedback.db", COUNT) == [(0,)]


async def test_what_became_old_while_no_daemon_ran_is_deleted_within_hours(tmp_path: Path) -> None:
    """A month without a daemon is caught up with at a day an hour."""
    config, hands, stopping = await _fill(tmp_path, 10), _Hands(), asyncio.Event()
    async with SqliteStore(tmp_path / "feedback.db") as store:
        await hands.trimmer(store, config).run(stopping)
        hands.wall += 26 * DAY
        trimmer = hands.trimmer(store, config)
        hands.run_for(24)
        await trimmer.run(stopping)
        assert rows(tmp_path / "feedback.db", COUNT) == [(10,)]
        hands.run_for(2)
        await trimmer.run(stopping)
        assert rows(tmp_path / "feedback.db", COUNT) == [(0,)]


async def test_a_clock_that_was_never_set_holds_nothing_up_later(tmp_path: Path) -> None:
    """What it showed is not what the time to come is reckoned from."""
    config, hands, stopping = await _fill(tmp_path, 10), _Hands(), asyncio.Event()
    right, hands.wall = NOW, 0
    async with SqliteStore(tmp_path / "feedback.db") as store:
        trimmer = hands.trimmer(store, config)
        await trimmer.run(stopping)
        hands.wall = right
        await trimmer.run(stopping)
        assert rows(tmp_path / "feedback.db", COUNT) == [(0,)]
