"""The daemon deletes what is past its time, and gives others their turn."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from feedback_app.chores import Chores
from feedback_app.clock import Jumps
from feedback_app.settings import load_settings
from feedback_app.store.retention import steps
from feedback_app.store.retention.steps import Step
from feedback_app.store.sqlite.store import SqliteStore
from feedback_app.trimming import Trimmer
from tests.making import NOW
from tests.running import business, daemon, rows, running, until
from tests.store.test_retention import DAY, OLD, put, rating

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


async def test_while_the_clock_may_be_wrong_nothing_is_deleted(tmp_path: Path) -> None:
    """One that was set by more than an hour within the last hour is trusted an hour later."""
    config = await _fill(tmp_path, 10)
    settings = load_settings(config, environ={})
    now = [NOW - 1000 * DAY]
    async with SqliteStore(tmp_path / "feedback.db") as store:
        chores = Chores(store, settings, wake=lambda: None, fail=lambda _: None, stopping=asyncio.Event())
        trimmer = Trimmer(store, settings.retention, clock=lambda: now[0])
        jumps = Jumps(lambda: now[0], stopwatch=lambda: 0.0)
        await chores._trim(trimmer, jumps)
        now[0] = NOW
        await chores._trim(trimmer, jumps)
        assert rows(tmp_path / "feedback.db", COUNT) == [(10,)]
        now[0] += HOUR // 2
        await chores._trim(trimmer, jumps)
        assert rows(tmp_path / "feedback.db", COUNT) == [(0,)]
