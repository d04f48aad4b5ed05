"""The batcher from its start to its close: whom a full queue holds back, what is finished, who is sent away."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future, wait

import pytest

from feedback_app.concurrency import Batcher
from tests.concurrency.batcher_gate import DEADLINE, Gate, gated
from tests.concurrency.waiting import eventually


async def test_a_full_queue_holds_tasks_back() -> None:
    """No more items wait than allowed; a task that gives up its place leaves it to the next."""
    gate = Gate()
    batcher = gated(gate, max_waiting=2)
    posts = [asyncio.create_task(batcher.post(item)) for item in range(1, 7)]
    await asyncio.sleep(0)
    assert [item for item, _ in batcher._queue] == [1, 2]
    posts[3].cancel()
    gate.open.set()
    async with asyncio.timeout(DEADLINE):
        got = await asyncio.gather(*posts, return_exceptions=True)
    assert [got[n] for n in (0, 1, 2, 4, 5)] == [10, 20, 30, 50, 60]
    assert not any(4 in batch for batch in gate.batches)
    await asyncio.to_thread(batcher.close)


async def test_a_place_given_to_a_cancelled_task_goes_to_the_next() -> None:
    """Also when it is cancelled in the moment in which it gets the place."""
    gate = Gate()
    batcher = gated(gate, max_waiting=1)
    posts = [asyncio.create_task(batcher.post(item)) for item in (1, 2, 3)]
    await asyncio.sleep(0)
    room = batcher._posters.popleft()
    room.set_result(None)
    batcher._queue.clear()
    posts[1].cancel()
    await eventually(lambda: batcher._queue)
    gate.open.set()
    async with asyncio.timeout(DEADLINE):
        assert await posts[2] == 30
    posts[0].cancel()
    await asyncio.to_thread(batcher.close)


def test_a_full_queue_holds_threads_back() -> None:
    """Submit blocks until the thread takes a batch."""
    gate = Gate()
    batcher = gated(gate, max_waiting=1)
    batcher.submit(1)
    late: Future[Future[int]] = Future()
    submitter = threading.Thread(target=lambda: late.set_result(batcher.submit(2)))
    submitter.start()
    assert wait([late], timeout=0.05).not_done == {late}
    gate.open.set()
    assert late.result(DEADLINE).result(DEADLINE) == 20
    batcher.close()


async def test_close_finishes_what_is_queued_and_sends_the_rest_away() -> None:
    """Those who still wait for room, in threads and tasks, hear that it is closed; so does who comes later."""
    gate = Gate()
    batcher = gated(gate, max_waiting=1)
    queued = batcher.submit(1)
    waiting_task = asyncio.create_task(batcher.post(2))
    waiting_thread = asyncio.create_task(asyncio.to_thread(batcher.submit, 3))
    await eventually(lambda: batcher._posters and batcher._room._waiters)  # type: ignore[attr-defined]
    closing = asyncio.create_task(asyncio.to_thread(batcher.close))
    for waiting in (waiting_task, waiting_thread):
        with pytest.raises(RuntimeError, match="'writer' is closed"):
            await asyncio.wait_for(waiting, DEADLINE / 2)  # before the gate opens by itself
    gate.open.set()
    async with asyncio.timeout(DEADLINE):
        await closing
    assert queued.result(0) == 10
    batcher.close()
    with pytest.raises(RuntimeError, match="'writer' is closed"):
        batcher.submit(4)
    assert not batcher._thread.is_alive()


def test_setup_and_teardown_run_in_the_batchers_thread() -> None:
    """Before the first batch and after the last: a database connection belongs to its thread."""
    seen: list[tuple[str, str]] = []

    def note(what: str) -> None:
        seen.append((what, threading.current_thread().name))

    def run_batch(items: list[int]) -> list[int]:
        note("batch")
        return items

    batcher: Batcher[int, int] = Batcher(
        run_batch, name="writer", setup=lambda: note("setup"), teardown=lambda: note("teardown")
    )
    with batcher:
        batcher.submit(1)
    assert seen == [("setup", "writer"), ("batch", "writer"), ("teardown", "writer")]


def test_what_setup_and_teardown_raise_reaches_the_owner() -> None:
    """By start and by close; after a failed start it is closed and no thread is left."""

    def fail() -> None:
        raise ConnectionError("no database")

    batcher: Batcher[int, int] = Batcher(lambda items: items, name="writer", setup=fail)
    with pytest.raises(ConnectionError, match="no database"):
        batcher.start()
    with pytest.raises(RuntimeError, match="closed"):
        batcher.submit(1)
    batcher.close()
    assert not batcher._thread.is_alive()
    other: Batcher[int, int] = Batcher(lambda items: items, name="writer", teardown=fail)
    other.start()
    with pytest.raises(ConnectionError, match="no database"):
        other.close()


def test_misuse_is_refused_with_a_sentence() -> None:
    """Before the start, after the close, and limits that leave no room."""
    batcher: Batcher[int, int] = Batcher(lambda items: items, name="writer")
    with pytest.raises(RuntimeError, match="'writer' is not started"):
        batcher.submit(1)
    batcher.close()
    with pytest.raises(RuntimeError, match="'writer' is closed"):
        batcher.start()
    with pytest.raises(ValueError, match="must be 1 or more"):
        Batcher(lambda items: items, name="writer", max_waiting=0)


def test_run_batch_may_close_the_batcher() -> None:
    """A fatal error found in the thread ends it without waiting for itself."""

    def run_batch(items: list[int]) -> list[int]:
        batcher.close()
        return items

    batcher: Batcher[int, int] = Batcher(run_batch, name="writer")
    batcher.start()
    assert batcher.submit(1).result(DEADLINE) == 1
    batcher._thread.join(DEADLINE)
    assert not batcher._thread.is_alive()
