"""Kills at named places and system calls, storms of signals, tasks that die, ratings that kill, starts that fail."""

from __future__ import annotations

import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from feedback_app import failpoints
from feedback_app.errors import BadConfig
from feedback_app.store import starts
from feedback_app.store.sqlite.store import SqliteStore
from tests.cli import test_db_trim
from tests.faults import calls, copying, freeze, points, storms
from tests.faults.needs import need_strace
from tests.faults.program import Program
from tests.faults.scenario import Scene, scene
from tests.making import NOW, incoming
from tests.running import add, business, rows, sent
from tests.sources.test_contract import MOMENTS
from tests.store import test_backup, test_restore

KILLER = '''
"""An analyser that does not fail on one rating but takes the whole process with it."""

import os

from feedback_app import Analyser, hookimpl


class Killer(Analyser):
    name = "killer"

    async def analyse(self, feedback):
        if feedback.id == "poison":
            os.abort()
        return {}


@hookimpl
def make_analyser(settings):
    return Killer()
'''
UNFIT = """
from feedback_app import Notifier, hookimpl


class Unfit(Notifier):
    channel = "chat"

    async def open(self):
        raise RuntimeError("no such socket")

    async def send(self, message):
        raise AssertionError


@hookimpl
def make_notifier(settings):
    return Unfit()
"""


@pytest.fixture
async def one() -> AsyncIterator[Scene]:
    """Give a folder with a ledger and servers."""
    async with scene() as made:
        made.make_ledger()
        yield made


def test_kills_at_every_named_place_leave_only_what_is_allowed() -> None:
    """One kill at each of K0 to K18; the suite `points` does fifty."""
    figures = points.run(0, len(points.POINTS))
    assert figures.broken == []
    assert figures.kills == len(points.POINTS)


def test_every_fail_point_is_used() -> None:
    """A name that no suite arms would be dead code in the product."""
    armed = {point.at for point in points.POINTS} | {name for name, _ in LONG_TASKS}
    armed |= {
        *CHORES,
        *MOMENTS,
        *copying.PLACES,
        *test_backup.PLACES,
        *test_restore.PLACES,
        test_db_trim.PLACE,
    }
    assert set(failpoints.NAMES) <= armed


def test_kills_at_single_writes_lose_nothing() -> None:
    """At a few of the calls that reach the disk; the suite `calls` does every one."""
    need_strace()
    figures = calls.run(30, 4)
    assert figures.broken == []
    assert (figures.kills, figures.lost) == (4, 0)


def test_a_storm_of_signals_ends_at_once_without_loss() -> None:
    """Five of them, a tenth of a second apart."""
    figures = storms.run(1, 2)
    assert figures.broken == []
    assert figures.acknowledged > 0


def test_a_frozen_daemon_goes_on() -> None:
    """Frozen by SIGSTOP in the middle of its work; the suite `freeze` does it for longer than a lease."""
    assert freeze.run(1, 1, seconds=1.0).broken == []


LONG_TASKS = [
    ("pipeline.claimed", "claims ratings"),
    ("pipeline.committed", "commits outcomes"),
    ("delivery.claimed", "claims messages"),
    ("delivery.settled", "records sends"),
]
CHORES = ["chore.poll", "chore.heartbeat"]


@pytest.mark.parametrize("name", [name for name, _ in LONG_TASKS], ids=[task for _, task in LONG_TASKS])
async def test_a_daemon_never_lives_on_without_one_of_its_tasks(one: Scene, name: str) -> None:
    """Whichever dies of a bug, the process ends with 70 for its supervisor to see, and a new start does all."""
    await one.fill(5, 1)
    armed = {"FEEDBACK_FAILPOINT": f"{name}:raise", "FEEDBACK_FAILPOINT_TEST": "yes"}
    code, said = await one.run("run", environ=armed)
    assert code == 70, said
    assert "a bug in the program: RuntimeError at " in said
    verdict = await one.settle_and_judge()
    assert verdict.broken == []
    assert verdict.lost == 0


