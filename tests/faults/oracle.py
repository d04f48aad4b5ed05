"""What must be true after things have settled: the feeder's log, the ledger and the sinks as sets.

G1 nothing acknowledged is lost; G2 each rating took effect once; G3 each message left at least once, doubles only
where the ledger says `maybe_sent`; G5 everything ended in a state that is an end.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

Ask: TypeAlias = Callable[[str], list[dict[str, Any]]]  # a query → its rows

_LOW = 3


@dataclass(kw_only=True)
class Verdict:
    """Figures of one settled ledger; `broken` says in words which promise does not hold."""

    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0  # copies beyond the first
    maybe_sent: int = 0  # messages of which the ledger says that a copy may have left unseen
    held: int = 0
    broken: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class Totals:
    """Verdicts added up: what the figures of most suites begin with."""

    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    maybe_sent: int = 0
    held: int = 0
    broken: list[str] = field(default_factory=list)

    def add(
        self, verdict: Verdict, where: str, *, in_flight: int | None = None, more: Sequence[str] = ()
    ) -> None:
        """Add one; `in_flight` bounds its doubles, `more` is what else was found wrong."""
        self.acknowledged += verdict.acknowledged
        self.lost += verdict.lost
        self.doubled += verdict.doubled
        self.maybe_sent += verdict.maybe_sent
        self.held += verdict.held
        wrong = [*verdict.broken, *more]
        if in_flight is not None and verdict.doubled > in_flight:
            wrong.append(f"G3: {verdict.doubled} doubles of {in_flight} in flight")
        self.broken += [f"{where}: {line}" for line in wrong]


@dataclass(kw_only=True)
class Taken:
    """What far sides took responsibility for."""

    mails: Counter[str] = field(default_factory=Counter)  # by Message-ID
    texts: Counter[str] = field(default_factory=Counter)  # by recipient of an SMS
    keys: dict[str, set[str]] | None = None  # by recipient, of a gateway that tells a second copy by its key


def judge(ledger: Path | str, log: Path, taken: Taken) -> Verdict:
    """Compare the three; `ledger` is a file or the URL of a server's, `log` is the feeder's."""
    acknowledged = said_so(log)
    verdict = Verdict(acknowledged=len(acknowledged))
    with asking(ledger) as ask:
        if isinstance(ledger, Path):
            (said,) = ask("PRAGMA integrity_check")
            if said != {"integrity_check": "ok"}:
                verdict.broken.append(f"integrity_check: {said}")
        judge_ratings(ask, acknowledged, verdict)
        _messages(ask, taken, verdict)
    return verdict


def said_so(log: Path) -> dict[str, str]:
    """Return what the feeder was told is safe: id → stars."""
    return {
        key: stars
        for key, _, stars in (line.partition(" ") for line in log.read_text().splitlines())
        if stars
    }


@contextlib.contextmanager
def asking(ledger: Path | str) -> Iterator[Ask]:
    """Give what answers a query with its rows."""
    if isinstance(ledger, Path):
        with contextlib.closing(sqlite3.connect(ledger)) as base:
            base.row_factory = sqlite3.Row
            yield lambda query: list(map(dict, base.execute(query)))
    else:
        import psycopg
        from psycopg.rows import dict_row

        uri = ledger.replace("postgresql+psycopg", "postgresql")
        with psycopg.connect(uri, autocommit=True, row_factory=dict_row) as server:
            yield lambda query: server.execute(query.encode()).fetchall()


def judge_ratings(ask: Ask, acknowledged: dict[str, str], verdict: Verdict) -> None:
    """Note what is wrong with the ratings: lost, changed, not processed, without their one effect."""
    stored = {row["external_id"]: row for row in ask("SELECT * FROM feedback")}
    lost = acknowledged.keys() - stored.keys()
    verdict.lost = len(lost)
    if lost:
        verdict.broken.append(f"G1: lost {sorted(lost)[:3]}")
    changed = [
        key for key, stars in acknowledged.items() if key in stored and stored[key]["rating"] != float(stars)
    ]
    if changed:
        verdict.broken.append(f"G1: changed {changed[:3]}")
    if undone := [row["external_id"] for row in stored.values() if row["state"] != "processed"]:
        verdict.broken.append(f"G5: not processed {undone[:3]}")
    low = {row["feedback_id"] for row in ask("SELECT feedback_id FROM low_rating")}
    if low != {row["id"] for row in stored.values() if row["rating"] < _LOW}:
        verdict.broken.append("G2: the low ratings are not those below 3")
    wanted = {row["id"] for row in stored.values() if row["rating"] >= _LOW}
    thanked = [row["feedback_id"] for row in ask("SELECT feedback_id FROM message WHERE purpose = 'thanks'")]
    if Counter(thanked) != Counter(wanted):
        verdict.broken.append("G2: not exactly one message for each rating from 3 on")


def _messages(ask: Ask, taken: Taken, verdict: Verdict) -> None:
    left = {key.rpartition("@")[0]: count for key, count in taken.mails.items()}
    holding = {"sms"} if taken.keys is None else set()  # channels that must not double
    for row in ask("SELECT * FROM message"):
        copies = (
            left.pop(row["message_id"], 0) if row["channel"] == "email" else taken.texts[row["recipient"]]
        )
        if (
            row["channel"] == "sms"
            and taken.keys
            and taken.keys.get(row["recipient"], set()) - {row["message_id"]}
        ):
            verdict.broken.append(f"G3: SMS {row['id']} left under another key than its own")
        verdict.maybe_sent += row["maybe_sent_at"] is not None
        verdict.held += row["state"] == "held"
        verdict.doubled += max(0, copies - 1)
        name = f"{row['channel']} message {row['id']}"
        if row["state"] not in ("sent", "held"):
            verdict.broken.append(f"G5: {name} ended as {row['state']}: {row['error']}")
        if row["state"] == "sent" and not copies:
            verdict.broken.append(f"G3: {name} is sent and never left")
        if copies > 1 and (row["maybe_sent_at"] is None or row["channel"] in holding):
            verdict.broken.append(f"G3: {name} left {copies} times, unmarked or held against")
        if row["state"] == "held" and (row["channel"] not in holding or row["maybe_sent_at"] is None):
            verdict.broken.append(f"G3: {name} is held without cause")
    if left:
        verdict.broken.append(f"G2: mails of no message: {list(left)[:3]}")
