"""`python -m benchmarks.plan [--rate N …] [--days-kept N] [--json]`: what a rate of ratings asks for.

One simulated day in steps of a second tells how many daemons and server cores keep up; what a rating was measured to
cost tells the rest. The same arguments print the same figures, and docs/scaling.md shows them.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
from bisect import bisect_left
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True, kw_only=True, slots=True)
class Costs:
    """Of one rating with PostgreSQL 18, half of them low and half thanked.

    Medians of `python -m benchmarks shared-deliver shared-intake --rounds 5` (side feedback_app; 50,000 ratings) on 29
    November 2026, on 2 quiet x86-64 cores that the server used too. What both measure is added.
    """

    daemon_speed: float = (
        18_471  # ratings/s of one daemon, delivering; on an older, busy machine it was 8,667
    )
    server_cpu: float = 48e-6  # seconds of the server's CPU
    rows: float = 5.53  # inserted or updated
    wal: float = 3_183  # bytes of write-ahead log
    ledger: float = 1_749  # bytes that the database grew by, 691 of them holes
    transactions: float = 4  # of a rating that is alone, 5 if thanked and 3 if low
    commit: float = 2.9e-3  # seconds between two syncs of a daemon that has its hands full


MEASURED = Costs()

# Assumptions about the business.
PEAK = 2.5  # times the day's mean, in the evening; at night it is a tenth
PEAK_AT = 20 * 3600  # second of the day
BURSTS = 4  # a day: somebody sent a newsletter. One of them at the peak
BURST = 3.0  # times what is usual at that hour
BURST_LENGTH = 300  # seconds

# What is asked for.
WORKED_OFF = 600  # seconds after a burst until nothing waits any more
P99 = 1.0  # seconds that 99 % wait at most, outside bursts and what they leave behind

# Assumptions about servers.
BUSY = 0.7  # share of its cores that a server may use at most
LARGEST_CORES = 32  # of one server
LARGEST_WAL = 200e6  # bytes/s in the peak hour, which its disk, its standby and its archive follow
LARGEST_LEDGER = 8e12  # bytes that can still be restored within a working day
LARGEST_PARTITION = 100e9  # bytes
SPARE = 1  # daemons for each ledger that may be dead
STANDBYS = 1  # servers that follow each ledger's
WAL_KEPT = 7  # days of it, beside one base backup

# Unit prices, in US dollars a month: assumptions, in the order of what large clouds ask for. Put in your own.
SERVER_CORE = 60.0  # with 8 GB of memory
DAEMON_CORE = 30.0  # with 4 GB of memory; a daemon uses one core at most
DISK_GB = 0.12
BACKUP_GB = 0.025

DAY = 86_400
_PARTITIONS = (
    ("a month", 30 * DAY),
    ("a week", 7 * DAY),
    ("a day", DAY),
    ("6 hours", DAY // 4),
    ("an hour", DAY // 24),
)


class Arrivals(NamedTuple):
    """Of one day, second by second."""

    ratings: list[int]
    calm: list[bool]  # no burst, and none within WORKED_OFF seconds before


def arrivals(rate: float, *, seed: int = 1) -> Arrivals:
    """Return a day with that mean, bursts apart."""
    chance = random.Random(seed)
    starts = [PEAK_AT, *(chance.randrange(DAY) for _ in range(BURSTS - 1))]
    ratings, calm = [], []
    for second in range(DAY):
        since = min((second - start for start in starts if start <= second), default=DAY)
        level = rate * _curve(second) * (BURST if since < BURST_LENGTH else 1.0)
        ratings.append(max(0, round(chance.gauss(level, math.sqrt(level)))))
        calm.append(since >= BURST_LENGTH + WORKED_OFF)
    return Arrivals(ratings, calm)


def _curve(second: int) -> float:
    """Return the share of the mean: PEAK at PEAK_AT, and 1 over the day."""
    floor = (8 - 3 * PEAK) / 5  # because the square below is 3/8 over the day
    wave = (1 + math.cos(2 * math.pi * (second - PEAK_AT) / DAY)) / 2
    return floor + (PEAK - floor) * wave**2


class Simulated(NamedTuple):
    """How a day went."""

    arrived: int
    done: int
    backlog: int  # at the day's end
    longest: int  # seconds that a backlog lasted
    waits: list[
        tuple[float, int, bool]
    ]  # for each second: how long those wait that came in it, how many, calm or not

    @property
    def fits(self) -> bool:
        """Whether it is what is asked for."""
        if self.longest > BURST_LENGTH + WORKED_OFF:
            return False
        calm = sum(ratings for _, ratings, calm in self.waits if calm)
        late = sum(ratings for seconds, ratings, calm in self.waits if calm and seconds > P99)
        return late <= 0.01 * calm

    def wait(self, share: float, *, calm: bool = False) -> float:
        """Return the seconds in line of that share of the ratings at most; the work itself takes some ms more."""
        waits = sorted(one for one in self.waits if one[2] or not calm)
        left = share * sum(ratings for _, ratings, _ in waits)
        for seconds, ratings, _ in waits:
            left -= ratings
            if left <= 0:
                return seconds
        return 0.0


def simulate(day: Arrivals, *, daemons: int, cores: float, costs: Costs = MEASURED) -> Simulated:
    """Work a day off, first come, first served."""
    capacity = int(min(daemons * costs.daemon_speed, cores * BUSY / costs.server_cpu))
    backlog = done = longest = lasting = 0
    waits = []
    for ratings, calm in zip(*day, strict=True):
        waits.append(((backlog + ratings / 2) / capacity, ratings, calm))
        worked = min(capacity, backlog + ratings)
        done += worked
        backlog += ratings - worked
        lasting = lasting + 1 if backlog else 0
        longest = max(longest, lasting)
    return Simulated(sum(day.ratings), done, backlog, longest, waits)


def _least(fits: Callable[[int], bool]) -> int:
    """Return the least number from 1 on that fits; whatever is above it fits, too."""
    upper = 1
    while not fits(upper):
        upper *= 2
    below = upper // 2
    return below + 1 + bisect_left(range(below + 1, upper), True, key=fits)


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a rate asks for. Without "each", figures are of all ledgers together."""

    rate: float  # ratings/s, mean of the day
    days_kept: int
    ledgers: int
    daemons: int  # the spare ones included
    cores: int  # of all servers that write
    p50: float
    p99: float
    p99_calm: float
    longest: int
    syncs: float  # a second, in the peak hour
    rows: float  # a day
    wal: float  # bytes a day
    wal_peak: float  # bytes a second in the peak hour
    ledger: float  # bytes
    partition: str  # length of one
    partitions: int  # of each ledger
    partition_size: float  # bytes of each
    backup: float  # bytes
    cost: float  # US dollars a month


