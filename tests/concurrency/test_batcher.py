"""The batcher: what queued up meanwhile is done in one go, and everyone gets their own outcome."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_app.concurrency import Batcher
from tests.concurrency.batcher_gate import DEADLINE, Gate, gated

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


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
