"""The monitor for an event loop: nothing lost, nothing doubled, no polling."""

from __future__ import annotations

import asyncio
import threading
from collections import deque

import pytest

from feedback_app.concurrency import Wakeup
from tests.concurrency.virtual_time import VirtualTimeLoop, run_virtual

DEADLINE = 5.0  # seconds


async def test_a_set_before_the_wait_is_not_lost() -> None:
    """The wait returns at once, and the one after it does not."""
    wakeup = Wakeup()
    wakeup.set()
    wakeup.set()
    assert await wakeup.wait(DEADLINE) is True
    assert await wakeup.wait(0) is False


async def test_a_set_from_another_thread_wakes_the_waiter() -> None:
    """That is what it is for."""
    wakeup = Wakeup()
    waiter = asyncio.create_task(wakeup.wait(DEADLINE))
    await asyncio.sleep(0)
    threading.Thread(target=wakeup.set).start()
    assert await waiter is True


@pytest.mark.parametrize(
    ("from_a_thread", "wanted"),
    [(True, "call_soon_threadsafe"), (False, "call_soon")],
    ids=["thread", "loop"],
)
async def test_many_sets_cost_the_loop_one_callback(
    monkeypatch: pytest.MonkeyPatch, *, from_a_thread: bool, wanted: str
) -> None:
    """A thousand calls before the waiter runs are one, and only from another thread must it wake a sleeping loop."""
    loop = asyncio.get_running_loop()
    releases: list[str] = []
    wakeup = Wakeup()

    def count(way: str) -> None:
        real = getattr(loop, way)

        def counting(callback: object, *args: object, **options: object) -> object:
            if callback == wakeup._release:
                releases.append(way)
            return real(callback, *args, **options)

        monkeypatch.setattr(loop, way, counting)

    count("call_soon")
    count("call_soon_threadsafe")
    waiter = asyncio.create_task(wakeup.wait(DEADLINE))
    await asyncio.sleep(0)

    def set_often() -> None:
        for _ in range(1000):
            wakeup.set()

    if from_a_thread:
        setter = threading.Thread(target=set_often)
        setter.start()
        setter.join()
    else:
        set_often()
    assert await waiter is True
    assert releases == [wanted]


async def test_a_set_wakes_all_who_wait() -> None:
    """Who waits looks for itself whether it was meant."""
    wakeup = Wakeup()
    waiters = [asyncio.create_task(wakeup.wait(DEADLINE)) for _ in range(3)]
    await asyncio.sleep(0)
    wakeup.set()
    assert await asyncio.gather(*waiters) == [True] * 3
    assert await wakeup.wait(0) is False


async def test_one_who_comes_between_set_and_wake_takes_no_ones_turn() -> None:
    """The set was for the one that slept; the newcomer is woken as well and the sleeper is not forgotten."""
    wakeup = Wakeup()
    sleeper = asyncio.create_task(wakeup.wait(DEADLINE))
    await asyncio.sleep(0)
    wakeup.set()
    assert await wakeup.wait(DEADLINE) is True
    assert await sleeper is True


async def test_a_cancelled_waiter_passes_its_wake_up_on() -> None:
    """Woken and cancelled in the same moment, it leaves the signal to the next."""
    wakeup = Wakeup()
    waiter = asyncio.create_task(wakeup.wait(DEADLINE))
    await asyncio.sleep(0)
    wakeup.set()
    wakeup._release()
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    assert await wakeup.wait(0.5) is True


async def test_a_waiter_whose_time_is_up_does_not_take_a_wake_up_along() -> None:
    """A set that comes just after the time was up is kept for the next wait."""
    wakeup = Wakeup()
    waiter = asyncio.create_task(wakeup.wait(60))
    await asyncio.sleep(0)
    wakeup._waiters[0].set_result(False)  # as the timer does, one step before the task runs on
    wakeup.set()
    wakeup._release()
    assert await waiter is False
    assert await wakeup.wait(0.5) is True


def test_a_waiter_sleeps() -> None:
    """A day of waiting costs the loop two turns, and ends when it is over."""

    async def scenario() -> tuple[bool, int, float]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        before = loop.turns
        return await Wakeup().wait(86400), loop.turns - before, loop.time()

    woken, turns, seconds = run_virtual(scenario())
    assert (woken, seconds) == (False, 86400)
    assert turns <= 2


def test_set_is_allowed_without_a_loop_and_after_it() -> None:
    """Nobody waits, so it is kept; and a loop that is gone harms nobody."""
    wakeup = Wakeup()
    assert asyncio.run(wakeup.wait(0)) is False
    wakeup.set()
    assert asyncio.run(wakeup.wait(DEADLINE)) is True


async def test_nothing_is_lost_between_threads_and_a_task() -> None:
    """Four threads put 500 items each into a plain deque; the task that looks only when woken gets them all."""
    wakeup = Wakeup()
    items: deque[int] = deque()

    def produce() -> None:
        for item in range(500):
            items.append(item)
            wakeup.set()

    threads = [threading.Thread(target=produce) for _ in range(4)]
    for thread in threads:
        thread.start()
    got = 0
    while got < 2000:
        assert await wakeup.wait(DEADLINE), f"a wake-up was lost after {got} items"
        while items:
            items.popleft()
            got += 1
    for thread in threads:
        thread.join()
