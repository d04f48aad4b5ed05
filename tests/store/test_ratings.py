"""Taking ratings in, claiming them, recording failures."""

from __future__ import annotations

from functools import partial

from sqlalchemy import Connection

from feedback_app.model import Customer
from feedback_app.store import customers, ratings, status
from feedback_app.store.ratings import Taken
from feedback_app.store.sqlite.store import SqliteStore
from feedback_app.store.store import Store
from tests.making import NOW, incoming


async def test_the_same_rating_again_is_a_duplicate(store: Store) -> None:
    """Same source, same id, same content: nothing is added, the number is that of the first."""
    first = await store.write(partial(ratings.take_one, arrival=incoming("r1"), now=NOW))
    again = await store.write(partial(ratings.take_one, arrival=incoming("r1"), now=NOW + 1))
    assert first == (Taken.ACCEPTED, 1)
    assert again == (Taken.DUPLICATE, 1)


async def test_the_same_id_with_other_content_is_a_conflict_and_the_first_stays(store: Store) -> None:
    """A changed rating under a known id is told apart from a duplicate and not stored."""
    await store.write(partial(ratings.take_one, arrival=incoming("r1", rating=5), now=NOW))
    taken, _ = await store.write(partial(ratings.take_one, arrival=incoming("r1", rating=1), now=NOW))
    (claimed,) = await store.read(partial(ratings.claim_fresh, after=0, limit=10))
    assert taken is Taken.CONFLICT
    assert claimed.feedback.rating == 5


async def test_sources_keep_their_ids_apart(store: Store) -> None:
    """The same id from two systems is two ratings."""
    taken = await store.write(
        partial(
            ratings.take_in, arrivals=[incoming("r1", source="shop"), incoming("r1", source="app")], now=NOW
        )
    )
    assert taken == [Taken.ACCEPTED, Taken.ACCEPTED]


async def test_repeats_inside_one_batch_are_found(store: Store) -> None:
    """Duplicates and conflicts among the arrivals of one transaction are told apart, too."""
    batch = [incoming("r1"), incoming("r1"), incoming("r1", rating=2), incoming("r2")]
    taken = await store.write(partial(ratings.take_in, arrivals=batch, now=NOW))
    assert taken == [Taken.ACCEPTED, Taken.DUPLICATE, Taken.CONFLICT, Taken.ACCEPTED]


async def test_a_rating_brings_its_customer_with_it(store: Store) -> None:
    """Contact data in the record is stored in the same transaction; that of a duplicate is not."""
    ada = Customer(id="c1", name="Ada", email="ada@example.com")
    await store.write(partial(ratings.take_in, arrivals=[incoming("r1", contact=ada)], now=NOW))
    eve = Customer(id="c1", name="Eve")
    await store.write(partial(ratings.take_in, arrivals=[incoming("r1", contact=eve)], now=NOW))
    assert await store.read(partial(customers.get, customer_id="c1")) == ada


async def test_claiming_goes_on_after_a_number_and_joins_the_customer(store: Store) -> None:
    """Claims come in the order of arrival, each with what is known of its customer."""
    await store.write(partial(customers.put, customers=[Customer(id="c1", name="Ada")], now=NOW))
    batch = [incoming("r1"), incoming("r2", customer="c2"), incoming("r3", customer=None)]
    await store.write(partial(ratings.take_in, arrivals=batch, now=NOW))
    claimed = await store.read(partial(ratings.claim_fresh, after=0, limit=10))
    later = await store.read(partial(ratings.claim_fresh, after=2, limit=10))
    assert [(one.feedback.id, one.customer and one.customer.name) for one in claimed] == [
        ("r1", "Ada"),
        ("r2", None),
        ("r3", None),
    ]
    assert [one.feedback.id for one in later] == ["r3"]


async def test_a_failed_rating_waits_for_its_time_and_dies_at_last(store: Store) -> None:
    """A failure takes it out of the fresh ones until it is due; without a next time it is dead."""
    await store.write(partial(ratings.take_in, arrivals=[incoming("r1")], now=NOW))
    await store.write(partial(ratings.record_failure, number=1, error="boom", retry_at=NOW + 5000))
    assert await store.read(partial(ratings.claim_fresh, after=0, limit=10)) == []
    assert await store.read(partial(ratings.claim_retries, now=NOW, limit=10)) == []
    assert await store.read(ratings.next_retry) == NOW + 5000
    (due,) = await store.read(partial(ratings.claim_retries, now=NOW + 5000, limit=10))
    assert due.failures == 1
    await store.write(partial(ratings.record_failure, number=1, error="boom", retry_at=None))
    counts = await store.read(status.counts)
    assert counts["feedback"] == {"received": 0, "processed": 0, "dead": 1}


def _plan(connection: Connection, query: str, parameters: tuple[object, ...]) -> str:
    rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", parameters)
    return "; ".join(row.detail for row in rows)


async def test_claiming_uses_the_partial_indices(sqlite_store: SqliteStore) -> None:
    """However long the history, the plan for a claim looks only at what is still to do."""
    fresh = await sqlite_store.read(partial(_plan, query=ratings._FRESH.texts["sqlite"], parameters=(0, 10)))
    retry = await sqlite_store.read(
        partial(_plan, query=ratings._RETRY.texts["sqlite"], parameters=(NOW, 10))
    )
    assert "SEARCH f USING INDEX ix_feedback_pending" in fresh
    assert "SEARCH f USING INDEX ix_feedback_retry" in retry
    assert "SEARCH c USING" in fresh
    assert "TEMP B-TREE" not in fresh + retry