def plan(rate: float, days_kept: int, *, costs: Costs = MEASURED) -> Plan:
    """Work it out."""
    day = arrivals(rate)
    needed = _least(lambda n: simulate(day, daemons=n, cores=math.inf, costs=costs).fits)
    cores = _least(lambda n: simulate(day, daemons=needed, cores=n, costs=costs).fits)
    went = simulate(day, daemons=needed, cores=cores, costs=costs)
    wal, wal_peak, size = (
        rate * DAY * costs.wal,
        rate * PEAK * costs.wal,
        rate * DAY * days_kept * costs.ledger,
    )
    ledgers = math.ceil(max(cores / LARGEST_CORES, wal_peak / LARGEST_WAL, size / LARGEST_LEDGER))
    daemons = ledgers * (math.ceil(needed / ledgers) + SPARE)
    cores = ledgers * math.ceil(cores / ledgers)
    steps = rate * PEAK * costs.transactions  # a second: each waits for a sync, which many share
    name, length = _partition(rate * costs.ledger / ledgers)
    backup = size + WAL_KEPT * wal
    servers = 1 + STANDBYS
    return Plan(
        rate=rate,
        days_kept=days_kept,
        ledgers=ledgers,
        daemons=daemons,
        cores=cores,
        p50=went.wait(0.5),
        p99=went.wait(0.99),
        p99_calm=went.wait(0.99, calm=True),
        longest=went.longest,
        syncs=steps / (1 + steps * costs.commit / daemons),
        rows=rate * DAY * costs.rows,
        wal=wal,
        wal_peak=wal_peak,
        ledger=size,
        partition=name,
        partitions=math.ceil(days_kept * DAY / length),
        partition_size=rate * length * costs.ledger / ledgers,
        backup=backup,
        cost=servers * (cores * SERVER_CORE + size / 1e9 * DISK_GB)
        + daemons * DAEMON_CORE
        + backup / 1e9 * BACKUP_GB,
    )


