"""Ten processes are asked for the same report in the same moment; a case is one date.

They are ten `report send`, each of which makes the report where it is missing and delivers it. A plugin file holds them
when they have started and lets all go at once.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from tests.faults.program import Program
from tests.report.ledgers import dates_in_mails
from tests.running import RECORDER, business, rows, sent

_PROCESSES = 10
_FIRST_DATE = date(2025, 1, 1)
_LIMIT = 60.0  # seconds
_REPORT = """
[reports.daily]
timezone = "UTC"
channel = "chat"
to = ["team"]
"""
_GATE = """

import time

PLACE = Path(__file__).parent.parent
(PLACE / f"waiting-{os.getpid()}").touch()
while not (PLACE / "gate").exists():
    time.sleep(0.001)
"""


@dataclass(kw_only=True)
class Figures:
    """What came of the races."""

    dates: int = 0
    asked: int = 0  # processes
    made: int = 0  # of them, made the report
    missing: int = 0
    doubled: int = 0
    broken: list[str] = field(default_factory=list)


def run(first_seed: int, seeds: int) -> Figures:
    """Let ten processes race for one date for each seed, all on one ledger, and return the figures."""
    figures = Figures()
    days = [_FIRST_DATE + timedelta(days=(first_seed + number) % 300) for number in range(seeds)]
    with tempfile.TemporaryDirectory(prefix="feedback-instances-") as name:
        folder = Path(name)
        business(folder, plugin=RECORDER + _GATE, config=_REPORT)
        for day in days:
            asyncio.run(_race(folder, day, figures))
        _judge(folder, days, figures)
    return figures


def _waiting(folder: Path) -> list[Path]:
    return list(folder.glob("waiting-*"))


async def _race(folder: Path, day: date, figures: Figures) -> None:
    (folder / "gate").unlink(missing_ok=True)
    for one in _waiting(folder):
        one.unlink()
    racers = [
        await Program.start(folder, "report", "send", "daily", "--date", str(day)) for _ in range(_PROCESSES)
    ]
    async with asyncio.timeout(_LIMIT):
        while len(_waiting(folder)) < _PROCESSES:  # noqa: ASYNC110 - it happens in other processes
            await asyncio.sleep(0.01)
    (folder / "gate").touch()
    codes = [await racer.ended() for racer in racers]
    made = sum("is made for 1 recipient" in racer.said for racer in racers)
    already = sum("was already made" in racer.said for racer in racers)
    figures.asked += _PROCESSES
    figures.made += made
    if any(codes) or (made, already) != (1, _PROCESSES - 1):
        said = "".join(racer.said for racer in racers)
        figures.broken.append(
            f"G7: {day}: {made} made it, {already} found it made, exit codes {codes}: {said}"
        )


def _judge(folder: Path, days: list[date], figures: Figures) -> None:
    """Each date must have one row, stand in one mail, and that must have left once."""
    ledger = folder / "feedback.db"
    wanted = Counter(map(str, days))
    made = Counter(day for (day,) in rows(ledger, "SELECT local_date FROM report_run"))
    told = dates_in_mails(ledger)
    left = Counter(sent(folder))
    figures.dates += len(days)
    figures.missing += (wanted - made).total()
    figures.doubled += (told - wanted).total() + left.total() - len(left)
    if not wanted == made == told:
        figures.broken.append(
            f"G7: asked for {sorted(wanted)}, made {sorted(made)}, told {sorted(told.elements())}"
        )
    if set(left) != {key for (key,) in rows(ledger, "SELECT message_id FROM message")}:
        figures.broken.append(f"G3: of {made.total()} reports {len(left)} were delivered")
