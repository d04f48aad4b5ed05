"""How much work is done while the daemon is killed every five seconds, against the same work undisturbed."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sqlite3
import tempfile
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from feedback_app.model import Customer
from feedback_app.store import ratings
from feedback_app.store.sqlite.store import SqliteStore
from tests.faults.program import Program
from tests.making import incoming

RATINGS = 200_000
_CUSTOMERS = 10_000
_CHUNK = 5_000
_BETWEEN_KILLS = 5.0  # seconds
_CONFIG = '[plugins]\ndisabled = ["email_notifier", "sms_notifier"]\n'
_PLUGIN = """
from feedback_app import Notifier, Receipt, hookimpl


class Counter(Notifier):
    channel = "chat"
    on_unknown = "resend"

    async def send(self, message):
        return Receipt(provider_id=message.id)


@hookimpl
def make_notifier(settings):
    return Counter()
"""


@dataclass(kw_only=True)
class Figures:
    """What it costs to be killed; `slow` when more than half of the speed is lost."""

    runs: int = 0
    kills: int = 0
    undisturbed_seconds: float = 0.0
    disturbed_seconds: float = 0.0
    most_slowed: float = 0.0  # disturbed / undisturbed of the slowest run
    slow: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


def run(_first_seed: int, seeds: int, count: int = RATINGS, between_kills: float = _BETWEEN_KILLS) -> Figures:
    """Measure `seeds` pairs of runs over `count` ratings."""
    figures = Figures()
    for _ in range(seeds):
        undisturbed, _ = asyncio.run(_measure(count, None))
        disturbed, kills = asyncio.run(_measure(count, between_kills))
        slowed = disturbed / undisturbed
        figures.runs += 1
        figures.kills += kills
        figures.undisturbed_seconds += undisturbed
        figures.disturbed_seconds += disturbed
        figures.most_slowed = max(figures.most_slowed, slowed)
        if not kills:
            figures.broken.append(f"{count} ratings were through before the first kill")
        if slowed > 2:
            figures.slow.append(f"{slowed:.2f} times as long with {kills} kills")
    return figures


async def _measure(count: int, between_kills: float | None) -> tuple[float, int]:
    """Drain a ledger of `count` ratings; returns (seconds, kills)."""
    with tempfile.TemporaryDirectory(prefix="feedback-faults-") as name:
        folder = Path(name)
        (folder / "plugins").mkdir()
        (folder / "plugins" / "counter.py").write_text(_PLUGIN)
        (folder / "config.toml").write_text(_CONFIG)
        await _fill(folder / "feedback.db", count)
        begun, kills = time.perf_counter(), 0
        while True:
            program = await Program.start(folder, "run", "--drain")
            try:
                code = await program.ended(between_kills or 600)
            except TimeoutError:
                program.signal(signal.SIGKILL)
                kills += 1
                await program.ended()
                continue
            if code:
                raise RuntimeError(program.said)
            seconds = time.perf_counter() - begun
            _check(folder / "feedback.db", count)
            return seconds, kills


async def _fill(ledger: Path, count: int) -> None:
    contacts = [Customer(id=f"c{n}", name="Ada", preferred_channels=("chat",)) for n in range(_CUSTOMERS)]
    async with SqliteStore(ledger) as store:
        for first in range(0, count, _CHUNK):
            arrivals = [
                incoming(f"r{n}", rating=3 + n % 3, customer=f"c{n % _CUSTOMERS}", comment="kind words " * 10,
                         contact=contacts[n] if n < _CUSTOMERS else None)
                for n in range(first, first + _CHUNK)
            ]  # fmt: skip
            await store.write(partial(ratings.take_in, arrivals=arrivals, now=1))


def _check(ledger: Path, count: int) -> None:
    with contextlib.closing(sqlite3.connect(ledger)) as base:
        states = base.execute("SELECT state, count(*) FROM message GROUP BY state").fetchall()
    assert states == [("sent", count)], states
