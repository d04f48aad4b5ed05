"""What every source must do, shown for each of them against a real far side."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from feedback_app.daemon import Daemon
from tests.running import DEADLINE, business, daemon, rows, running, serving, until
from tests.sources.rig import Rig, rating

LOW = {"rating": 1}
MOMENTS = (
    "intake.stored",
    "source.committed",
)  # fail points: before the commit, and before the acknowledgement


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Return where the ledger is."""
    return tmp_path / "feedback.db"


def configured(rig: Rig, **more: Any) -> Path:
    """Write the configuration for the far side."""
    return business(rig.folder, config=rig.config(**more))


def taken(ledger: Path) -> list[str]:
    """Return the ids of the ratings in the ledger."""
    return [row[0] for row in rows(ledger, "SELECT external_id FROM feedback ORDER BY external_id")]


def state(one: Daemon, name: str) -> Any:
    """Return how a source fares in this process."""
    return next(sourcing.condition for sourcing in serving(one).sourcings if sourcing.name == name)


def command(config: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the program as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "feedback_app", "--config", str(config), *arguments],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def drained(config: Path) -> Any:
    """Run the daemon until nothing is left."""
    return await asyncio.wait_for(daemon(config).run(drain=True), DEADLINE)


async def test_what_is_there_arrives_once(rig: Rig, ledger: Path) -> None:
    """Drained: all of it, under the source's name, acknowledged; nothing more by a second run."""
    for number in range(1, 31):
        rig.put(rating(number), f"r{number}")
    config = configured(rig)
    figures = await drained(config)
    assert figures.processed == 30
    assert len(taken(ledger)) == 30
    assert rows(ledger, "SELECT DISTINCT source FROM feedback") == [(rig.plugin,)]
    assert rig.waiting(ledger) == 0
    assert (await drained(config)).processed == 0
    assert len(taken(ledger)) == 30


async def test_what_comes_while_the_daemon_runs_arrives_at_once(rig: Rig, ledger: Path) -> None:
    """And goes down the road: a low one is kept."""
    async with running(daemon(configured(rig))):
        rig.put(rating(1, **LOW), "r1")
        await until(lambda: rows(ledger, "SELECT 1 FROM low_rating"))
        await until(lambda: rig.waiting(ledger) == 0)


@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_daemon_that_dies_between_loses_and_doubles_nothing(
    rig: Rig, ledger: Path, moment: str
) -> None:
    """Before the commit and before the acknowledgement: it was not acknowledged, it comes again, it counts once."""
    rig.put(rating(1), "r1")
    config = configured(rig)
    died = command(config, "run", FEEDBACK_FAILPOINT=f"{moment}:kill", FEEDBACK_FAILPOINT_TEST="yes")
    assert died.returncode == -9, died.stderr
    before = len(taken(ledger))
    assert before == (moment == "source.committed")
    if rig.remembers:
        assert rig.waiting(ledger) == 1
    async with running(daemon(config)):
        await until(lambda: len(taken(ledger)) == 1 and rig.waiting(ledger) == 0)
        await until(lambda: rows(ledger, "SELECT received FROM source") == [(before + 1,)])
    assert len(taken(ledger)) == 1


async def test_a_payload_that_is_no_rating_is_kept_and_blocks_nobody(rig: Rig, ledger: Path) -> None:
    """Its bytes and the reason stay, the good ones around it go in, all are acknowledged."""
    rig.put(rating(1), "r1")
    rig.put(rig.poison, "r2")
    rig.put(rating(3), "r3")
    config = configured(rig)
    await drained(config)
    assert len(taken(ledger)) == 2
    ((payload, reason),) = rows(ledger, "SELECT payload, reason FROM dead_letter")
    if rig.plugin == "database_table":  # the row is one of the table's own
        assert json.loads(payload)["rating"] == json.loads(rig.poison)["rating"]
    else:
        assert payload == rig.poison
    assert reason
    assert rig.waiting(ledger) == 0
    shown = command(config, "sources", "dead", rig.plugin, "--json")
    (letter,) = json.loads(shown.stdout)
    assert letter["reason"] == reason
    assert json.loads(command(config, "status", "--json").stdout)["feedback"]["dead"] == 1


async def test_a_far_side_that_is_down_is_said_and_comes_back_by_itself(
    rig: Rig, ledger: Path, tmp_path: Path
) -> None:
    """Down with a reason and since when, in `status`; another source goes on meanwhile."""
    other = tmp_path / "other"
    other.mkdir()
    config = configured(rig)
    if rig.plugin != "folder":
        config.write_text(config.read_text() + f'[plugins.folder]\npath = "{other}"\nsettle = 0.05\n')
    rig.break_down()
    one = daemon(config)
    async with running(one):
        await until(lambda: state(one, rig.plugin).state == "down")
        await until(lambda: _told(ledger, rig.plugin).get("state") == "down")
        told = _told(ledger, rig.plugin)
        assert told["reason"]
        assert told["down_since"] > 0
        if rig.plugin != "folder":
            (other / "a.jsonl").write_bytes(rating(7) + b"\n")
            await until(lambda: rows(ledger, "SELECT 1 FROM feedback WHERE source = 'folder'"))
        rig.mend()
        rig.put(rating(1), "r1")
        await until(lambda: rows(ledger, f"SELECT 1 FROM feedback WHERE source = '{rig.plugin}'"))
        await until(lambda: state(one, rig.plugin).state == "running")


