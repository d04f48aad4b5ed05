"""The plan's arithmetic holds, and the page about scaling shows what the program prints."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks.plan import DAY, MEASURED, PEAK, Arrivals, arrivals, main, plan, simulate

PAGE = (Path(__file__).parents[1] / "docs" / "scaling.md").read_text(encoding="utf-8")
RATE = 20_000  # more than a daemon does


@pytest.fixture(scope="module")
def day() -> Arrivals:
    """One day at RATE."""
    return arrivals(RATE)


def test_a_day_has_the_mean_asked_for_and_the_peak_above_it(day: Arrivals) -> None:
    """Bursts come on top."""
    steady = [ratings for ratings, calm in zip(*day, strict=True) if calm]
    assert 1.0 <= sum(day.ratings) / DAY / RATE < 1.1
    assert PEAK * 0.9 < max(steady) / RATE < PEAK * 1.1


def test_the_same_seed_makes_the_same_day(day: Arrivals) -> None:
    """And another one another day."""
    assert arrivals(RATE) == day
    assert arrivals(RATE, seed=2) != day


@pytest.mark.parametrize("daemons", [1, 50])
def test_nothing_is_lost(day: Arrivals, daemons: int) -> None:
    """What arrived is done or waits, also where too few daemons fall behind for good."""
    went = simulate(day, daemons=daemons, cores=math.inf)
    assert went.arrived == went.done + went.backlog
    assert (went.backlog > 0) == (daemons == 1)


def test_more_daemons_never_wait_longer(day: Arrivals) -> None:
    """Nobody's place in the line gets worse."""
    days = [simulate(day, daemons=daemons, cores=math.inf) for daemons in (2, 4, 8, 16)]
    for fewer, more in pairwise(days):
        assert all(b[0] <= a[0] for a, b in zip(fewer.waits, more.waits, strict=True))
        assert more.wait(0.99) <= fewer.wait(0.99)
        assert more.longest <= fewer.longest


def test_a_small_server_holds_many_daemons_up(day: Arrivals) -> None:
    """The slower of the two sets the speed."""
    held_up = simulate(day, daemons=100, cores=1)
    assert held_up.done < simulate(day, daemons=100, cores=2).done
    assert held_up.done <= DAY / MEASURED.server_cpu


def test_a_plan_fits_and_one_core_less_would_not() -> None:
    """The rates' own day is worked off as asked."""
    found = plan(1_000, 90)
    day = arrivals(1_000)
    needed = found.daemons - found.ledgers
    assert simulate(day, daemons=needed, cores=found.cores).fits
    assert found.p99_calm <= 1
    assert found.p50 <= found.p99


def test_twice_the_rate_takes_at_least_twice_the_room() -> None:
    """And no fewer daemons, cores or dollars."""
    once, twice = plan(500, 90), plan(1_000, 90)
    assert twice.ledger >= 2 * once.ledger
    assert twice.wal >= 2 * once.wal
    assert twice.daemons >= once.daemons
    assert twice.cores >= once.cores
    assert twice.cost > once.cost


def test_partitions_hold_what_is_kept() -> None:
    """Of all ledgers together."""
    found = plan(1_000, 90)
    assert found.partitions * found.partition_size * found.ledgers >= found.ledger


@pytest.mark.parametrize("arguments", [[], ["--rate", "100000", "--days-kept", "7"]])
def test_the_page_shows_what_the_program_prints(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Table for table."""
    assert main(arguments) == 0
    assert capsys.readouterr().out in PAGE


def test_json_holds_the_same_figures(capsys: pytest.CaptureFixture[str]) -> None:
    """With their full precision."""
    assert main(["--rate", "10", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["ledger"] == pytest.approx(10 * DAY * 90 * MEASURED.ledger)


def test_a_rate_of_nothing_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """With the sentence that says what is allowed."""
    with pytest.raises(SystemExit):
        main(["--rate", "0"])
    assert "above 0" in capsys.readouterr().err
