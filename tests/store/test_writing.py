"""Units of work, whatever the database: whole or not at all, together where possible, never in each other's way."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from sqlalchemy import Connection

from feedback_app.model import Customer
from feedback_app.store import customers, notes
from feedback_app.store.store import Store
from tests.making import NOW


def _put(connection: Connection, key: str, value: str = "x") -> str:
    notes.put(connection, key, value)
    return key


def _put_and_fail(connection: Connection, key: str) -> None:
    notes.put(connection, key, "x")
    raise LookupError("no")


async def test_what_was_written_can_be_read(store: Store) -> None:
    """The caller hears after the commit, so a reader sees it."""
    assert await store.write(partial(_put, key="a")) == "a"
    assert await store.read(partial(notes.read, key="a")) == "x"


async def test_a_unit_that_fails_leaves_nothing_and_takes_no_neighbour_down(store: Store) -> None:
    """Many at once share a transaction; one that raises is undone alone, and its caller gets the error."""
    units = [partial(_put, key=f"k{number}") for number in range(20)]
    waiting = [asyncio.ensure_future(store.write(unit)) for unit in units[:10]]
    bad = asyncio.ensure_future(store.write(partial(_put_and_fail, key="bad")))
    waiting += [asyncio.ensure_future(store.write(unit)) for unit in units[10:]]
    assert await asyncio.gather(*waiting) == [f"k{number}" for number in range(20)]
    with pytest.raises(LookupError, match="no"):
        await bad
    assert await store.read(partial(notes.read, key="bad")) is None
    assert await store.read(partial(notes.read, key="k19")) == "x"


async def test_a_value_that_the_database_refuses_is_the_callers_error(store: Store) -> None:
    """And the next unit works."""
    nobody = Customer(id=None)  # type: ignore[arg-type]
    with pytest.raises(Exception, match=r"(?i)null"):
        await store.write(partial(customers.put, customers=[nobody], now=NOW))
    assert await store.write(partial(_put, key="after")) == "after"


async def test_cancelling_the_caller_does_not_cancel_the_write(store: Store) -> None:
    """A write that was handed over happens."""
    writing = asyncio.create_task(store.write(partial(_put, key="kept")))
    await asyncio.sleep(0)
    writing.cancel()
    await store.write(partial(_put, key="later"))  # behind it in the queue
    assert await store.read(partial(notes.read, key="kept")) == "x"


async def test_a_reader_cannot_write(store: Store) -> None:
    """Whoever only looks changes nothing, by mistake neither."""
    with pytest.raises(Exception, match=r"(?i)read"):
        await store.read(partial(_put, key="a"))


async def test_a_thread_hands_units_over_as_well(store: Store) -> None:
    """The future holds the result after the commit."""
    submitted = await asyncio.to_thread(store.submit, partial(_put, key="t"))
    assert await asyncio.wrap_future(submitted) == "t"
