"""Four daemons on one PostgreSQL under load: one is killed every few seconds, or frozen, or the server crashes.

What was acknowledged is there, each rating took effect once, doubles are copies of messages that were in flight and
are marked, and what a dead daemon had in hand is taken over in time.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeAlias

from tests.faults.kill import config_text
from tests.faults.oracle import Totals, judge
from tests.faults.program import READY_LIMIT, Program
from tests.faults.sinks import Sinks
from tests.postgres import Server, ask

DAEMONS = 4
RATE = 100.0  # ratings a second that the feeder tries
_BETWEEN = 3.0  # seconds from one fault to the next
_FROZEN = 27.0  # seconds, longer than a lease
_TAKE_OVER_LIMIT = 30.0  # seconds
_SETTLE_LIMIT = 120.0
_OPEN = """SELECT (SELECT count(*) FROM feedback WHERE state = 'received')
                + (SELECT count(*) FROM message WHERE state IN ('queued', 'sending'))"""
_HELD_BY = """SELECT (SELECT count(*) FROM feedback WHERE lease_owner LIKE '{0}%')
                   + (SELECT count(*) FROM message WHERE state = 'sending' AND lease_owner LIKE '{0}%')"""
_BOOT = "SELECT boot_id FROM daemon WHERE pid = {} ORDER BY started_at DESC LIMIT 1"


@dataclass(kw_only=True)
class Figures(Totals):
    """What the faults left."""

    faults: int = 0
    in_flight: int = (
        0  # messages that a daemon was sending when it was killed or frozen: the bound of the doubles
    )
    slowest_take_over: float = 0.0  # seconds until nothing was a dead daemon's any more
    slow: list[str] = field(default_factory=list)


class Fleet:
    """The daemons, the feeder, the servers, of one case."""

    def __init__(self, folder: Path, server: Server, url: str, figures: Figures) -> None:
        self.folder = folder
        self.server = server
        self.url = url
        self.figures = figures
        self.daemons: list[Program] = []
        self.watching: list[asyncio.Task[None]] = []  # how long the take-overs take

    async def start_one(self) -> Program:
        """Start a daemon and wait until it is ready."""
        program = await Program.start(self.folder, "run")
        await program.ready()
        return program

    def in_hand(self, program: Program) -> tuple[str, int, int]:
        """Return (boot id, ratings and messages in hand, messages being sent) of a daemon."""
        boot = str(ask(self.url, _BOOT.format(program.pid))[0][0])
        held = int(ask(self.url, _HELD_BY.format(boot))[0][0])
        sending = f"SELECT count(*) FROM message WHERE state = 'sending' AND lease_owner LIKE '{boot}%'"
        return boot, held, int(ask(self.url, sending)[0][0])

    async def taken_over(self, boot: str, since: float, seed: int) -> None:
        """Wait until nothing carries a dead daemon's id any more, and note how long that took."""
        while int(ask(self.url, _HELD_BY.format(boot))[0][0]):
            if time.monotonic() - since > 2 * _TAKE_OVER_LIMIT:
                break
            await asyncio.sleep(0.05)
        seconds = time.monotonic() - since
        self.figures.slowest_take_over = max(self.figures.slowest_take_over, seconds)
        if seconds > _TAKE_OVER_LIMIT:
            self.figures.slow.append(f"seed {seed}: taken over after {seconds:.1f} s")


Fault: TypeAlias = Callable[[Fleet, int, random.Random], Awaitable[None]]


async def _kill(fleet: Fleet, seed: int, chance: random.Random) -> None:
    """SIGKILL one of the daemons; a new one takes its place."""
    at = chance.randrange(len(fleet.daemons))
    victim = fleet.daemons[at]
    victim.signal(signal.SIGSTOP)  # so that what it has in hand is what it dies with
    boot, _, sending = fleet.in_hand(victim)
    victim.signal(signal.SIGKILL)
    killed = time.monotonic()
    fleet.figures.in_flight += sending
    await victim.ended()
    fleet.watching.append(asyncio.create_task(fleet.taken_over(boot, killed, seed)))
    fleet.daemons[at] = await fleet.start_one()


