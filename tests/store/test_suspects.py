"""Ratings that may have ended the process: whichever they are, the road to their end is short and spares the others."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from feedback_app.errors import Unavailable
from feedback_app.presence import Presence
from feedback_app.store import ratings, suspects
from feedback_app.store.sqlite.store import SqliteStore
from tests.making import NOW, incoming


@pytest.fixture
def store(sqlite_store: SqliteStore) -> SqliteStore:
    """Give what only SQLite has."""
    return sqlite_store


@pytest.mark.parametrize(
    ("end", "suspected"),
    [(None, []), (asyncio.CancelledError(), []), (Unavailable("away"), []), (RuntimeError("a bug"), [[1]])],
    ids=repr,
)
async def test_after_an_end_by_a_bug_it_is_looked_for_as_after_a_crash(
    store: SqliteStore, end: BaseException | None, suspected: list[list[int]]
) -> None:
    """Else a rating that meets the bug each time would be claimed anew at each start, for ever."""
    await store.write(partial(ratings.take_in, arrivals=[incoming()], now=NOW))
    with contextlib.suppress(BaseException):
        async with Presence(store, boot_id="a", clock=lambda: NOW) as one:
            await one.sign_on()
            if end is not None:
                raise end
    async with Presence(store, boot_id="b", clock=lambda: NOW) as next_one:
        assert await next_one.sign_on() == suspected


IN_HAND = 200


def _process(connection: Connection, numbers: list[int]) -> None:
    connection.exec_driver_sql(
        f"UPDATE feedback SET state = 'processed' WHERE id IN ({','.join(map(str, numbers))})"
    )


def _one_start(connection: Connection, poison: set[int]) -> bool:
    """Do what a daemon does after a crash; False when a rating killed it again."""
    for group in suspects.after_crash(connection, IN_HAND, NOW):
        suspects.mark(connection, group)
        if poison & {one.feedback.number for one in ratings.claim_numbers(connection, group)}:
            return False
        _process(connection, group)
    suspects.cleared(connection)
    return True


def _states(connection: Connection) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {"received": set(), "processed": set(), "dead": set()}
    for number, state in connection.exec_driver_sql("SELECT id, state FROM feedback"):
        found[state].add(number)
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(waiting=st.integers(1, 200), poison=st.sets(st.integers(1, 200), max_size=3))
async def test_a_rating_that_kills_the_process_ends_as_dead_and_no_other(
    store: SqliteStore, waiting: int, poison: set[int]
) -> None:
    """Each poison costs at most four more starts: its group's, and three of its own."""
    poison = {number for number in poison if number <= waiting}

    def story(connection: Connection) -> tuple[int, dict[str, set[int]]]:
        connection.exec_driver_sql("DELETE FROM feedback")
        connection.exec_driver_sql("DELETE FROM sqlite_sequence WHERE name = 'feedback'")
        suspects.cleared(connection)
        ratings.take_in(connection, [incoming(f"r{n}") for n in range(waiting)], NOW)
        starts = 1
        while not _one_start(connection, poison):
            starts += 1
            assert starts < 20
        return starts, _states(connection)

    starts, states = await store.write(story)
    assert states["dead"] == poison
    assert states["processed"] == set(range(1, waiting + 1)) - poison
    assert starts <= 1 + 4 * len(poison)


async def test_one_death_alone_may_be_chance(store: SqliteStore) -> None:
    """A kill from outside in the very moment in which one rating was in hand does not end it."""

    def story(connection: Connection) -> dict[str, set[int]]:
        ratings.take_in(connection, [incoming("r1")], NOW)
        (group,) = suspects.after_crash(connection, IN_HAND, NOW)
        suspects.mark(connection, group)
        (again,) = suspects.after_crash(connection, IN_HAND, NOW)
        assert again == group == [1]
        return _states(connection)

    assert (await store.write(story))["received"] == {1}


async def test_a_start_that_dies_before_it_tries_anything_counts_for_nobody(store: SqliteStore) -> None:
    """The marker of the start before last accuses no rating a second time."""

    def story(connection: Connection) -> dict[str, set[int]]:
        ratings.take_in(connection, [incoming("r1")], NOW)
        suspects.mark(connection, [1])
        for _ in range(5):
            suspects.after_crash(connection, IN_HAND, NOW)
        return _states(connection)

    assert (await store.write(story))["received"] == {1}


@pytest.mark.parametrize("due", [True, False])
async def test_only_retries_that_were_due_are_suspected(store: SqliteStore, *, due: bool) -> None:
    """One that waits for later was in nobody's hand."""
    await store.write(partial(ratings.take_in, arrivals=[incoming("r1")], now=NOW))
    await store.write(partial(ratings.record_failure, number=1, error="x", retry_at=NOW if due else NOW + 1))
    groups = await store.write(partial(suspects.after_crash, in_hand=IN_HAND, now=NOW))
    assert groups == ([[1]] if due else [])
