"""A folder with a config, a ledger with ratings, and where their messages go: what a case of a suite starts from."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

from feedback_app.store import ratings
from feedback_app.store.sqlite import file
from feedback_app.store.sqlite.store import SqliteStore
from tests.faults.feeder import arrival
from tests.faults.kill import config_text, settle
from tests.faults.oracle import Verdict, judge
from tests.faults.program import Program
from tests.faults.sinks import Sinks

FAILPOINT = "FEEDBACK_FAILPOINT"


@functools.cache
def _empty_ledger() -> bytes:
    """Return a new ledger's bytes: making one takes a third of a second."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "feedback.db"
        file.create(path)
        return path.read_bytes()


class Scene:
    """One case's folder and servers."""

    def __init__(self, folder: Path, sinks: Sinks) -> None:
        self.folder = folder
        self.sinks = sinks
        self.ledger = folder / "feedback.db"
        self.log = folder / "acknowledged.log"

    def make_ledger(self) -> None:
        """Put an empty ledger there."""
        self.ledger.write_bytes(_empty_ledger())

    async def fill(self, count: int, seed: int, by_sms: float = 0.3) -> None:
        """Store `count` ratings and note them as acknowledged."""
        chance = random.Random(seed)
        arrivals = [arrival(f"s{seed:05d}n{number:05d}", chance, by_sms) for number in range(count)]
        async with SqliteStore(self.ledger) as store:
            await store.write(partial(ratings.take_in, arrivals=arrivals, now=1))
        self.acknowledge({one.feedback.id: one.feedback.rating for one in arrivals})

    def acknowledge(self, stars: dict[str, float]) -> None:
        """Note id → rating as what the program said it has."""
        with self.log.open("a") as log:
            log.writelines(f"{key} {value:g}\n" for key, value in stars.items())

    async def start(self, *arguments: str, **options: Any) -> Program:
        """Start the program on the folder."""
        return await Program.start(self.folder, *arguments, **options)

    async def run(self, *arguments: str, **options: Any) -> tuple[int, str]:
        """Run the program to its end; returns (exit code, what it said)."""
        program = await self.start(*arguments, **options)
        code = await program.ended()
        return code, program.said

    async def killed_at(self, failpoint: str, *arguments: str) -> str | None:
        """Run it until it kills itself at NAME:NTH; returns what is wrong when it did not."""
        name, _, nth = failpoint.partition(":")
        armed = {FAILPOINT: f"{name}:kill:{nth or 1}", f"{FAILPOINT}_TEST": "yes"}
        code, said = await self.run(*arguments, environ=armed)
        return None if code == -signal.SIGKILL else f"ended with {code} instead: {said[-500:]}"

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the ledger from outside."""
        with contextlib.closing(sqlite3.connect(self.ledger)) as base:
            return base.execute(query).fetchall()

    @contextlib.asynccontextmanager
    async def fed(self, seed: int, rate: float) -> AsyncIterator[asyncio.subprocess.Process]:
        """Give ratings to the ledger from another process, so many a second, until the block ends."""
        feeder = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.faults.feeder", str(self.ledger), str(self.log), str(seed), str(rate)
        )
        try:
            yield feeder
        finally:
            with contextlib.suppress(ProcessLookupError):
                feeder.kill()
            await feeder.wait()

    async def goes_on(
        self, daemon: Program, feeder: asyncio.subprocess.Process, limit: float
    ) -> float | None:
        """Return the seconds until ratings are taken in and processed again; None: not within the limit."""
        begun = time.perf_counter()
        before = self._progress()
        while not all(now > then for now, then in zip(self._progress(), before, strict=True)):
            if time.perf_counter() - begun > limit or feeder.returncode is not None or daemon.has_ended:
                return None
            await asyncio.sleep(0.02)
        return time.perf_counter() - begun

    def _progress(self) -> tuple[int, int]:
        """Return how many ratings were acknowledged to the feeder, and how many the daemon has processed."""
        acknowledged = self.log.read_text().count("\n") if self.log.exists() else 0
        return acknowledged, self.ask("SELECT count(*) FROM feedback WHERE state = 'processed'")[0][0]

    async def settle_and_judge(self) -> Verdict:
        """Start it again until all is done, then compare what should be with what is."""
        await settle(self.folder)
        return judge(self.ledger, self.log, self.sinks.taken)


@contextlib.asynccontextmanager
async def scene(
    *,
    config: Callable[[Sinks], str] = config_text,
    at: Callable[[str], None] = lambda _stage: None,
    keyed: bool = False,
) -> AsyncIterator[Scene]:
    """Give a scene with servers running; `at` hears of the stages of their conversations.

    With `keyed` the SMS gateway takes an idempotency key.
    """
    with tempfile.TemporaryDirectory(prefix="feedback-faults-") as name:
        async with Sinks(at=at, keyed=keyed) as sinks:
            one = Scene(Path(name), sinks)
            (one.folder / "config.toml").write_text(config(sinks))
            yield one
