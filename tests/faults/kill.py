"""Signals at random times under load, on one ledger for many cycles; then everything settles and is judged.

SIGKILL: nothing acknowledged is lost, doubles only of messages in flight. SIGTERM: no doubles at all, and the exit
code is 0 within the grace time.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import sqlite3
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from feedback_app.store.sqlite import file
from tests.faults.oracle import Totals, judge
from tests.faults.program import Program
from tests.faults.sinks import Sinks

CYCLES = 20  # on one ledger
RATE = 120.0  # ratings a second that the feeder tries
_LEAST_RATE = 50.0  # of it, taken in over all
_SETTLE_LIMIT = 120.0  # seconds
_RESUME_LIMIT = 2.0  # seconds
_STOP_LIMIT = 27.0  # seconds: `grace` as shipped, and two more
_FEEDER_DIES = 0.2  # share of the cycles after which the feeder, too, is killed and begins anew
_OF_THE_DEAD = """SELECT count(*) FROM message WHERE state = 'sending' AND lease_owner <>
  (SELECT boot_id FROM daemon WHERE pid = {} ORDER BY started_at DESC LIMIT 1)"""
_DIES_EARLY = 0.1  # share of the daemons that are killed before they are ready


@dataclass(kw_only=True)
class Figures(Totals):
    """What the kill loop found, summed over its ledgers."""

    kills: int = 0
    in_flight: int = 0  # messages being sent at the kills, summed: the bound of the doubles
    most_in_flight: int = 0
    slowest_resume: float = 0.0  # seconds from a start until it is ready, own work freed
    slowest_stop: float = 0.0  # seconds from SIGTERM to the exit
    least_rate: float = RATE  # ratings a second that were acknowledged, restarts of the feeder included
    slow: list[str] = field(default_factory=list)  # what took longer than promised; tests do not look at it


def config_text(sinks: Sinks) -> str:
    """Return the configuration of the program under test."""
    if sinks.taken.keys is None:
        gateway = f"""
gateway = "twilio"
url = "http://127.0.0.1:{sinks.http_port}/2010-04-01"
account_sid = "AC{"0" * 32}"
auth_token = "canary-token"
"""
    else:
        gateway = f"""
gateway = "http"
[plugins.sms_notifier.http]
url = "http://127.0.0.1:{sinks.http_port}/messages"
headers = {{ Authorization = "Bearer {{secret}}" }}
secret = "canary-token"
body_form = {{ To = "{{to}}", Body = "{{text}}" }}
success_status = [201]
idempotency_header = "Idempotency-Key"
"""
    return f"""
[delivery]
workers = 4
backoff_initial = "100ms"
backoff_maximum = "1s"

[plugins.email_notifier]
transport = "smtp"
host = "127.0.0.1"
port = {sinks.smtp_port}
tls = "none"
username = "shop"
password = "canary-password"
sender = "shop@example.com"

[plugins.sms_notifier]
sender = "+12025550000"{gateway}"""


async def run_ledger(first_seed: int, cycles: int, which: signal.Signals, figures: Figures) -> None:
    """Signal `cycles` times on a new ledger, settle, judge, add up."""
    chance = random.Random(first_seed)
    is_keyed = first_seed // CYCLES % 2 == 1  # every second ledger has a gateway that tells a second copy
    with tempfile.TemporaryDirectory(prefix="feedback-faults-") as name:
        folder = Path(name)
        async with Sinks(delay=0.01, refuses=True, keyed=is_keyed) as sinks:
            (folder / "config.toml").write_text(config_text(sinks))
            file.create(folder / "feedback.db")
            feeder = await _feed(folder, first_seed)
            begun = time.perf_counter()
            for seed in range(first_seed, first_seed + cycles):
                await _cycle(folder, seed, chance, which, figures)
                if chance.random() < _FEEDER_DIES:
                    await _end(feeder)
                    feeder = await _feed(folder, seed + 1)
            await _end(feeder)
            seconds = time.perf_counter() - begun
            await settle(folder)
            verdict = judge(folder / "feedback.db", folder / "acknowledged.log", sinks.taken)
    figures.add(
        verdict,
        f"seeds {first_seed} to {first_seed + cycles - 1}",
        in_flight=0 if which is signal.SIGTERM else figures.in_flight,
    )
    rate = verdict.acknowledged / seconds
    figures.least_rate = min(figures.least_rate, rate)
    if rate < _LEAST_RATE:
        figures.slow.append(f"seeds from {first_seed}: {rate:.0f} ratings a second are no load")


async def _feed(folder: Path, seed: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.faults.feeder",
        str(folder / "feedback.db"), str(folder / "acknowledged.log"), str(seed), str(RATE),
    )  # fmt: skip


async def _end(feeder: asyncio.subprocess.Process) -> None:
    feeder.kill()
    await feeder.wait()


async def _cycle(
    folder: Path, seed: int, chance: random.Random, which: signal.Signals, figures: Figures
) -> None:
    daemon = await Program.start(folder, "run")
    is_early = chance.random() < _DIES_EARLY
    if is_early:
        await asyncio.sleep(chance.uniform(0.2, 0.8))  # while it takes over what the last one left
    else:
        seconds = await daemon.ready()
        figures.slowest_resume = max(figures.slowest_resume, seconds)
        if seconds > _RESUME_LIMIT:
            figures.slow.append(f"seed {seed}: ready after {seconds:.2f} s")
        if left := _ask(folder, _OF_THE_DEAD.format(daemon.pid)):
            figures.broken.append(f"seed {seed}: ready, and {left} messages are still the last one's")
        await asyncio.sleep(chance.uniform(0.1, 0.8))  # the moment of the kill is the random part
    daemon.signal(which)
    signalled = time.perf_counter()
    code = await daemon.ended()
    if which is signal.SIGTERM:
        seconds = time.perf_counter() - signalled
        figures.slowest_stop = max(figures.slowest_stop, seconds)
        if seconds > _STOP_LIMIT:
            figures.slow.append(f"seed {seed}: ended {seconds:.2f} s after SIGTERM")
        is_deaf = is_early and '"ready"' not in daemon.said  # Python itself may end it
        if code and not (is_deaf and code == -signal.SIGTERM):
            figures.broken.append(f"seed {seed}: SIGTERM ended with {code}: {daemon.said[-300:]}")
    elif code != -signal.SIGKILL:
        figures.broken.append(f"seed {seed}: ended with {code} by itself: {daemon.said[-300:]}")
    figures.kills += 1
    in_flight = _ask(folder, "SELECT count(*) FROM message WHERE state = 'sending'")
    figures.in_flight += in_flight
    figures.most_in_flight = max(figures.most_in_flight, in_flight)


def _ask(folder: Path, query: str) -> int:
    with contextlib.closing(sqlite3.connect(folder / "feedback.db")) as base:
        count: int = base.execute(query).fetchone()[0]
    return count


async def settle(folder: Path) -> None:
    """Drain until nothing is queued any more; back-offs are short here."""
    deadline = time.monotonic() + _SETTLE_LIMIT
    while time.monotonic() < deadline:
        program = await Program.start(folder, "run", "--drain")
        if await program.ended():
            raise RuntimeError(program.said)
        if not _ask(folder, "SELECT count(*) FROM message WHERE state IN ('queued', 'sending')"):
            return
    raise TimeoutError("messages are still queued")


def run(first_seed: int, seeds: int, which: signal.Signals = signal.SIGKILL) -> Figures:
    """Signal `seeds` times, on one ledger, and return the figures."""
    figures = Figures()
    asyncio.run(run_ledger(first_seed, seeds, which, figures))
    return figures
