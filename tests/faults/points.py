"""SIGKILL at named places, K0 to K18: each has its table of what may be seen afterwards, and nothing else.

Inside the program the places are fail points; inside a conversation the far side does the killing, so that the program
is the same as its users run.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from tests.faults.kill import config_text
from tests.faults.oracle import Totals
from tests.faults.scenario import Scene, scene
from tests.faults.sinks import Sinks

# What may be seen: ratings stored that the caller never heard of; messages marked as maybe sent; mails that left
# twice; SMS held for a person to decide. "" is nothing of them.
Seen: TypeAlias = Literal["", "unheard", "maybe", "maybe doubled", "held"]
_AT_ONCE = 2  # cases side by side
_RATINGS = 30


class Point(NamedTuple):
    """Where the program is killed, and what is allowed to follow."""

    id: str
    what: str  # import, add, create, mail, sms, keyed sms, checkpoint (of mails), report
    at: str  # a fail point, or after "sink " a stage of the conversation
    # It is killed when it gets there for the nth time, in half of the cases the first, at most this.
    latest: int
    allowed: frozenset[Seen]  # after the first time

    def allows(self, seen: Seen, nth: int) -> bool:
        """Whether this may be seen; later on, mails sent before may not be recorded yet."""
        return seen in self.allowed or (
            nth > 1 and self.what in ("mail", "keyed sms") and seen == "maybe doubled"
        )


def _point(id_: str, what: str, at: str, latest: int, *allowed: Seen) -> Point:
    return Point(id_, what, at, latest, frozenset(allowed))


POINTS = [
    _point("K0", "import", "intake.stored", 1, ""),
    _point("K1", "import", "ledger.committed", 1, "unheard"),
    _point("K1a", "add", "ledger.committed", 1, "unheard"),
    _point("K2", "mail", "pipeline.claimed", 1, ""),
    _point("K3", "mail", "pipeline.analysed", _RATINGS, "", "maybe", "maybe doubled"),
    _point("K4", "mail", "pipeline.decided", 1, ""),
    _point("K5", "mail", "pipeline.committed", 1, "", "maybe", "maybe doubled"),
    _point("K6", "mail", "delivery.sending", 10, "maybe"),
    _point("K6s", "sms", "delivery.sending", 10, "held"),
    _point("K6k", "keyed sms", "delivery.sending", 10, "maybe"),
    _point("K7", "mail", "sink connect", 1, "maybe"),
    _point("K8", "mail", "sink mail", 10, "maybe"),
    _point("K9", "mail", "sink rcpt", 10, "maybe"),
    # The rest of the mail, its end included, may be on its way when the first line has come.
    _point("K10", "mail", "sink data", 10, "maybe", "maybe doubled"),
    _point("K10s", "sms", "sink request", 10, "held"),
    _point("K10k", "keyed sms", "sink request", 10, "maybe", "maybe doubled"),
    _point("K11", "mail", "sink dot", 10, "maybe doubled"),
    _point("K11s", "sms", "sink taken", 10, "held"),
    _point("K11k", "keyed sms", "sink taken", 10, "maybe doubled"),
    _point("K12", "mail", "delivery.sent", 10, "maybe doubled"),
    _point("K12s", "sms", "delivery.sent", 10, "held"),
    _point("K12k", "keyed sms", "delivery.sent", 10, "maybe doubled"),
    _point("K13", "mail", "delivery.settled", 2, "", "maybe", "maybe doubled"),
    _point("K14", "report", "report.noted", 1, ""),
    _point("K15", "report", "report.mailed", 1, ""),
    _point("K16", "checkpoint", "ledger.checkpointed", 1, "", "maybe", "maybe doubled"),
    _point("K17", "create", "ledger.migrated", 1, ""),
    _point("K18", "import", "import.committed", 3, "unheard"),
]


@dataclass(kw_only=True)
class Figures(Totals):
    """What the kills left."""

    kills: int = 0
    seen: dict[str, int] = field(default_factory=dict)  # "K11 maybe doubled" → cases


def run(first_seed: int, seeds: int) -> Figures:
    """Kill `seeds` times, at each point in turn."""
    figures = Figures()
    asyncio.run(_run(range(first_seed, first_seed + seeds), figures))
    return figures


async def _run(seeds: range, figures: Figures) -> None:
    waiting = iter(seeds)

    async def work() -> None:
        for seed in waiting:
            point = POINTS[seed % len(POINTS)]
            try:
                await _case(point, seed, figures)
            except (RuntimeError, TimeoutError, AssertionError) as error:
                figures.broken.append(f"{point.id}, seed {seed}: {type(error).__name__}: {error}")

    await asyncio.gather(*(work() for _ in range(_AT_ONCE)))


async def _case(point: Point, seed: int, figures: Figures) -> None:
    nth = random.Random(seed).choice((1, random.Random(seed).randint(1, point.latest)))
    killer = Killer(point.at.removeprefix("sink "), nth)
    async with scene(config=_config, at=killer.at, keyed=point.what == "keyed sms") as one:
        seen = await _PLAYS[point.what](one, point, seed, nth, killer, figures)
    figures.kills += 1
    name = f"{point.id} {seen or 'nothing'}"
    figures.seen[name] = figures.seen.get(name, 0) + 1
    if not point.allows(seen, nth):
        figures.broken.append(f"{point.id}, seed {seed}, time {nth}: seen {seen or 'nothing'!r}")


def _config(sinks: Sinks) -> str:
    # One worker, so that one message at most is between being sent and being recorded.
    text = config_text(sinks).replace("workers = 4", "workers = 1")
    return text + '\n[reports.daily]\nto = ["owner@example.com"]\n'


class Killer:
    """Kills a process when a conversation with it has come to a stage for the nth time."""

    def __init__(self, stage: str, nth: int) -> None:
        self._stage = stage
        self._left = nth
        self.pid: int | None = None

    def at(self, stage: str) -> None:
        """Hear of a stage."""
        if stage == self._stage and self.pid is not None:
            self._left -= 1
            if self._left == 0:
                os.kill(self.pid, signal.SIGKILL)
                self.pid = None


async def _kill(one: Scene, point: Point, nth: int, killer: Killer, *arguments: str) -> None:
    if not point.at.startswith("sink "):
        wrong = await one.killed_at(f"{point.at}:{nth}", *arguments)
        assert wrong is None, wrong
        return
    program = await one.start(*arguments)
    killer.pid = program.pid
    code = await program.ended()
    assert code == -signal.SIGKILL, f"ended with {code} instead: {program.said[-500:]}"


async def _deliver(one: Scene, point: Point, seed: int, nth: int, killer: Killer, figures: Figures) -> Seen:
    one.make_ledger()
    await one.fill(_RATINGS, seed, by_sms=0.0 if point.what == "mail" else 1.0)
    await _kill(one, point, nth, killer, "run", "--drain")
    return await _verdict(one, point, seed, figures)


async def _verdict(one: Scene, point: Point, seed: int, figures: Figures) -> Seen:
    (in_flight,) = one.ask("SELECT count(*) FROM message WHERE state = 'sending'")[0]
    verdict = await one.settle_and_judge()
    figures.add(verdict, f"{point.id}, seed {seed}", in_flight=in_flight)
    if verdict.held:
        return "held"
    if verdict.doubled:
        return "maybe doubled"
    return "maybe" if verdict.maybe_sent else ""


async def _checkpoint(
    one: Scene, point: Point, seed: int, nth: int, killer: Killer, figures: Figures
) -> Seen:
    one.make_ledger()
    await one.fill(1500, seed, by_sms=0.0)  # so much that its WAL is worth folding at the end
    await _kill(one, point, nth, killer, "run", "--drain")
    return await _verdict(one, point, seed, figures)


async def _import(one: Scene, point: Point, seed: int, nth: int, killer: Killer, figures: Figures) -> Seen:
    one.make_ledger()
    stars = {f"s{seed:05d}n{number:05d}": 1 + number % 5 for number in range(3500)}
    file = one.folder / "ratings.csv"
    file.write_text("id,rating\n" + "".join(f"{key},{value}\n" for key, value in stars.items()))
    arguments = ("feedback", "import", str(file), "--source", "feeder")
    await _kill(one, point, nth, killer, *arguments)
    unheard = one.ask("SELECT count(*) FROM feedback")[0][0]
    code, said = await one.run(*arguments)
    assert code == 0, said
    stored = {str(key): int(rating) for key, rating in one.ask("SELECT external_id, rating FROM feedback")}
    figures.lost += len(stars.keys() - stored.keys())
    assert stored == stars, f"{len(stored)} of {len(stars)} ratings stored"
    return "unheard" if unheard else ""


async def _add(one: Scene, point: Point, seed: int, nth: int, killer: Killer, _figures: Figures) -> Seen:
    one.make_ledger()
    arguments = ("feedback", "add", "--id", f"r{seed}", "--rating", "5")
    await _kill(one, point, nth, killer, *arguments)
    unheard = one.ask("SELECT count(*) FROM feedback")[0][0]
    code, said = await one.run(*arguments)
    assert code == 0, said
    assert one.ask("SELECT external_id, rating FROM feedback") == [(f"r{seed}", 5.0)]
    return "unheard" if unheard else ""


async def _report(one: Scene, point: Point, seed: int, nth: int, killer: Killer, _figures: Figures) -> Seen:
    one.make_ledger()
    arguments = ("report", "send", "daily", "--date", f"2026-{1 + seed % 9:02d}-{1 + seed % 28:02d}")
    await _kill(one, point, nth, killer, *arguments)
    left = "SELECT (SELECT count(*) FROM report_run), (SELECT count(*) FROM message)"
    assert one.ask(left) == [(0, 0)], "the row or the mail of a report without the other"
    code, said = await one.run(*arguments)
    assert code == 0, said
    assert one.ask(left) == [(1, 1)]
    assert sum(one.sinks.taken.mails.values()) == 1
    return ""


async def _create(one: Scene, point: Point, _seed: int, nth: int, killer: Killer, _figures: Figures) -> Seen:
    await _kill(one, point, nth, killer, "db", "upgrade")
    assert not one.ledger.exists(), "half a ledger"
    code, said = await one.run("db", "upgrade")
    assert code == 0, said
    assert one.ask("PRAGMA integrity_check") == [("ok",)]
    return ""


_PLAYS = {
    "import": _import,
    "add": _add,
    "create": _create,
    "mail": _deliver,
    "sms": _deliver,
    "keyed sms": _deliver,
    "checkpoint": _checkpoint,
    "report": _report,
}