async def _freeze(fleet: Fleet, seed: int, chance: random.Random) -> None:
    """SIGSTOP one for longer than a lease; the others take over, and what it writes later counts for nothing."""
    victim = chance.choice(fleet.daemons)
    victim.signal(signal.SIGSTOP)
    boot, held, sending = fleet.in_hand(victim)
    frozen = time.monotonic()
    fleet.figures.in_flight += sending
    await fleet.taken_over(boot, frozen, seed)
    await asyncio.sleep(max(0.0, frozen + _FROZEN - time.monotonic()))
    victim.signal(signal.SIGCONT)
    if held:
        await victim.until("goes on under a new id")


async def _crash_server(fleet: Fleet, _seed: int, _chance: random.Random) -> None:
    """End the server as `pg_ctl -m immediate` does and start it again; the daemons reconnect by themselves."""
    await asyncio.to_thread(fleet.server.crash)
    await asyncio.to_thread(fleet.server.start)


@contextlib.asynccontextmanager
async def _fleet(figures: Figures, server: Server, sinks: Sinks, daemons: int) -> AsyncIterator[Fleet]:
    with tempfile.TemporaryDirectory(prefix="feedback-faults-") as name:
        one = Fleet(Path(name), server, server.new_ledger(), figures)
        store = f'[store]\nurl = "{one.url}"\n'
        (one.folder / "config.toml").write_text(store + config_text(sinks))
        try:
            one.daemons = list(await asyncio.gather(*(one.start_one() for _ in range(daemons))))
            yield one
        finally:
            for program in one.daemons:
                program.signal(signal.SIGKILL)
                await program.ended()


async def _case(first_seed: int, faults: int, fault: Fault, daemons: int, figures: Figures) -> None:
    chance = random.Random(first_seed)
    server = Server()
    try:
        async with Sinks(delay=0.01) as sinks, _fleet(figures, server, sinks, daemons) as fleet:
            log = fleet.folder / "acknowledged.log"
            feeder = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.faults.feeder", fleet.url, str(log), str(first_seed), str(RATE)
            )
            try:
                await _load_begins(fleet)
                for seed in range(first_seed, first_seed + faults):
                    await asyncio.sleep(chance.uniform(0.5, 1.5) * _BETWEEN)  # the moment is the random part
                    await fault(fleet, seed, chance)
                    figures.faults += 1
            finally:
                feeder.kill()
                await feeder.wait()
            await _settle(fleet)
            figures.add(
                judge(fleet.url, log, sinks.taken),
                f"seeds {first_seed} to {first_seed + faults - 1}",
                in_flight=None if fault is _crash_server else figures.in_flight,
            )
    finally:
        server.stop()


async def _load_begins(fleet: Fleet) -> None:
    """Wait until the feeder has brought a rating; a server that crashes while it connects would end it."""
    async with asyncio.timeout(READY_LIMIT):
        while not ask(fleet.url, "SELECT 1 FROM feedback LIMIT 1"):  # noqa: ASYNC110 - it happens elsewhere
            await asyncio.sleep(0.05)


async def _settle(fleet: Fleet) -> None:
    """Wait until the daemons have done all, then stop them in order."""
    await asyncio.gather(*fleet.watching)
    async with asyncio.timeout(_SETTLE_LIMIT):
        while ask(fleet.url, _OPEN) != [(0,)]:  # noqa: ASYNC110 - it happens elsewhere
            await asyncio.sleep(0.1)
    for program in fleet.daemons:
        program.signal(signal.SIGTERM)
        if code := await program.ended():
            fleet.figures.broken.append(f"SIGTERM ended with {code}: {program.said[-300:]}")
    fleet.daemons = []


def _run(fault: Fault, first_seed: int, seeds: int, *, daemons: int = DAEMONS) -> Figures:
    figures = Figures()
    asyncio.run(_case(first_seed, seeds, fault, daemons, figures))
    return figures


run = partial(_run, _kill)
freeze = partial(_run, _freeze)
restart = partial(_run, _crash_server)