def _partition(growth: float) -> tuple[str, int]:
    """Return the longest stretch of time, and its seconds, that is not too large at that many bytes a second."""
    fitting = [one for one in _PARTITIONS if one[1] * growth <= LARGEST_PARTITION]
    return fitting[0] if fitting else _PARTITIONS[-1]


def table(plans: Sequence[Plan]) -> str:
    """Return it as a Markdown table, a column for each rate."""
    rows: list[tuple[str, Callable[[Plan], str]]] = [
        ("daemons, spare ones included", lambda one: f"{one.daemons:,}"),
        ("ledgers (databases on servers of their own)", lambda one: f"{one.ledgers:,}"),
        ("server cores, standbys apart", lambda one: f"{one.cores:,}"),
        ("wait p50 / p99 of the whole day", lambda one: f"{_seconds(one.p50)} / {_seconds(one.p99)}"),
        ("wait p99 outside bursts", lambda one: _seconds(one.p99_calm)),
        ("longest backlog, from a burst's beginning", lambda one: f"{one.longest} s"),
        ("syncs a second in the peak hour", lambda one: f"{one.syncs:,.0f}"),
        ("rows written a day", lambda one: _many(one.rows)),
        ("WAL a day", lambda one: _bytes(one.wal)),
        ("WAL a second in the peak hour", lambda one: _bytes(one.wal_peak)),
        ("days kept", lambda one: f"{one.days_kept}"),
        ("size of the ledger, all together", lambda one: _bytes(one.ledger)),
        ("partitions by time, of each ledger", lambda one: f"{one.partitions:,} of {one.partition}"),
        ("size of a partition", lambda one: _bytes(one.partition_size)),
        (f"backup: a copy and {WAL_KEPT} days of WAL", lambda one: _bytes(one.backup)),
        ("US dollars a month", lambda one: f"{one.cost:,.0f}"),
    ]
    head = ["ratings a second", *(f"{one.rate:,.0f}" for one in plans)]
    lines = [head, ["---"] * len(head), *([name, *map(show, plans)] for name, show in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _seconds(value: float) -> str:
    return f"{value:,.0f} s" if value >= 10 else f"{value * 1000:,.0f} ms"


def _bytes(value: float) -> str:
    power = min(4, int(math.log10(value)) // 3)
    return f"{_figure(value / 1000**power)} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"


def _many(value: float) -> str:
    return f"{_figure(value / 1e6)} million"


def _figure(value: float) -> str:
    """Return it with two digits that count."""
    return f"{float(f'{value:.2g}'):,.0f}" if value >= 10 else f"{value:.1f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print it; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plan", description=__doc__)
    parser.add_argument(
        "--rate", type=float, nargs="+", default=[10, 1_000, 100_000], metavar="N",
        help="ratings a second, mean of the day; default: 10 1000 100000",
    )  # fmt: skip
    parser.add_argument("--days-kept", type=int, default=90, metavar="N", help="default: %(default)s")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if min(options.rate) <= 0 or options.days_kept < 1:
        parser.error("rates and days are above 0")
    plans = [plan(rate, options.days_kept) for rate in options.rate]
    print(json.dumps([asdict(one) for one in plans], indent=2) if options.json else table(plans))
    return 0


if __name__ == "__main__":
    sys.exit(main())
