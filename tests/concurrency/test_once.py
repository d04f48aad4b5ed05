"""Double-checked locking: made once, by whoever comes first, tried again after a failure."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from feedback_app.concurrency import AsyncOnce, Once

USERS = 1000
DEADLINE = 10.0  # seconds


class Factory:
    """Counts its products, and takes long enough for others to come in between."""

    def __init__(self, failures: int = 0) -> None:
        self.calls = 0
        self.failures = failures
        self.pause = threading.Event()

    def __call__(self) -> object:
        """Make one, or fail."""
        self.calls += 1
        self.pause.wait(0.01)
        if self.calls <= self.failures:
            raise ConnectionError("not yet")
        return object()

    async def later(self) -> object:
        """Do the same for tasks."""
        self.calls += 1
        await asyncio.sleep(0)
        if self.calls <= self.failures:
            raise ConnectionError("not yet")
        return object()


def test_a_thousand_threads_get_the_same_object() -> None:
    """All come at the same moment and the factory is called once."""
    factory = Factory()
    once = Once(factory)
    gate = threading.Barrier(USERS)
    got: list[object] = []

    def use() -> None:
        gate.wait(DEADLINE)
        got.append(once.get())

    threads = [threading.Thread(target=use) for _ in range(USERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert len(got) == USERS
    assert set(got) == {once.peek()}
    assert factory.calls == 1


async def test_a_thousand_tasks_get_the_same_object() -> None:
    """By either road: tasks that use Once, and tasks that wait for AsyncOnce."""
    factory = Factory()
    once = Once(factory)

    async def use() -> object:
        await asyncio.sleep(0)
        return once.get()

    assert set(await asyncio.gather(*(use() for _ in range(USERS)))) == {once.peek()}
    later = AsyncOnce(factory.later)
    assert set(await asyncio.gather(*(later.get() for _ in range(USERS)))) == {later.peek()}
    assert factory.calls == 2


def test_tasks_and_threads_together_get_the_same_object() -> None:
    """Loops in many threads share one object as well."""
    factory = Factory()
    once = Once(factory)

    async def use() -> set[object]:
        async def one() -> object:
            return once.get()

        return set(await asyncio.gather(*(one() for _ in range(50))))

    with ThreadPoolExecutor(20) as pool:
        found = set().union(*pool.map(lambda _: asyncio.run(use()), range(20)))
    assert found == {once.peek()}
    assert factory.calls == 1


def test_a_failed_creation_is_tried_again_by_the_next() -> None:
    """Its own caller gets the error; nothing is left behind."""
    factory = Factory(failures=2)
    once = Once(factory)
    for _ in range(2):
        with pytest.raises(ConnectionError):
            once.get()
        assert once.peek() is None
    assert once.get() is once.get()
    assert factory.calls == 3


async def test_a_failed_async_creation_is_tried_again_by_the_next_in_line() -> None:
    """Of five that wait together two fail and three succeed, with one object."""
    factory = Factory(failures=2)
    once = AsyncOnce(factory.later)
    got = await asyncio.gather(*(once.get() for _ in range(5)), return_exceptions=True)
    assert [type(answer) for answer in got[:2]] == [ConnectionError] * 2
    assert set(got[2:]) == {once.peek()}


async def test_a_cancelled_creator_does_not_poison_the_others() -> None:
    """The next in line makes the object."""
    started = asyncio.Event()
    calls = 0

    async def make() -> str:
        nonlocal calls
        calls += 1
        if calls == 1:
            started.set()
            await asyncio.Event().wait()
        return "pool"

    once = AsyncOnce(make)
    first, second = asyncio.create_task(once.get()), asyncio.create_task(once.get())
    await started.wait()
    first.cancel()
    async with asyncio.timeout(DEADLINE):
        assert await second == "pool"
    assert first.cancelled()


async def test_peek_makes_nothing() -> None:
    """It is for who closes the object, if there is one."""
    factory = Factory()
    assert Once(factory).peek() is None
    assert AsyncOnce(factory.later).peek() is None
    assert factory.calls == 0


def test_none_is_an_object_like_any_other() -> None:
    """A factory may return None and is not called again."""
    calls: list[int] = []
    once = Once(lambda: calls.append(1))
    once.get()
    once.get()
    assert calls == [1]


def test_a_factory_that_needs_itself_fails_instead_of_hanging() -> None:
    """A circle is an error that one can see."""

    def make() -> object:
        return once.get()

    once = Once(make)
    with pytest.raises(RecursionError):
        once.get()