async def test_a_far_side_that_breaks_off_loses_nothing(rig: Rig, ledger: Path) -> None:
    """Down in the middle of it, and back: what came before and after is there, once."""
    one = daemon(configured(rig))
    async with running(one):
        rig.put(rating(1), "r1")
        await until(lambda: len(taken(ledger)) == 1 and rig.waiting(ledger) == 0)
        rig.break_down()
        rig.mend()
        rig.put(rating(2), "r2")
        await until(lambda: len(taken(ledger)) == 2 and rig.waiting(ledger) == 0)


def _told(ledger: Path, name: str) -> dict[str, Any]:
    (told,) = rows(ledger, "SELECT sources FROM daemon ORDER BY rowid DESC LIMIT 1")[0]
    found: dict[str, Any] = json.loads(told).get(name, {})
    return found


async def test_a_paused_source_rests_until_it_is_resumed(rig: Rig, ledger: Path) -> None:
    """By the command, obeyed by the daemon that runs."""
    config = configured(rig)
    one = daemon(config)
    async with running(one):
        paused = await asyncio.to_thread(command, config, "sources", "pause", rig.plugin)
        assert paused.stdout == f"{rig.plugin} is paused\n", paused.stderr
        await until(lambda: state(one, rig.plugin).state == "paused")
        rig.put(rating(1), "r1")
        (listed,) = json.loads((await asyncio.to_thread(command, config, "sources", "list", "--json")).stdout)
        assert listed["state"] == "paused"
        assert taken(ledger) == []
        resumed = await asyncio.to_thread(command, config, "sources", "resume", rig.plugin)
        assert resumed.stdout == f"{rig.plugin} goes on\n"
        await until(lambda: len(taken(ledger)) == 1)


async def test_a_source_that_is_paused_does_not_keep_a_drain(rig: Rig, ledger: Path) -> None:
    """It stays paused, and the rest is done."""
    rig.put(rating(1), "r1")
    config = configured(rig)
    assert command(config, "sources", "pause", rig.plugin).returncode == 0
    await drained(config)
    assert taken(ledger) == []


async def test_how_many_wait_is_shown(rig: Rig, ledger: Path) -> None:
    """`sources list` has the lag where the far side tells it."""
    config = configured(rig)
    one = daemon(config)
    async with running(one):
        await until(lambda: state(one, rig.plugin).lag is not None or not rig.tells_lag)
        assert state(one, rig.plugin).lag == (0 if rig.tells_lag else None)


async def test_fields_are_mapped_and_set(rig: Rig, ledger: Path) -> None:
    """As in `feedback import`: a key under another name, and a constant; the customer's address is kept."""
    payload = {"stars": 4, "said": "well", "customer": "c9", "email": "ann@example.org"}
    rig.put(json.dumps(payload).encode(), "r1")
    config = configured(rig, map={"rating": "stars", "comment": "said"}, set={"item": "umbrella"})
    await drained(config)
    found = rows(ledger, "SELECT rating, comment, item, customer_id FROM feedback")
    assert found == [(4.0, "well", "umbrella", "c9")]
    assert rows(ledger, "SELECT email FROM customer") == [("ann@example.org",)]


async def test_the_far_sides_own_id_is_taken_where_the_payload_has_none(rig: Rig, ledger: Path) -> None:
    """Two equal payloads are two ratings."""
    rig.put(b'{"rating": 5}', "r1")
    rig.put(b'{"rating": 5}', "r2")
    await drained(configured(rig))
    assert len(set(taken(ledger))) == 2


async def test_the_same_id_with_other_content_is_a_conflict(
    rig: Rig, ledger: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is counted and logged without what it says; the first one stays."""
    rig.put(rating(1, comment="the first"), "r1")
    config = configured(rig)
    one = daemon(config)
    async with running(one):
        await until(lambda: len(taken(ledger)) == 1)
        rig.put(rating(1, comment="another"), "r2")
        await until(lambda: state(one, rig.plugin).conflicts == 1)
        await until(lambda: rig.waiting(ledger) <= (1 if rig.plugin == "database_table" else 0))
    assert rows(ledger, "SELECT comment FROM feedback") == [("the first",)]
    assert "other content" in caplog.text
    assert "another" not in caplog.text
