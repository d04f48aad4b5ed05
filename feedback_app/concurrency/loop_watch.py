"""Notice, from a thread of its own, that an event loop does not turn, and say what holds it up."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stall:
    """What held the loop up when it was looked at; source lines only, no values of variables."""

    seconds: float  # the loop has not turned for at least so long
    task_name: str | None  # of the task that runs; None: a plain callback of the loop
    file: str  # the innermost frame of Python code ...
    line: int
    function: str
    stack: str  # ... and how it got there from the loop, formatted like a traceback
    files: tuple[str, ...]  # of that stack, the outermost first


class LoopWatch:
    """Calls `on_stall(Stall(...))`, from its own thread, when the loop has not turned for `threshold` s.

    with LoopWatch(report_stall):
        ...                             # inside the running loop that is to be watched

    A stall is reported once, at most 1.5 `threshold` after it began (plus the interpreter's switch time; code
    that keeps the interpreter's lock is reported when it lets go). `describe` names the task, default its own
    name; it is called in the watch's thread. What `on_stall` raises is logged.

    The thread looks twice per `threshold`. A loop that sleeps in its selector is left asleep; only one that
    is found at work is asked, by a callback, whether it still turns. (Loops not written in Python, such as
    uvloop, are asked every time.)
    """

    def __init__(
        self,
        on_stall: Callable[[Stall], object],
        *,
        threshold: float = 0.5,
        describe: Callable[[asyncio.Task[Any]], str] = asyncio.Task.get_name,
    ) -> None:
        if threshold <= 0:
            raise ValueError(f"threshold={threshold}: must be a positive number of seconds")
        self._on_stall = on_stall
        self._threshold = threshold
        self._describe = describe
        self._end = threading.Event()
        self._thread: threading.Thread | None = None
        self._asked: float | None = None  # when the question went out that is not answered yet
        self._reported = False

    def start(self) -> None:
        """Watch the running loop. Raises RuntimeError outside a loop or when called twice."""
        if self._thread is not None:
            raise RuntimeError("this watch was started before: make a new one")
        watched = (asyncio.get_running_loop(), threading.get_ident())
        self._thread = threading.Thread(target=self._watch, args=watched, name="loop-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the watch; thread-safe, idempotent, allowed before the start."""
        self._end.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _watch(self, loop: asyncio.AbstractEventLoop, thread_id: int) -> None:
        while not self._end.wait(self._threshold / 2):
            self._look(loop, thread_id)

    def _look(self, loop: asyncio.AbstractEventLoop, thread_id: int) -> None:
        frame = sys._current_frames().get(thread_id)  # noqa: SLF001 - documented, for just this
        asked = self._asked
        if frame is None or not loop.is_running() or _sleeps(frame):
            self._asked = None
        elif asked is None:
            self._reported = False
            self._ask(loop)
        elif not self._reported and (seconds := time.monotonic() - asked) >= self._threshold:
            self._reported = True
            self._report(loop, frame, seconds)

    def _ask(self, loop: asyncio.AbstractEventLoop) -> None:
        self._asked = time.monotonic()
        with contextlib.suppress(RuntimeError):  # closed in this very moment
            loop.call_soon_threadsafe(self._answer)

    def _answer(self) -> None:
        self._asked = None

    def _report(self, loop: asyncio.AbstractEventLoop, frame: FrameType, seconds: float) -> None:
        try:
            task = asyncio.current_task(loop)
            name = None if task is None else self._describe(task)
            self._on_stall(_stall(frame, seconds, name))
        except Exception:
            logger.exception("loop watch: a stall could not be reported")


def _sleeps(frame: FrameType) -> bool:
    """Say whether a loop's thread is in the loop's own selector; a handler may well sit in another one."""
    caller = frame.f_back
    names = (frame.f_globals.get("__name__"), caller and caller.f_globals.get("__name__"))
    return names == ("selectors", "asyncio.base_events")


def _stall(frame: FrameType, seconds: float, task_name: str | None) -> Stall:
    frames = list(reversed(traceback.StackSummary.extract(traceback.walk_stack(frame))))
    below_loop = [number for number, at in enumerate(frames) if at.filename == asyncio.events.__file__]
    if below_loop:
        frames = frames[below_loop[-1] + 1 :] or frames
    at = frames[-1]
    return Stall(
        seconds=seconds,
        task_name=task_name,
        file=at.filename,
        line=at.lineno or 0,
        function=at.name,
        stack="".join(traceback.StackSummary.from_list(frames).format()),
        files=tuple(frame.filename for frame in frames),
    )
