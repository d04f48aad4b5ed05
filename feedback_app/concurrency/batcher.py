"""One thread that does in one go whatever has queued up meanwhile: the cost of a round is shared by many.

Under low load every item is a batch of its own and waits for nothing; under high load the batches grow by
themselves. There is no delay to tune.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Generic, Self, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

_AnyFuture: TypeAlias = "Future[Any] | asyncio.Future[Any]"


class Batcher(Generic[Item, Outcome]):
    """Calls `run_batch(items)` in its own thread with what is queued, at most `max_batch` items, in order.

    `run_batch` returns one outcome per item, in the same order: a value, or an exception that is then raised
    to the item's submitter. When it raises, every item of that batch gets the exception; the next batch is
    tried as if nothing had happened. `setup` and `teardown` run in the same thread before the first and after
    the last batch, for things that belong to one thread, such as a database connection.

    Items come from any thread by `submit` or from any event loop by `post`. At most `max_waiting` items queue
    up (None: no limit); beyond that `submit` blocks and `post` waits. An item that was queued is done,
    whatever becomes of its submitter. The thread sleeps while there is nothing to do. It is a daemon thread:
    a program that dies without `close` is not held up, and what it had not been told is done may not be done.
    """

    def __init__(
        self,
        run_batch: Callable[[list[Item]], Sequence[Outcome | Exception]],
        *,
        name: str,
        max_batch: int = 500,
        max_waiting: int | None = None,
        setup: Callable[[], object] | None = None,
        teardown: Callable[[], object] | None = None,
    ) -> None:
        if max_batch < 1 or (max_waiting is not None and max_waiting < 1):
            raise ValueError(f"max_batch={max_batch}, max_waiting={max_waiting}: must be 1 or more")
        self._run_batch = run_batch
        self._name = name
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._setup = setup
        self._teardown = teardown
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)
        self._queue: deque[tuple[Item, _AnyFuture]] = deque()
        self._posters: deque[asyncio.Future[None]] = deque()  # wait for room in the queue, as tasks
        self._lock = threading.Lock()
        self._more = threading.Condition(self._lock)
        self._room = threading.Condition(self._lock)
        self._ready: Future[None] = Future()
        self._ended: Future[None] = Future()
        self._closing = False

    def start(self) -> None:
        """Start the thread and return when `setup` has; raises what that raises."""
        if self._closing:
            raise RuntimeError(f"batcher {self._name!r} is closed")
        self._thread.start()
        try:
            self._ready.result()
        except BaseException:
            self._thread.join()
            raise

    def submit(self, item: Item) -> Future[Outcome]:
        """Queue an item and return the future of its outcome; blocks while the queue is full.

        The future cannot be cancelled. Raises RuntimeError when the batcher is not started or closed.
        """
        future: Future[Outcome] = Future()
        future.set_running_or_notify_cancel()
        with self._lock:
            self._check_open()
            while self._is_full():
                self._room.wait()
                self._check_open()
            self._put(item, future)
        return future

    async def post(self, item: Item) -> Outcome:
        """Queue an item and wait for its outcome; waits for room first while the queue is full.

        Cancelling the caller cancels the wait, not the item, unless it still waited for room. Raises
        RuntimeError when the batcher is not started or closed, and the item's exception.
        """
        loop = asyncio.get_running_loop()
        while True:
            with self._lock:
                self._check_open()
                if not self._is_full():
                    future: asyncio.Future[Outcome] = loop.create_future()
                    self._put(item, future)
                    break
                room: asyncio.Future[None] = loop.create_future()
                self._posters.append(room)
            await self._wait_for_room(room)
        return await future

    def close(self) -> None:
        """Finish what is queued, then end the thread; idempotent. Raises what `teardown` raised.

        Blocks: on an event loop call it as `await asyncio.to_thread(batcher.close)`. Who waits for room is
        sent away with a RuntimeError.
        """
        with self._lock:
            self._closing = True
            self._more.notify()
            self._room.notify_all()
            posters, self._posters = self._posters, deque()
        _hand_over((poster, None) for poster in posters)
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join()
            self._ended.result()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check_open(self) -> None:
        if self._closing:
            raise RuntimeError(f"batcher {self._name!r} is closed")
        if self._thread.ident is None:
            raise RuntimeError(f"batcher {self._name!r} is not started")

    def _is_full(self) -> bool:
        return self._max_waiting is not None and len(self._queue) >= self._max_waiting

    def _put(self, item: Item, future: _AnyFuture) -> None:
        self._queue.append((item, future))
        self._more.notify()

    async def _wait_for_room(self, room: asyncio.Future[None]) -> None:
        try:
            await room
        except asyncio.CancelledError:
            if not room.cancelled():  # the place that this one was given goes to the next
                with self._lock:
                    admitted = self._admit_posters(1)
                _hand_over(admitted)
            raise

    def _admit_posters(self, places: int) -> list[tuple[_AnyFuture, None]]:
        admitted: list[tuple[_AnyFuture, None]] = []
        while self._posters and len(admitted) < places:
            room = self._posters.popleft()
            if not room.cancelled():
                admitted.append((room, None))
        return admitted

    def _main(self) -> None:
        try:
            if self._setup is not None:
                self._setup()
        except BaseException as error:  # noqa: BLE001 - raised by start()
            self._closing = True
            self._ended.set_result(None)
            self._ready.set_exception(error)
            return
        self._ready.set_result(None)
        while batch := self._next_batch():
            items, futures = zip(*batch, strict=True)
            _hand_over(zip(futures, self._outcomes(list(items)), strict=True))
        try:
            if self._teardown is not None:
                self._teardown()
        except BaseException as error:  # noqa: BLE001 - raised by close()
            self._ended.set_exception(error)
        else:
            self._ended.set_result(None)

    def _next_batch(self) -> list[tuple[Item, _AnyFuture]]:
        """Sleep until there is something; an empty batch means that all is done and the end has come."""
        with self._lock:
            while not self._queue and not self._closing:
                self._more.wait()
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), self._max_batch))]
            self._room.notify(len(batch))
            admitted = self._admit_posters(len(batch))
        _hand_over(admitted)
        return batch

    def _outcomes(self, items: list[Item]) -> Sequence[Outcome | BaseException]:
        try:
            outcomes = list(self._run_batch(items))
        except BaseException as error:  # noqa: BLE001 - it belongs to the submitters, and the thread must live
            return [error] * len(items)
        if len(outcomes) != len(items):
            wrong = RuntimeError(f"{self._name}: {len(outcomes)} outcomes came back for {len(items)} items")
            return [wrong] * len(items)
        return outcomes


def _hand_over(outcomes: Iterable[tuple[_AnyFuture, object]]) -> None:
    """Settle the futures: those of threads here, those of an event loop by one callback for all of them."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_AnyFuture, object]]] = {}
    for future, outcome in outcomes:
        if isinstance(future, asyncio.Future):
            by_loop.setdefault(future.get_loop(), []).append((future, outcome))
        else:
            _settle(future, outcome)
    for loop, settled in by_loop.items():
        with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody waits any more
            loop.call_soon_threadsafe(_settle_all, settled)


def _settle_all(outcomes: Iterable[tuple[_AnyFuture, object]]) -> None:
    for future, outcome in outcomes:
        if not future.done():  # else its caller was cancelled
            _settle(future, outcome)


def _settle(future: _AnyFuture, outcome: object) -> None:
    if isinstance(outcome, StopIteration):  # futures of an event loop refuse it
        future.set_exception(RuntimeError(f"the item ended with {outcome!r}"))
    elif isinstance(outcome, BaseException):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