@pytest.mark.parametrize("name", CHORES)
async def test_a_chore_that_fails_is_logged_and_comes_again(one: Scene, name: str) -> None:
    """A tick is not a task: the next one is due soon, and nothing else is hurt."""
    armed = {
        "FEEDBACK_FAILPOINT": f"{name}:raise",
        "FEEDBACK_FAILPOINT_TEST": "yes",
        "FEEDBACK_APP_INTAKE__POLL_INTERVAL": "1s",
    }
    program = await one.start("run", environ=armed)
    await program.until("the callback failed, the next tick will come")
    await one.fill(5, 1)
    program.signal(signal.SIGTERM)
    assert await program.ended() == 0
    assert (await one.settle_and_judge()).broken == []


def test_fail_points_are_refused_outside_of_tests() -> None:
    """A variable left behind must not end a business's daemon one day."""
    with pytest.raises(BadConfig, match="it breaks the program on purpose"):
        failpoints.arm({"FEEDBACK_FAILPOINT": "pipeline.claimed:kill"})


@pytest.mark.parametrize(
    "asked", ["nowhere:kill", "pipeline.claimed:explode", "pipeline.claimed:kill:x", "x"]
)
def test_a_fail_point_that_does_not_exist_is_refused(asked: str) -> None:
    """A suite that misspells one would else prove nothing."""
    with pytest.raises(BadConfig, match="want NAME:ACTION"):
        failpoints.arm({"FEEDBACK_FAILPOINT": asked, "FEEDBACK_FAILPOINT_TEST": "yes"})


async def test_a_rating_that_kills_the_process_ends_as_dead_and_the_others_go_on(tmp_path: Path) -> None:
    """A supervisor restarts it; after the first crash, its group's, and three of its own it is known."""
    business(tmp_path)
    (tmp_path / "plugins" / "killer.py").write_text(KILLER)
    ledger = tmp_path / "feedback.db"
    ids = [f"r{n}" for n in range(70)]
    ids[33] = "poison"
    await add(ledger, [incoming(one, rating=2) for one in ids], NOW)
    ends = []
    while 0 not in ends:
        program = await Program.start(tmp_path, "run", "--drain")
        ends.append(await program.ended())
        assert len(ends) < 10, program.said
    assert ends == [-signal.SIGABRT] * 5 + [0]
    assert rows(ledger, "SELECT external_id, attempts, error FROM feedback WHERE state = 'dead'") == [
        ("poison", 1, "the program ended 3 times while it worked on this rating alone")
    ]
    assert rows(ledger, "SELECT count(*) FROM feedback WHERE state = 'processed'") == [(69,)]
    assert rows(ledger, "SELECT * FROM meta WHERE key = 'suspects'") == []


async def test_a_kill_from_outside_accuses_nobody(one: Scene) -> None:
    """After it the ratings that were in hand are tried in groups, and that they were is forgotten."""
    await one.fill(120, 2)
    assert await one.killed_at("pipeline.claimed:1", "run", "--drain") is None
    verdict = await one.settle_and_judge()
    assert verdict.broken == []
    assert one.ask("SELECT * FROM meta WHERE key = 'suspects'") == []


async def test_starts_that_fail_in_a_row_are_paused(tmp_path: Path) -> None:
    """The sixth within a minute waits, says why, and the command line works meanwhile."""
    business(tmp_path, plugin=UNFIT)
    for _ in range(5):
        program = await Program.start(tmp_path, "run")
        assert await program.ended() == 78
        assert "no such socket" in program.said
    program = await Program.start(tmp_path, "run")
    await program.until("start paused: the last ones failed")
    status = await Program.start(tmp_path, "status", "--json")
    assert await status.ended() == 0
    daemon = json.loads(status.said)["daemon"]
    assert daemon["running"]
    assert "no such socket" in daemon["paused_for"]
    program.signal(signal.SIGTERM)
    assert await program.ended() == 78  # it was told to stop, and still cannot start
    assert sent(tmp_path) == []


async def test_failed_starts_that_lie_apart_pause_nothing(store: SqliteStore) -> None:
    """Five in a minute are a loop; five in a day are not."""

    def pause_after(minutes: int) -> object:
        def story(connection: object) -> object:
            for number in range(5):
                starts.failed(connection, "x", NOW + number * minutes * 60_000)  # type: ignore[arg-type]
            return starts.pause(connection, 1000, NOW + 5 * minutes * 60_000)  # type: ignore[arg-type]

        return story

    assert await store.write(pause_after(1)) is None  # type: ignore[arg-type]
    assert await store.write(pause_after(0)) == "x"  # type: ignore[arg-type]
