"""SIGKILL around the moment at which a report is due; a case is one kill on one date.

The date falls due while the daemon runs, or fell due before it started. Killed before the report was made, the next
start makes it up; killed later, nothing may make it again. Several ledgers live side by side, because a start is waited
for longer than it works.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from tests.faults.faketime import FakeTime
from tests.faults.program import Program
from tests.report.ledgers import dates_in_mails
from tests.running import business, rows, sent

_LEDGERS = 4  # at the same time
_FIRST_DAY = datetime(2026, 3, 1, 8, tzinfo=UTC)  # the moment at which the first date is due
_DAY = timedelta(days=1)
_AROUND = (-0.05, 0.3)  # seconds from the moment at which the report is due to the kill
_REPORT = """
[reports.daily]
at = "08:00"
timezone = "UTC"
channel = "chat"
to = ["team"]
"""


@dataclass(kw_only=True)
class Figures:
    """Where the kills fell, and what came of it."""

    kills: int = 0
    before: int = 0  # of these, the date had no report yet
    between: int = 0  # it had one, whose message had not been recorded as sent
    after: int = 0
    dates: int = 0
    missing: int = 0
    doubled: int = 0
    resent: int = 0  # copies beyond the first, of messages that were being sent at a kill
    broken: list[str] = field(default_factory=list)


def run(first_seed: int, seeds: int) -> Figures:
    """Kill a daemon once for each seed and return the figures."""
    figures = Figures()
    cases = range(first_seed, first_seed + seeds)
    asyncio.run(_side_by_side([list(cases[lane::_LEDGERS]) for lane in range(_LEDGERS)], figures))
    return figures


async def _side_by_side(lanes: list[list[int]], figures: Figures) -> None:
    async with asyncio.TaskGroup() as tasks:
        for seeds in filter(None, lanes):
            tasks.create_task(_one_ledger(seeds, figures))


async def _one_ledger(seeds: list[int], figures: Figures) -> None:
    with tempfile.TemporaryDirectory(prefix="feedback-due-") as name:
        folder = Path(name)
        business(folder, config=_REPORT)
        case = _Ledger(folder, figures)
        await case.begin()
        for seed in seeds:
            await case.kill(random.Random(seed))
        await case.end(seeds)


class _Ledger:
    """A ledger whose daemon is killed once a day."""

    def __init__(self, folder: Path, figures: Figures) -> None:
        self._folder = folder
        self._figures = figures
        self._clock = FakeTime(folder / "clock", live=False)
        self._due = _FIRST_DAY
        self._start = 0.0  # seconds that a start takes, as the machine is busy

    async def begin(self) -> None:
        """From the day before the first one on the schedule counts."""
        self._clock.set_to(self._due - timedelta(hours=1))
        program = await Program.start(self._folder, "run", environ=self._clock.environ)
        self._start = await program.ready()
        program.signal(signal.SIGTERM)
        await program.ended()

    async def kill(self, chance: random.Random) -> None:
        """Kill the daemon of one day around the moment at which it makes the report."""
        if chance.random() < 0.5:
            daemon = await self._falls_due(chance.uniform(*_AROUND))
        else:
            daemon = await self._fell_due_while_down(chance)
        daemon.signal(signal.SIGKILL)
        await daemon.ended()
        self._note_when(self._due.date() - _DAY)
        self._due += _DAY

    async def _falls_due(self, later: float) -> Program:
        self._clock.set_to(self._due - timedelta(seconds=1.2 * self._start + 0.1))
        daemon = await Program.start(self._folder, "run", environ=self._clock.environ)
        self._start = (self._start + await daemon.ready()) / 2
        left = self._due + timedelta(seconds=later) - self._clock.now()
        await asyncio.sleep(max(0.0, left.total_seconds()))
        return daemon

    async def _fell_due_while_down(self, chance: random.Random) -> Program:
        self._clock.set_to(self._due + timedelta(hours=chance.randrange(20)))
        daemon = await Program.start(self._folder, "run", environ=self._clock.environ)
        await asyncio.sleep(self._start * chance.uniform(0.8, 1.6))
        return daemon

    def _note_when(self, day: date) -> None:
        states = self._states(day)
        self._figures.kills += 1
        self._figures.before += not states
        self._figures.between += bool(states) and states != ["sent"]
        self._figures.after += states == ["sent"]

    def _states(self, day: date) -> list[str]:
        """Return the state of the message that tells of a day."""
        messages = rows(self._folder / "feedback.db", "SELECT state, text FROM message")
        return [state for state, text in messages if f"\n  {day}: " in text]

    async def end(self, seeds: list[int]) -> None:
        """Let everything settle and judge."""
        self._clock.set_to(self._due - timedelta(hours=12))
        program = await Program.start(self._folder, "run", "--drain", environ=self._clock.environ)
        if await program.ended():
            raise RuntimeError(program.said)
        days = [_FIRST_DAY.date() + (number - 1) * _DAY for number in range(len(seeds))]
        _judge(self._folder, days, seeds, self._figures)


def _judge(folder: Path, days: list[date], seeds: list[int], figures: Figures) -> None:
    """Compare the rows, the mails and what was sent with the dates that fell due."""
    ledger = folder / "feedback.db"
    wanted = Counter(map(str, days))
    made = Counter(day for (day,) in rows(ledger, "SELECT local_date FROM report_run"))
    told = dates_in_mails(ledger)
    copies = Counter(sent(folder))
    messages = rows(ledger, "SELECT message_id, state, maybe_sent_at FROM message")
    figures.dates += len(days)
    figures.missing += ((wanted - made) | (wanted - told)).total()
    figures.doubled += (told - wanted).total()
    figures.resent += copies.total() - len(copies)
    name = f"G7: seeds {seeds[0]} to {seeds[-1]}"
    if made != wanted or told != wanted:
        figures.broken.append(f"{name}: due {sorted(wanted)}, made {sorted(made)}, told {json.dumps(told)}")
    figures.broken += [
        f"{name}: {message} is {state} and left {copies[message]} times"
        for message, state, maybe_sent in messages
        if state != "sent" or not copies[message] or (copies[message] > 1 and maybe_sent is None)
    ]
