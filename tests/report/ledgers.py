"""Fills a ledger with ratings that arrived at chosen moments."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from feedback_app.store.bulk import insert_rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from feedback_app.model import Purpose
    from feedback_app.store.sqlite.store import SqliteStore

BERLIN = ZoneInfo("Europe/Berlin")
DAY = date(2026, 11, 21)

_LISTED = re.compile(
    r"^  (\d{4}-\d\d-\d\d): [\d,]+ sent, ", re.MULTILINE
)  # in a mail once for each of its days

_COLUMNS = (
    "source",
    "external_id",
    "content_hash",
    "rating",
    "comment",
    "item",
    "received_at",
    "thank",
    "state",
    "ended",
)


def at(day: date, clock: str = "12:00", zone: ZoneInfo = BERLIN) -> int:
    """Return the epoch milliseconds of a wall-clock time."""
    return int(datetime.combine(day, time.fromisoformat(clock), zone).timestamp() * 1000)


async def arrive(store: SqliteStore, *ratings: float, moment: int = 0, **columns: Any) -> None:
    """Store processed ratings that arrived at `moment`, by default at noon of DAY; `columns` hold for all."""
    await arrive_at(store, [(moment or at(DAY), rating) for rating in ratings], **columns)


async def arrive_at(store: SqliteStore, arrivals: Sequence[tuple[int, float]], **columns: Any) -> None:
    """Store processed ratings, (moment, stars) each; `columns` hold for all."""
    row = {"comment": "", "item": None, "thank": True, "state": "processed", "ended": "thanked", **columns}

    def unit(connection: Any) -> None:
        first = connection.exec_driver_sql("SELECT count(*) FROM feedback").scalar_one()
        rows = [
            ("test", str(first + index), b"", rating, row["comment"], row["item"], moment,
             row["thank"], row["state"], row["ended"])
            for index, (moment, rating) in enumerate(arrivals)
        ]  # fmt: skip
        insert_rows(connection, "feedback", _COLUMNS, rows)

    await store.write(unit)


async def message(
    store: SqliteStore,
    key: str,
    state: str,
    *,
    created: int,
    settled: int | None = None,
    purpose: Purpose = "thanks",
) -> None:
    """Put a message into the outbox, in any state."""
    columns = (
        "message_id", "dedupe_key", "purpose", "channel", "recipient", "subject", "text", "html", "state",
        "created_at", "next_attempt_at", "settled_at",
    )  # fmt: skip
    row = (key, key, purpose, "email", "ada@example.com", "", "", "", state, created, created, settled)
    await store.write(lambda connection: insert_rows(connection, "message", columns, [row]))


async def rows(store: SqliteStore, sql: str) -> Sequence[tuple[Any, ...]]:
    """Return what a query finds."""
    return await store.read(lambda connection: [tuple(row) for row in connection.exec_driver_sql(sql)])


def dates_in_mails(ledger: Path) -> Counter[str]:
    """Return in how many report mails of the outbox each date stands."""
    base = sqlite3.connect(ledger)
    try:
        texts = base.execute("SELECT text FROM message WHERE purpose = 'report'").fetchall()
    finally:
        base.close()
    return Counter(day for (text,) in texts for day in _LISTED.findall(text))
