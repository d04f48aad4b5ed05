"""A coroutine on an event loop and a thread of its own, for programs that are not asynchronous."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import CancelledError, Future
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import TracebackType

Value = TypeVar("Value")


class CoroutineThread(Generic[Value]):
    """Runs `coroutine_function(*args, **kwargs)` on a loop of its own while the program goes on.

    with CoroutineThread(serve, port=8080) as server:
        ...

    `start` returns when the loop runs, `result` hands over the value or raises what the coroutine raised,
    `stop` cancels it from any thread and waits. When the thread has ended, so have the coroutine's tasks,
    asynchronous generators and executor, and the loop is closed. Leaving `with` stops; should the coroutine
    have failed and nobody have asked for the result, its error is raised there rather than lost.

    The names `name`, `daemon` and `loop_factory` are the thread's own and cannot be keyword arguments of the
    coroutine. `daemon` (default True) means that a program which ends without `stop` is not held up.
    `loop_factory` makes another kind of loop, for instance `uvloop.new_event_loop`.
    """

    def __init__(
        self,
        coroutine_function: Callable[..., Coroutine[Any, Any, Value]],
        /,
        *args: object,
        name: str = "coroutine",
        daemon: bool = True,
        loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
        **kwargs: object,
    ) -> None:
        self._coroutine_function = coroutine_function
        self._args = args
        self._kwargs = kwargs
        self._loop_factory = loop_factory
        self._thread = threading.Thread(target=self._main, name=name, daemon=daemon)
        self._begun: Future[asyncio.Task[Value]] = Future()
        self._outcome: Future[Value] = Future()
        self._lock = threading.Lock()  # no start in the middle of a stop
        self._stopped = False
        self._result_taken = False

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The coroutine's event loop, for `run_coroutine_threadsafe`; RuntimeError before the start."""
        if not self._begun.done():
            raise RuntimeError(f"thread {self._thread.name!r} has no event loop yet: call start() first")
        return self._begun.result().get_loop()

    def start(self) -> None:
        """Start the thread and return when its loop runs.

        Raises what `loop_factory` raises, and RuntimeError when called twice or after `stop`.
        """
        with self._lock:
            if self._stopped:
                raise RuntimeError(f"thread {self._thread.name!r} was stopped before it was started")
            self._thread.start()
        self._begun.result()

    def done(self) -> bool:
        """Say whether `result` would return at once."""
        return self._outcome.done()

    def result(self, timeout: float | None = None) -> Value:
        """Return the coroutine's value, waiting for it, or raise its exception.

        Raises TimeoutError after `timeout` seconds, concurrent.futures.CancelledError when it was stopped.
        """
        self._outcome.exception(timeout)
        self._result_taken = True
        return self._outcome.result()

    def stop(self, timeout: float | None = None) -> None:
        """Cancel the coroutine and wait until its thread has ended, at most `timeout` seconds.

        Idempotent, allowed before the start (and then forbids it). Called by the coroutine itself it only
        cancels. Raises TimeoutError when the coroutine does not end in time; it stays cancelled.
        """
        with self._lock:
            is_first, self._stopped = not self._stopped, True
            was_started = self._thread.ident is not None
        if not was_started:
            if is_first:
                self._outcome.set_exception(CancelledError())
            return
        if is_first and self._begun.exception() is None:
            task = self._begun.result()
            with contextlib.suppress(RuntimeError):  # the loop is closed: the coroutine has ended by itself
                task.get_loop().call_soon_threadsafe(task.cancel)
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout)
            if self._thread.is_alive():
                raise TimeoutError(f"thread {self._thread.name!r} did not end within {timeout} seconds")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        failure = self._outcome.exception()
        if kind is None and not self._result_taken and not isinstance(failure, CancelledError | None):
            raise failure

    def _main(self) -> None:
        try:
            with asyncio.Runner(loop_factory=self._loop_factory) as runner:
                value = runner.run(self._run())
        except asyncio.CancelledError:
            self._outcome.set_exception(CancelledError())
        except BaseException as error:  # noqa: BLE001 - it belongs to who asks for the result
            if not self._begun.done():
                self._begun.set_exception(error)
            self._outcome.set_exception(error)
        else:
            self._outcome.set_result(value)

    async def _run(self) -> Value:
        self._begun.set_result(cast("asyncio.Task[Value]", asyncio.current_task()))
        return await self._coroutine_function(*self._args, **self._kwargs)
