"""The clock of a running daemon is set, three days ahead and back, to 1970 and to 2106, while ratings come in.

Every message is refused once, so that at each moment some wait for their next try. What must hold: deliveries go on,
the report of every date that fell due by the clock of its time is made once, and the log says what happened.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from tests.faults.faketime import FakeTime
from tests.faults.oracle import Taken, judge
from tests.faults.program import Program
from tests.report.ledgers import dates_in_mails
from tests.running import business, rows

_DAY = timedelta(days=1)
_CATCH_UP = 7  # dates
_BUILT = datetime(2026, 1, 1, tzinfo=UTC)  # a clock before it is known to be wrong
_RATE = 20.0  # ratings a second
_LIMIT = 60.0  # seconds for anything waited for; the shortest jump is days
_SAYS_SET = "the clock was set, or the machine slept"
_SAYS_WRONG = "no reports are made: the clock is wrong"

_REFUSES_ONCE = '''
"""Refuses each message once; then writes down its channel, its recipient and its id."""

from pathlib import Path

from feedback_app import Message, Notifier, Receipt, TemporaryFailure, hookimpl

LOG = Path(__file__).parent.parent / "sent.log"


class Moody(Notifier):
    on_unknown = "resend"

    def __init__(self, channel):
        self.channel = channel

    async def send(self, message: Message) -> Receipt:
        if message.attempt == 1:
            raise TemporaryFailure("not at once")
        with LOG.open("a") as log:
            log.write(f"{self.channel} {message.recipient} {message.id}\\n")
        return Receipt()


@hookimpl
def make_notifier(settings):
    return [Moody("email"), Moody("sms")]
'''


@dataclass(kw_only=True)
class Figures:
    """What the jumps did."""

    jumps: int = 0
    acknowledged: int = 0
    lost: int = 0
    reports: int = 0
    missing: int = 0
    doubled: int = 0  # dates in more than one mail, and messages that left twice
    slowest_after_jump: float = 0.0  # seconds until all that waited at a jump had left
    broken: list[str] = field(default_factory=list)


def run(first_seed: int, seeds: int, places: int = 4) -> Figures:
    """Set the clock of one daemon to so many of the four places for each seed, and right again; return the figures."""
    figures = Figures()
    for seed in range(first_seed, first_seed + seeds):
        with tempfile.TemporaryDirectory(prefix="feedback-clock-") as folder:
            asyncio.run(_Case(Path(folder), seed, figures).run(places))
    return figures


class _Case:
    def __init__(self, folder: Path, seed: int, figures: Figures) -> None:
        self._folder = folder
        self._ledger = folder / "feedback.db"
        self._seed = seed
        self._figures = figures
        self._clock = FakeTime(folder / "clock", live=True)
        self._jumps = 0
        self._expected: set[date] = set()
        # Half a day from now, so that nothing falls due but by a jump.
        self._at = (datetime.now(UTC) + timedelta(hours=12)).replace(minute=0, second=0, microsecond=0)
        business(
            folder,
            plugin=_REFUSES_ONCE,
            config='[delivery]\nbackoff_initial = "2s"\nbackoff_maximum = "2s"\n[reports.daily]\n'
            f'at = "{self._at:%H:%M}"\ntimezone = "UTC"\nto = ["team@example.com"]\n',
        )

    async def run(self, places: int) -> None:
        daemon = await Program.start(self._folder, "run", environ=self._clock.environ)
        await daemon.ready()
        self._first = self._newest_due() + _DAY
        feeder = await self._feed()
        for ahead in self._walk(places):
            await self._jump(daemon, ahead)
        feeder.kill()
        await feeder.wait()
        await self._all_left(self._last_rating())
        daemon.signal(signal.SIGTERM)
        if code := await daemon.ended():
            self._broken(f"SIGTERM ended with {code}: {daemon.said[-300:]}")
        self._judge()

    def _walk(self, number: int) -> list[timedelta]:
        """Return where the clock is set to, one after the other; in the end it is right again."""
        now = datetime.now(UTC)
        years = (datetime(1970, 1, 2, tzinfo=UTC), datetime(2106, 2, 6, tzinfo=UTC))
        places = [3 * _DAY, -3 * _DAY, *(year - now for year in years)]
        random.Random(self._seed).shuffle(places)
        return [*places[:number], timedelta()]

    async def _feed(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.faults.feeder",
            str(self._ledger), str(self._folder / "acknowledged.log"), str(self._seed), str(_RATE),
            env={**os.environ, **self._clock.environ},
        )  # fmt: skip

    async def _jump(self, daemon: Program, ahead: timedelta) -> None:
        waiting = self._last_rating() + int(_RATE)  # those of the next second too: it goes on taking ratings
        await self._until(
            lambda: rows(self._ledger, "SELECT 1 FROM message WHERE attempts = 1 AND state = 'queued'")
        )
        self._clock.set(ahead)
        self._jumps += 1
        begun = time.perf_counter()
        await self._until(lambda: daemon.said.count(_SAYS_SET) >= self._jumps)
        await self._all_left(waiting)
        self._figures.slowest_after_jump = max(self._figures.slowest_after_jump, time.perf_counter() - begun)
        if self._clock.now() < _BUILT:
            await self._until(lambda: _SAYS_WRONG in daemon.said)
        else:
            newest = self._newest_due()
            self._first = min(self._first, newest + _DAY)  # the schedule counts from the earliest time it saw
            window = {newest - back * _DAY for back in range(_CATCH_UP)}
            self._expected |= {day for day in window if day >= self._first}
            await self._until(lambda: self._expected <= self._made())
        self._figures.jumps += 1

    def _newest_due(self) -> date:
        now = self._clock.now()
        return now.date() - (_DAY if now.time() >= self._at.time() else 2 * _DAY)

    def _made(self) -> set[date]:
        found = rows(self._ledger, "SELECT local_date FROM report_run")
        return {date.fromisoformat(day) for (day,) in found}

    def _last_rating(self) -> int:
        number: int | None = rows(self._ledger, "SELECT max(id) FROM feedback")[0][0]
        return number or 0

    async def _all_left(self, last: int) -> None:
        """Wait until every rating up to number `last` is processed, and its message and each report have left."""
        still = (
            f"SELECT (SELECT max(id) < {last} FROM feedback)"
            f" OR EXISTS (SELECT 1 FROM feedback WHERE state = 'received' AND id <= {last})"
            f" OR EXISTS (SELECT 1 FROM message WHERE state IN ('queued', 'sending')"
            f" AND coalesce(feedback_id, 0) <= {last})"
        )
        await self._until(lambda: rows(self._ledger, still) == [(0,)])

    async def _until(self, condition: Callable[[], object]) -> None:
        """Wait for what other processes do; what does not come within the limit is noted as broken."""
        deadline = time.perf_counter() + _LIMIT
        while not condition():
            if time.perf_counter() > deadline:
                self._broken(f"jump {self._jumps}: after {_LIMIT:.0f} s something is still to come")
                return
            await asyncio.sleep(0.05)

    def _broken(self, what: str) -> None:
        self._figures.broken.append(f"T3: seed {self._seed}: {what}")

    def _judge(self) -> None:
        sent = [line.split() for line in (self._folder / "sent.log").read_text().splitlines()]
        mails = Counter(f"{key}@" for channel, _, key in sent if channel == "email")
        texts = Counter(recipient for channel, recipient, _ in sent if channel == "sms")
        verdict = judge(self._ledger, self._folder / "acknowledged.log", Taken(mails=mails, texts=texts))
        made = self._made()
        told = dates_in_mails(self._ledger)
        self._figures.acknowledged += verdict.acknowledged
        self._figures.lost += verdict.lost
        self._figures.reports += len(made)
        self._figures.missing += len(self._expected - made)
        self._figures.doubled += verdict.doubled + told.total() - len(told)
        self._figures.broken += [f"seed {self._seed}: {line}" for line in verdict.broken]
        if made != self._expected or told != Counter(map(str, made)):
            self._broken(
                f"G7: made {sorted(made)}, in mails {sorted(told.elements())}, due {sorted(self._expected)}"
            )
