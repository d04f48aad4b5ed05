"""What a day's figures say of what became of ratings and messages, and of what waits now."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from feedback_app.store.sqlite.store import SqliteStore
from tests.report.ledgers import DAY, arrive, at, message
from tests.report.reading import figures

if TYPE_CHECKING:
    from feedback_app.settings import Settings


async def test_says_how_the_ratings_ended_and_how_many_are_history(store: SqliteStore) -> None:
    """What is not processed yet is told by its state."""
    await arrive(store, 5, 5, ended="thanked")
    await arrive(store, 1, ended="low", thank=False)
    await arrive(store, 4, ended="history", thank=False)
    await arrive(store, 4, ended=None, state="received")
    found = await figures(store)
    assert found.ended == {"thanked": 2, "history": 1, "low": 1, "received": 1}
    assert found.history == 2


async def test_counts_open_low_ratings_as_they_are_now(store: SqliteStore) -> None:
    """Resolved and acknowledged ones are not open."""
    await arrive(store, 1, 1, 1, 1)
    states = ("open", "acknowledged", "resolved", "open")

    def keep(connection: Any) -> None:
        for number, state in enumerate(states, 1):
            connection.exec_driver_sql(
                "INSERT INTO low_rating (feedback_id, state, stored_at) VALUES (?, ?, ?)",
                (number, state, 1000 * number),
            )

    await store.write(keep)
    found = (await figures(store)).open_low
    assert (found.count, found.oldest_since) == (2, 1000)


async def test_tells_what_was_sent_that_day_from_what_waits_now(store: SqliteStore) -> None:
    """Sent and given up by day; queued, held and dead as they stand."""
    noon, yesterday = at(DAY), at(DAY - timedelta(days=1))
    await message(store, "a", "sent", created=noon, settled=noon)
    await message(store, "b", "sent", created=yesterday, settled=yesterday)
    await message(store, "c", "dead", created=yesterday, settled=yesterday)
    await message(store, "d", "dead", created=yesterday, settled=noon)
    await message(store, "e", "queued", created=yesterday + 5)
    await message(store, "f", "queued", created=noon)
    await message(store, "g", "held", created=noon)
    await message(store, "h", "sending", created=noon)
    await message(store, "i", "suppressed", created=noon, settled=noon)
    found = (await figures(store)).deliveries
    assert (found.sent, found.died, found.suppressed) == (1, 1, 1)
    assert (found.queued, found.held, found.sending, found.dead) == (2, 1, 1, 2)
    assert yesterday + 5 == found.oldest_waiting_since


async def test_messages_that_only_tried_a_channel_do_not_count(store: SqliteStore) -> None:
    """Sent, given up or held, they say nothing of how customers are served."""
    noon = at(DAY)
    await message(store, "a", "sent", created=noon, settled=noon)
    for number, state in enumerate(("sent", "dead", "suppressed", "held", "sending")):
        await message(store, f"test {number}", state, created=noon, settled=noon, purpose="test")
    found = (await figures(store)).deliveries
    assert (found.sent, found.died, found.suppressed) == (1, 0, 0)
    assert (found.held, found.sending, found.dead) == (0, 0, 0)


async def test_a_queue_whose_index_names_a_row_that_is_gone_has_no_age(settings: Settings) -> None:
    """A damaged ledger is told by what looks for damage, and not by a traceback of the report."""
    async with SqliteStore(settings.store_path) as store:
        await message(store, "a", "queued", created=1)
    with closing(sqlite3.connect(settings.store_path, isolation_level=None)) as base:
        base.execute("PRAGMA writable_schema = ON")
        (index,) = base.execute("SELECT * FROM sqlite_schema WHERE name = 'ix_message_due'").fetchall()
        base.execute("DELETE FROM sqlite_schema WHERE name = 'ix_message_due'")
    with closing(sqlite3.connect(settings.store_path, isolation_level=None)) as base:
        base.execute("DELETE FROM message")
        base.execute("PRAGMA writable_schema = ON")
        base.execute("INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)", index)
    async with SqliteStore(settings.store_path) as store:
        found = (await figures(store)).deliveries
    assert (found.queued, found.oldest_waiting_since) == (1, None)
