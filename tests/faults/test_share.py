"""A seeded share of the fault suites; the whole is `python -m tests.faults`."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from feedback_app.store.sqlite import file
from tests.faults import fleet, kill, locked, memory, nats, neighbours, power, power_daemon, throughput
from tests.faults.needs import need_nats, need_strace


@pytest.mark.parametrize(
    ("which", "first_seed"),
    [(signal.SIGKILL, 41), (signal.SIGTERM, 42), pytest.param(signal.SIGKILL, 61, id="keyed gateway")],
)
def test_signals_under_load_lose_nothing(which: signal.Signals, first_seed: int) -> None:
    """Five signals on one ledger: G1 to G5 as set equations; by SIGTERM nothing is doubled either."""
    figures = kill.run(first_seed, 5, which)
    assert figures.broken == []
    assert figures.lost == 0
    assert figures.acknowledged > 0
    assert figures.doubled <= figures.in_flight
    if which is signal.SIGTERM:
        assert figures.doubled == figures.maybe_sent == 0
        assert figures.slowest_stop < 27


def test_power_cuts_lose_nothing() -> None:
    """What was acknowledged before the cut is there after it; where less is synced it is not, and that is seen."""
    need_strace()
    figures = power.run(7, 200)
    assert (figures.lost, figures.corrupt, figures.broken) == (0, 0, [])
    assert figures.acknowledged > 0
    assert figures.lost_with_normal > 0


def test_power_cuts_that_find_nothing_break_their_suite(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where something must be lost and nothing is, the suite is blind, and says so."""
    monkeypatch.setattr(power, "cut", lambda *_: power.Figures())
    assert power.run(7, 1).broken == [
        "power: no loss was found with synchronous = NORMAL, so these cuts show nothing"
    ]


def test_a_ledger_that_is_damaged_by_a_cut_breaks_the_suite(tmp_path: Path) -> None:
    """A failed integrity_check is no mere figure, nor is a file that cannot be read."""
    damaged = tmp_path / "damaged.db"
    with contextlib.closing(sqlite3.connect(damaged)) as base:
        base.executescript("""CREATE TABLE feedback (external_id); INSERT INTO feedback VALUES (NULL);
            PRAGMA writable_schema = ON;
            UPDATE sqlite_master SET sql = 'CREATE TABLE feedback (external_id NOT NULL)'""")
    figures = power.Figures()
    for content in (damaged.read_bytes(), b"no ledger" * 1000):
        power.look(tmp_path / "after", {"feedback.db": content}, set(), figures)
    assert figures.corrupt == 2
    assert [line[:40] for line in figures.broken] == [
        "power: integrity_check: NULL value in fe", "power: file is not a database"
    ]  # fmt: skip


def test_a_daemon_killed_all_the_time_gets_through() -> None:
    """Whatever is killed every other second comes to the end of its backlog; how fast is the suite's affair."""
    figures = throughput.run(0, 1, count=30_000, between_kills=2.0)
    assert figures.broken == []
    assert figures.kills > 0


def test_too_little_memory_loses_nothing() -> None:
    """However it ends: started again with enough, all is done."""
    figures = memory.run(3, 3)
    assert (figures.acknowledged, figures.broken) == (600, [])


def test_a_plugin_that_raises_is_found_out() -> None:
    """It is named, suspended and probed again; what its neighbours lose by it is the suite's affair."""
    figures = neighbours.run(list(neighbours.FAULTS).index("raise"), 1, seconds=4)
    assert figures.broken == []
    assert (figures.suspended, figures.probed) == (1, 1)


def test_power_cuts_of_the_whole_program_lose_nothing_and_double_nothing_unmarked() -> None:
    """Daemon, feeder, commands and servers at work: whatever had left is known, and one cut is gone on with."""
    need_strace()
    figures = power_daemon.cut(7, 150, gone_on=1)
    assert figures.broken == []
    assert (figures.missing, figures.unmarked, figures.corrupt, figures.lost) == (0, 0, 0, 0)
    assert (figures.cuts, figures.gone_on) == (150, 1)
    assert min(figures.told, figures.accepted, figures.unrecorded) > 0


def test_a_ledger_that_does_not_know_what_the_world_knows_is_found(tmp_path: Path) -> None:
    """An acknowledged rating, a mail that left, an SMS that left and a report that was said to be made."""
    ledger = tmp_path / "feedback.db"
    file.create(ledger)
    told = power_daemon.Told.read(b"r1 5\n", b"mail thanks.1.abc@example.com\nsms +1202\nreport 2026-01-01\n")
    figures = power_daemon.Figures()
    found = power_daemon.look(power_daemon.Cut({"feedback.db": ledger.read_bytes()}, told), figures)
    assert found == [
        "G1: lost ['2026-01-01', 'r1']",
        "G3: the ledger does not know ['+1202', 'thanks.1.abc'], which left",
    ]
    assert (figures.missing, figures.unmarked) == (2, 2)


@pytest.mark.parametrize(
    ("suite", "faults"),
    [(fleet.run, 4), (fleet.freeze, 1), (fleet.restart, 2)],
    ids=["kills", "a freeze", "server crashes"],
)
def test_daemons_that_share_a_server_lose_nothing(suite: Callable[..., fleet.Figures], faults: int) -> None:
    """Three daemons on PostgreSQL: killed and replaced, frozen, or their server gone for a moment, under load."""
    figures = suite(11, faults, daemons=3)
    assert (figures.lost, figures.broken, figures.slow) == (0, [], [])
    assert figures.acknowledged > 0
    assert figures.faults == faults


def test_a_ledger_that_another_process_locks_loses_nothing() -> None:
    """For longer than a write waits: the daemon says who it is, and goes on when it is gone."""
    figures = locked.run(1, 1, times=[9.0])
    assert (figures.lost, figures.broken) == (0, [])
    assert figures.acknowledged > 0
    assert figures.named > 0


def test_killed_nats_nodes_lose_nothing() -> None:
    """Three nodes, one killed every five seconds; the whole takes two minutes."""
    need_nats()
    figures = nats.run(3, 1, seconds=12)
    assert figures.broken == []
    assert figures.acknowledged > 0
    assert figures.kills >= 2
