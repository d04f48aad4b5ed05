"""Power cuts of the whole program: daemon, feeder, commands and the servers they send to are recorded as one.

The files are rebuilt as of any moment, as in suite `power`, and looked at as the next start would: what was
acknowledged is there, what a server took is known as sent or marked, nothing stands twice. From some cuts the real
program goes on until all is done, and the oracle judges. With `synchronous = NORMAL` the same cuts must show losses.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from sqlalchemy.exc import DBAPIError

from feedback_app.clock import now_ms
from feedback_app.store import recovery
from feedback_app.store.sqlite import file
from feedback_app.store.sqlite.engines import writing_engine
from tests.faults.oracle import Totals
from tests.faults.power_play import ACKNOWLEDGED, DATES, TOLD, config
from tests.faults.recording import Disk, Event, record
from tests.faults.scenario import Scene, scene

_GONE_ON_WITH = 100  # one of so many cuts, at least one
_NORMAL_CUTS = 100  # of the recording that must show losses
_SOON = 12  # events; half of the cuts come within so many after a server took something
_LEDGER = "feedback.db"


@dataclass(kw_only=True)
class Figures(Totals):
    """What the cuts found; the verdicts' figures are of those that were gone on with."""

    cuts: int = 0
    told: int = 0  # ratings acknowledged and reports made, summed over the cuts
    accepted: int = 0  # messages that a server had taken, summed over the cuts
    unrecorded: int = 0  # of them those that the ledger did not have as sent: the windows that were hit
    missing: int = 0  # of what was told
    unmarked: int = 0  # of what was accepted: neither sent nor marked, so its double would be unknown
    corrupt: int = 0
    gone_on: int = 0
    missing_with_normal: int = 0
    unmarked_with_normal: int = 0


class Told(NamedTuple):
    """What the world knew when the power went."""

    ratings: dict[str, str]  # id → stars, as acknowledged
    mails: Counter[str]  # Message-IDs that the mail server had taken
    texts: Counter[str]  # numbers that the gateway had taken an SMS for
    reports: set[str]  # dates whose command had said that it is made

    @classmethod
    def read(cls, acknowledged: bytes, told: bytes) -> Told:
        """Read both logs."""
        ratings = dict(line.split(" ", 1) for line in acknowledged.decode().splitlines())
        lines = [line.split(" ", 1) for line in told.decode().splitlines()]
        return cls(
            ratings,
            Counter(name for kind, name in lines if kind == "mail"),
            Counter(name for kind, name in lines if kind == "sms"),
            {name for kind, name in lines if kind == "report"},
        )


class Cut(NamedTuple):
    """The files as they are found, and what the world knew."""

    files: dict[str, bytes]
    told: Told

    def put_into(self, folder: Path) -> None:
        """Lay the ledger and its log there."""
        for name in (_LEDGER, f"{_LEDGER}-wal"):
            if name in self.files:
                (folder / name).write_bytes(self.files[name])


