"""Rows that are past their time, rows that are not yet, and what deletes them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from feedback_app.settings.retention import RetentionSettings
from feedback_app.store.bulk import insert_rows
from feedback_app.store.store import Store
from feedback_app.trimming import Trimmer
from tests.making import NOW

DAY = 86_400_000  # milliseconds
OLD, YOUNG = NOW - 100 * DAY, NOW - 10 * DAY
ALL = {
    "attempts": "30d", "messages": "30d", "dead_messages": "30d", "low_ratings": "30d", "ratings": "30d",
    "reports": "30d", "dead_letters": "30d",
}  # fmt: skip
RATING = (
    "id", "source", "external_id", "content_hash", "customer_id", "item", "rating", "comment", "received_at", "thank",
    "state", "ended", "analysis", "processed_at",
)  # fmt: skip
MESSAGE = (
    "id", "message_id", "dedupe_key", "purpose", "feedback_id", "channel", "recipient", "subject", "text", "html",
    "state", "created_at", "next_attempt_at", "settled_at",
)  # fmt: skip


def trimmer(store: Store, **kept: str) -> Trimmer:
    """Return one that works at NOW."""
    return Trimmer(store, RetentionSettings.model_validate(kept), clock=lambda: NOW)


def rating(number: int, at: int = OLD, **given: Any) -> tuple[Any, ...]:
    """Return the row of a processed rating."""
    row = {
        "id": number, "source": "test", "external_id": f"r{number}", "content_hash": b"", "customer_id": "c",
        "item": "tea", "rating": 5.0, "comment": "", "received_at": at, "thank": True, "state": "processed",
        "ended": "thanked", "analysis": None, "processed_at": at, **given,
    }  # fmt: skip
    return tuple(row[name] for name in RATING)


def message(number: int, state: str = "sent", at: int = OLD, **given: Any) -> tuple[Any, ...]:
    """Return the row of the message of the rating of the same number."""
    settled = at if state in ("sent", "suppressed", "dead") else None
    row = {
        "id": number, "message_id": f"m{number}", "dedupe_key": f"thanks:{number}", "purpose": "thanks",
        "feedback_id": number, "channel": "email", "recipient": "a@example.com", "subject": "", "text": "t",
        "html": "", "state": state, "created_at": at, "next_attempt_at": at, "settled_at": settled, **given,
    }  # fmt: skip
    return tuple(row[name] for name in MESSAGE)


async def put(store: Store, **tables: Any) -> None:
    """Store rows: ratings, messages, attempts (message, when), cases (rating, state, when)."""

    def unit(connection: Connection) -> None:
        insert_rows(connection, "feedback", RATING, tables.get("ratings", ()))
        insert_rows(connection, "message", MESSAGE, tables.get("messages", ()))
        attempt = ("message_number", "started_at", "ended_at", "provider", "outcome")
        rows = [(number, at, at, "p", "sent") for number, at in tables.get("attempts", ())]
        insert_rows(connection, "delivery_attempt", attempt, rows)
        case = ("feedback_id", "state", "stored_at", "resolved_at")
        cases = [
            (number, state, at, at if state == "resolved" else None)
            for number, state, at in tables.get("cases", ())
        ]
        insert_rows(connection, "low_rating", case, cases)

    await store.write(unit)


async def ids(store: Store, table: str, column: str = "id") -> set[Any]:
    """Return which rows there are."""
    query = f"SELECT {column} FROM {table}"
    return await store.read(lambda connection: set(connection.exec_driver_sql(query).scalars()))
