"""The batcher: what queued up meanwhile is done in one go, and everyone gets their own outcome."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_app.concurrency import Batcher
from tests.concurrency.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DEADLINE = 5.0  # seconds


class Gate:
    """A run_batch that writes the batches down and holds the first ones until it is opened."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.begun = threading.Semaphore(0)
        self.open = threading.Event()

    def __call__(self, items: list[int]) -> list[int | Exception]:
        """Answer ten times the item, or an error for a negative one."""
        self.batches.append(items)
        self.begun.release()
        self.open.wait(DEADLINE)
        return [ValueError(item) if item < 0 else item * 10 for item in items]


def gated(gate: Gate, max_batch: int = 500, max_waiting: int | None = None) -> Batcher[int, int]:
    """Make a started batcher whose thread is held in a batch of [0]."""
    batcher: Batcher[int, int] = Batcher(gate, name="writer", max_batch=max_batch, max_waiting=max_waiting)
    batcher.start()
    batcher.submit(0)
    assert gate.begun.acquire(timeout=DEADLINE)
    return batcher


def test_what_queues_up_meanwhile_is_one_batch() -> None:
    """Up to the limit, in the order of submission, and each gets its outcome."""
    gate = Gate()
    batcher = gated(gate, max_batch=3)
    futures = [batcher.submit(item) for item in (1, -2, 3, 4)]
    gate.open.set()
    batcher.close()
    assert gate.batches == [[0], [1, -2, 3], [4]]
    assert [future.result(0) for future in (futures[0], *futures[2:])] == [10, 30, 40]
    with pytest.raises(ValueError, match="-2"):
        futures[1].result(0)


@given(
    batches=st.lists(st.lists(st.integers(-5, 50), max_size=20), max_size=8),
    max_batch=st.integers(1, 7),
    max_waiting=st.none() | st.integers(1, 5),
)
@settings(max_examples=60, deadline=None)
def test_every_submitter_gets_its_own_outcome(
    batches: list[list[int]], max_batch: int, max_waiting: int | None
) -> None:
    """From threads and tasks together, whatever the limits."""

    def run_batch(items: list[int]) -> list[int | Exception]:
        assert 1 <= len(items) <= max_batch
        return [ValueError(item) if item < 0 else item * 10 for item in items]

    def want(item: int) -> int | str:
        return str(item) if item < 0 else item * 10

    async def post_all(items: list[int]) -> list[int | str]:
        got = await asyncio.gather(*(batcher.post(item) for item in items), return_exceptions=True)
        return [str(answer) if isinstance(answer, BaseException) else answer for answer in got]

    def submit_all(items: list[int]) -> list[int | str]:
        futures = [batcher.submit(item) for item in items]
        return [
            str(error) if (error := future.exception(DEADLINE)) else future.result() for future in futures
        ]

    def one(number: int) -> None:
        items = batches[number]
        got[number] = submit_all(items) if number % 2 else asyncio.run(post_all(items))

    got: dict[int, list[int | str]] = {}
    batcher: Batcher[int, int] = Batcher(
        run_batch, name="writer", max_batch=max_batch, max_waiting=max_waiting
    )
    with batcher:
        threads = [threading.Thread(target=one, args=[number]) for number in range(len(batches))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE)
    assert got == {number: [want(item) for item in items] for number, items in enumerate(batches)}


async def test_outcomes_go_over_to_a_loop_in_one_callback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred posts of one batch wake the loop once."""
    loop = asyncio.get_running_loop()
    crossings: list[object] = []
    real = loop.call_soon_threadsafe

    def counting(callback: Callable[..., object], *args: object) -> asyncio.Handle:
        crossings.append(callback)
        return real(callback, *args)

    gate = Gate()
    batcher = gated(gate)
    monkeypatch.setattr(loop, "call_soon_threadsafe", counting)
    posts = [asyncio.create_task(batcher.post(item)) for item in range(1, 101)]
    await asyncio.sleep(0)
    gate.open.set()
    async with asyncio.timeout(DEADLINE):
        assert await asyncio.gather(*posts) == [item * 10 for item in range(1, 101)]
    assert len(crossings) == 1
    assert len(gate.batches) == 2
    monkeypatch.undo()
    await asyncio.to_thread(batcher.close)


async def test_a_cancelled_caller_does_not_cancel_the_item() -> None:
    """The item is done, and its neighbours get their outcomes."""
    gate = Gate()
    batcher = gated(gate)
    first, second = (asyncio.create_task(batcher.post(item)) for item in (1, 2))
    await asyncio.sleep(0)
    first.cancel()
    gate.open.set()
    async with asyncio.timeout(DEADLINE):
        assert await second == 20
    assert first.cancelled()
    assert gate.batches == [[0], [1, 2]]
    await asyncio.to_thread(batcher.close)


def test_the_future_of_a_submit_cannot_be_cancelled() -> None:
    """Nobody is told that something was not done which was."""
    gate = Gate()
    batcher = gated(gate)
    future = batcher.submit(1)
    assert not future.cancel()
    gate.open.set()
    assert future.result(DEADLINE) == 10
    batcher.close()


async def test_a_loop_that_is_gone_harms_nobody_else() -> None:
    """The batch of a loop that was closed meanwhile ends for the others."""
    gate = Gate()
    batcher = gated(gate)
    other = asyncio.new_event_loop()
    orphan = other.create_task(batcher.post(1))
    other.call_soon(other.stop)
    other_runs = threading.Thread(target=other.run_forever)
    other_runs.start()
    other_runs.join(DEADLINE)
    other.close()
    mine = asyncio.create_task(batcher.post(2))
    await asyncio.sleep(0)
    gate.open.set()
    async with asyncio.timeout(DEADLINE):
        assert await mine == 20
    await asyncio.to_thread(batcher.close)
    assert not orphan.done()
    orphan._log_destroy_pending = False  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("behaviour", "error", "sentence"),
    [
        ("raise", OSError, "disk"),
        ("exit", SystemExit, "3"),
        ("short", RuntimeError, "writer: 0 outcomes came back for 1 items"),
        ("none", TypeError, "not iterable"),
        ("stop", RuntimeError, "ended with StopIteration"),
    ],
)
async def test_a_broken_batch_is_the_error_of_its_items_only(
    behaviour: str, error: type[BaseException], sentence: str
) -> None:
    """The next batch is run as if nothing had happened, and both kinds of submitter hear of it."""

    def run_batch(items: list[str]) -> Sequence[str | Exception]:
        if items[0] == "raise":
            raise OSError("disk")
        if items[0] == "exit":
            raise SystemExit(3)
        answers: dict[str, Sequence[str | Exception]] = {
            "short": [],
            "stop": [StopIteration()],
            "fine": ["done"],
        }
        return answers.get(items[0])  # type: ignore[return-value]

    batcher: Batcher[str, str] = Batcher(run_batch, name="writer")
    batcher.start()
    async with asyncio.timeout(DEADLINE):
        with pytest.raises(error, match=sentence):
            await batcher.post(behaviour)
        with pytest.raises(error, match=sentence):
            await asyncio.to_thread(batcher.submit(behaviour).result)
        assert await batcher.post("fine") == "done"
    await asyncio.to_thread(batcher.close)


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