def run(first_seed: int, cuts: int) -> Figures:
    """Cut `cuts` times; then see that cuts of a program that syncs less are found to lose something."""
    figures = cut(first_seed, cuts, gone_on=max(1, cuts // _GONE_ON_WITH))
    blind = cut(first_seed, _NORMAL_CUTS, "NORMAL")
    figures.missing_with_normal, figures.unmarked_with_normal = blind.missing, blind.unmarked
    if not (blind.missing and blind.unmarked):
        figures.broken.append(
            f"seed {first_seed}: no loss found with synchronous = NORMAL: cuts show nothing"
        )
    return figures


def cut(first_seed: int, cuts: int, mode: str = "FULL", gone_on: int = 0) -> Figures:
    """Record once, cut `cuts` times, and go on from so many of the cuts."""
    figures = Figures()
    chance = random.Random(first_seed)
    going_on = set(chance.sample(range(cuts), gone_on))
    with _playing(first_seed, mode) as (before, events):
        for number, one in enumerate(_cuts(before, events, cuts, chance)):
            where = f"seed {first_seed}, cut {number}"
            figures.broken += [f"{where}: {line}" for line in look(one, figures)]
            if number in going_on:
                asyncio.run(_go_on(one, f"{where}, gone on", figures))
    return figures


@contextlib.contextmanager
def _playing(seed: int, mode: str) -> Iterator[tuple[bytes, list[Event]]]:
    """Record the whole program; give the ledger as it was before, and what was done then."""
    with tempfile.TemporaryDirectory(prefix="feedback-power-") as name:
        folder = Path(name) / "play"
        folder.mkdir()
        file.create(folder / _LEDGER)
        before = (folder / _LEDGER).read_bytes()
        command = [sys.executable, "-m", "tests.faults.power_play", str(folder), str(seed), mode]
        yield before, record(folder, command, Path(name) / "trace")


def _cuts(before: bytes, events: list[Event], cuts: int, chance: random.Random) -> Iterator[Cut]:
    """Cut at random moments, half of them soon after a server took a message."""
    taken = [at for at, event in enumerate(events) if event.name == TOLD]
    moments = sorted(
        min(len(events), chance.choice(taken) + chance.randint(1, _SOON))
        if chance.random() < 0.5
        else chance.randrange(len(events) + 1)
        for _ in range(cuts)
    )
    disk = Disk({_LEDGER: before})
    logs = {ACKNOWLEDGED: b"", TOLD: b""}
    done = 0
    for moment in moments:
        for event in events[done:moment]:
            if event.name not in logs:
                disk.take(event)
            elif event.kind == "append":
                logs[event.name] += event.data
        done = moment
        yield Cut(disk.after_a_cut(chance), Told.read(logs[ACKNOWLEDGED], logs[TOLD]))


def look(found: Cut, figures: Figures) -> list[str]:
    """Let the ledger recover as at a start, compare it with what was told, and return what is wrong."""
    figures.cuts += 1
    figures.told += len(found.told.ratings) + len(found.told.reports)
    figures.accepted += len(found.told.mails) + len(found.told.texts)
    with tempfile.TemporaryDirectory(prefix="feedback-cut-") as name:
        found.put_into(Path(name))
        try:
            return list(_wrong_with(Path(name) / _LEDGER, found.told, figures))
        except (sqlite3.Error, DBAPIError) as error:
            figures.corrupt += 1
            return [str(error)]


def _wrong_with(ledger: Path, told: Told, figures: Figures) -> Iterator[str]:
    engine = writing_engine(ledger)
    with contextlib.closing(engine.connect()) as connection:
        base = connection.connection.driver_connection
        assert isinstance(base, sqlite3.Connection)
        base.execute("PRAGMA synchronous = OFF")  # this copy is thrown away
        sound = base.execute("PRAGMA integrity_check").fetchone()[0]
        if sound != "ok":
            figures.corrupt += 1
            yield f"integrity_check: {sound}"
            return
        recovery.recover(connection, now_ms())  # what a start does first
        stored = {key for (key,) in base.execute("SELECT external_id FROM feedback")}
        reports = [date for (date,) in base.execute("SELECT local_date FROM report_run")]
        if lost := (told.ratings.keys() - stored) | (told.reports - set(reports)):
            figures.missing += len(lost)
            yield f"G1: lost {sorted(lost)[:3]}"
        yield from _wrong_messages(base, told, figures)
        yield from _wrong_effects(base, reports)


def _wrong_messages(base: sqlite3.Connection, told: Told, figures: Figures) -> Iterator[str]:
    left = {name.rpartition("@")[0] for name in told.mails} | set(told.texts)
    rows = base.execute("SELECT channel, message_id, recipient, state, maybe_sent_at FROM message")
    for channel, message_id, recipient, state, maybe in rows:
        name = message_id if channel == "email" else recipient
        if name not in left and state == "sent":
            yield f"G3: {name} is sent and never left"
        if name not in left:
            continue
        left.remove(name)
        figures.unrecorded += state != "sent"
        if state != "sent" and maybe is None:
            figures.unmarked += 1
            yield f"G3: {name} left, and is {state} without a mark"
    if left:
        figures.unmarked += len(left)
        yield f"G3: the ledger does not know {sorted(left)[:3]}, which left"


_HALF_DECIDED = """SELECT count(*) FROM feedback WHERE
  (state = 'processed' AND rating >= 3) != EXISTS (
    SELECT 1 FROM message WHERE feedback_id = feedback.id AND purpose = 'thanks')
  OR (state = 'processed' AND rating < 3) != EXISTS (
    SELECT 1 FROM low_rating WHERE feedback_id = feedback.id)"""
_TWICE = """SELECT feedback_id FROM message WHERE purpose = 'thanks' GROUP BY 1 HAVING count(*) > 1
  UNION ALL SELECT feedback_id FROM low_rating GROUP BY 1 HAVING count(*) > 1"""
_REPORT_MAILS = (
    "SELECT substr(dedupe_key, 14, 10) AS date FROM message WHERE purpose = 'report'"  # report:daily:DATE:TO
)


def _wrong_effects(base: sqlite3.Connection, reports: list[str]) -> Iterator[str]:
    if half := base.execute(_HALF_DECIDED).fetchone()[0]:
        yield f"G2: {half} ratings with a part of what was decided"
    if twice := base.execute(_TWICE).fetchall():
        yield f"G2: twice: {twice[:3]}"
    mails = [date for (date,) in base.execute(_REPORT_MAILS)]
    if Counter(reports) != Counter(mails) or len(set(reports)) < len(reports):
        yield f"G7: reports of {reports}, mails of {mails}"


async def _go_on(found: Cut, where: str, figures: Figures) -> None:
    """Let the program find the files, finish its work, and make the reports once more."""
    async with scene(config=config) as one:
        found.put_into(one.folder)
        one.log.touch()
        one.acknowledge({key: float(stars) for key, stars in found.told.ratings.items()})
        one.sinks.taken.mails.update(found.told.mails)
        one.sinks.taken.texts.update(found.told.texts)
        may_double = "SELECT count(*) FROM message WHERE state = 'sending' OR maybe_sent_at IS NOT NULL"
        (in_flight,) = one.ask(may_double)[0]
        verdict = await one.settle_and_judge()
        wrong = await _reports_again(one)
    figures.gone_on += 1
    figures.add(verdict, where, in_flight=in_flight, more=wrong)


async def _reports_again(one: Scene) -> list[str]:
    said = await asyncio.gather(*(one.run("report", "send", "daily", "--date", date) for date in DATES))
    wrong = [f"report: {text[-500:]}" for code, text in said if code]
    made = one.ask("SELECT local_date, count(*) FROM report_run GROUP BY 1 ORDER BY 1")
    mails = one.ask(f"SELECT date, count(*) FROM ({_REPORT_MAILS}) GROUP BY 1 ORDER BY 1")
    if not made == mails == [(date, 1) for date in DATES]:
        wrong.append(f"G7: reports {made}, mails {mails}")
    return wrong
