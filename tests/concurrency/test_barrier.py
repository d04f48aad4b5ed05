"""The barrier: all arrived, or the name of the one that did not."""

from __future__ import annotations

import asyncio
import threading

import pytest

from feedback_app.concurrency import Barrier, PartFailed, PartMissing
from tests.concurrency.virtual_time import run_virtual

DEADLINE = 5.0  # seconds


async def test_it_opens_when_the_last_part_arrives() -> None:
    """Not before, for everyone who waits, from whichever thread the last part comes."""
    barrier = Barrier(["store", "mail", "ticker"])
    waiters = [asyncio.create_task(barrier.wait()) for _ in range(3)]
    barrier.arrive("store")
    barrier.arrive("mail")
    barrier.arrive("mail")
    for _ in range(5):
        await asyncio.sleep(0)
    assert [waiter.done() for waiter in waiters] == [False] * 3
    assert barrier.missing == ("ticker",)
    threading.Thread(target=barrier.arrive, args=["ticker"]).start()
    async with asyncio.timeout(DEADLINE):
        await asyncio.gather(*waiters)
    await barrier.wait(0)


async def test_nothing_to_wait_for_is_no_wait() -> None:
    """A barrier without names is open."""
    await Barrier([]).wait(0)


def test_parts_that_do_not_arrive_in_time_are_named() -> None:
    """In the order in which the barrier got them, after the time and not before."""

    async def scenario() -> float:
        barrier = Barrier(["store", "mail", "ticker"])
        barrier.arrive("mail")
        with pytest.raises(PartMissing, match="not arrived in time: store, ticker") as caught:
            await barrier.wait(30)
        assert isinstance(caught.value, TimeoutError)
        assert caught.value.parts == ("store", "ticker")
        return asyncio.get_running_loop().time()

    assert run_virtual(scenario()) == 30


async def test_a_part_that_fails_is_named_at_once() -> None:
    """The first failure counts, its error is the cause, and the rest is not waited for."""
    barrier = Barrier(["store", "mail"])
    waiter = asyncio.create_task(barrier.wait(DEADLINE))
    await asyncio.sleep(0)
    error = ConnectionRefusedError("port 25")
    barrier.fail("mail", error)
    barrier.fail("store", ValueError("because of mail"))
    with pytest.raises(PartFailed, match="part 'mail' failed: port 25") as caught:
        await waiter
    assert caught.value.__cause__ is error
    assert caught.value.part == "mail"
    with pytest.raises(PartFailed):
        await barrier.wait(0)


async def test_an_error_without_words_is_named_by_its_class() -> None:
    """A message that ends in a colon helps nobody."""
    barrier = Barrier(["mail"])
    barrier.fail("mail", TimeoutError())
    with pytest.raises(PartFailed, match="part 'mail' failed: TimeoutError"):
        await barrier.wait(0)


async def test_an_unknown_part_is_refused() -> None:
    """A misspelt name would be waited for until the time is up."""
    barrier = Barrier(["store", "mail"])
    sentence = "no part 'mial': it waits for store, mail"
    with pytest.raises(ValueError, match=sentence):
        barrier.arrive("mial")
    with pytest.raises(ValueError, match=sentence):
        barrier.fail("mial", OSError())
