"""One of four plugins hangs, raises, or blocks the event loop for a second on every call, under load.

The same load with four good plugins comes first. What is compared is how many messages of the three good channels have
left when the feeding ends. The evil one is to be named in the log and in `plugins list`, suspended, and probed later.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import tempfile
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from feedback_app.clock import now_ms
from feedback_app.model import Customer
from feedback_app.store import ratings
from feedback_app.store.sqlite.store import SqliteStore
from tests.faults.plugins import GOOD
from tests.faults.program import Program
from tests.making import incoming

SECONDS = 40  # of feeding
RATE = 50  # messages a second for each channel
_GOOD = ("alpha", "beta", "gamma")
_SHARE = 0.9  # of what leaves undisturbed
_LIMIT = 60.0  # seconds

# After the time is over it behaves, so that the probe finds it well.
EVIL = """
import asyncio
import time

from feedback_app import Notifier, Receipt, hookimpl

BEGUN = time.monotonic()


class Evil(Notifier):
    channel = "evil"
    on_unknown = "resend"
    timeout = 2.0

    async def send(self, message):
        if time.monotonic() - BEGUN < {seconds}:
            {fault}
        return Receipt()


@hookimpl
def make_notifier(settings):
    return Evil()
"""
FAULTS = {
    "hang": "await asyncio.Event().wait()",
    "raise": "raise KeyError('nothing of the kind')",
    "block": "time.sleep(1)",
}


@dataclass(kw_only=True)
class Figures:
    """What left, in the undisturbed run and beside each evil plugin."""

    undisturbed: int = 0
    disturbed: int = 0
    least_share: float = 1.0
    suspended: int = 0
    probed: int = 0  # found well later
    broken: list[str] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)


def run(first_seed: int, seeds: int, seconds: int = SECONDS) -> Figures:
    """Try the faults in turn, feeding for so long with each."""
    figures = Figures()
    names = list(FAULTS)
    for seed in range(first_seed, first_seed + seeds):
        asyncio.run(_try(names[seed % len(names)], seconds, figures))
    return figures


async def _try(fault: str, seconds: int, figures: Figures) -> None:
    before = await _sent_while_fed("pass", fault, seconds, figures)
    beside = await _sent_while_fed(FAULTS[fault], fault, seconds, figures)
    figures.undisturbed += before
    figures.disturbed += beside
    figures.least_share = min(figures.least_share, beside / before)
    if beside < _SHARE * before:
        figures.slow.append(f"{fault}: {beside:,} of {before:,} left")


async def _sent_while_fed(code: str, fault: str, seconds: int, figures: Figures) -> int:
    with tempfile.TemporaryDirectory(prefix="feedback-neighbours-") as name:
        folder = Path(name)
        (folder / "plugins").mkdir()
        for channel in _GOOD:
            (folder / "plugins" / f"{channel}.py").write_text(
                GOOD.replace('channel = "good"', f'channel = "{channel}"')
            )
        (folder / "plugins" / "evil.py").write_text(EVIL.format(seconds=seconds + 5, fault=code))
        # The log says what happened; the back-off's first step is also the pause before a probe.
        (folder / "config.toml").write_text(
            '[delivery]\nbackoff_initial = "5s"\nbackoff_maximum = "10s"\n'
            '[plugins]\ndisabled = ["email_notifier", "sms_notifier"]\n'
        )
        async with SqliteStore(folder / "feedback.db") as store:
            program = await Program.start(folder, "run")
            try:
                await program.ready()
                await _feed(store, seconds)
                left = _count(folder, "state = 'sent' AND channel <> 'evil'")
                if code != "pass":
                    await _look_at_the_culprit(folder, program, fault, figures)
            finally:
                program.signal(signal.SIGTERM)
                await program.ended(_LIMIT)
        return left


def _customer(channel: str) -> Customer:
    return Customer(id=channel, name="Canary Bird", preferred_channels=(channel,))


async def _feed(store: SqliteStore, seconds: int) -> None:
    begun = time.monotonic()
    for second in range(seconds):
        arrivals = [
            incoming(
                f"{channel}{second}.{number}",
                customer=channel,
                contact=_customer(channel),
            )
            for channel in (*_GOOD, "evil")
            for number in range(RATE)
        ]
        await store.write(partial(ratings.take_in, arrivals=arrivals, now=now_ms()))
        await asyncio.sleep(max(0.0, begun + second + 1 - time.monotonic()))


async def _look_at_the_culprit(folder: Path, program: Program, fault: str, figures: Figures) -> None:
    wanted = '"plugin": "evil"' if fault == "block" else '"provider": "evil"'
    if wanted not in program.said:
        figures.broken.append(f"{fault}: the log does not name it")
    listed = await Program.start(folder, "plugins", "list", "--json")
    await listed.ended(_LIMIT)
    found: dict[str, object] = next((one for one in json.loads(listed.said) if one["name"] == "evil"), {})
    if "suspended" in json.dumps(found):
        figures.suspended += 1
    else:
        figures.broken.append(f"{fault}: not shown as suspended: {found}")
    try:
        await program.until('"channel up again"', _LIMIT)
    except TimeoutError:
        figures.broken.append(f"{fault}: not probed")
    else:
        figures.probed += 1


def _count(folder: Path, condition: str) -> int:
    ledger = sqlite3.connect(folder / "feedback.db")
    try:
        count: int = ledger.execute(f"SELECT count(*) FROM message WHERE {condition}").fetchone()[0]
    finally:
        ledger.close()
    return count
