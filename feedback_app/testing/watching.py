"""Watches a plugin's code: what holds the loop up, what is left behind, what shows a secret, and where it stands."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import re
import threading
import traceback
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from feedback_app.concurrency import LoopWatch, Stall
from feedback_app.testing.findings import BrokenPromise

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Sequence

STALL = 0.25  # seconds that a plugin may hold the event loop up; the daemon logs from 0.5 on
_AFTERWARDS = 1.0  # seconds that tasks and threads have to end after `close`
_KIT = Path(__file__).parent
_FRAME = re.compile(r'^  File "(.+)", line (\d+)', re.MULTILINE)  # of a formatted stack


class Home:
    """The files of a plugin: its module, helpers beside it that begin with `_`, and the rest of its package."""

    def __init__(self, entry: object) -> None:
        try:
            self._file = Path(inspect.getsourcefile(type(entry)) or "")
        except TypeError:  # a class that was typed in
            self._file = Path()

    def place(self, frames: Iterable[tuple[str, int | None]]) -> str | None:
        """Return file:line of the innermost frame that is the plugin's; the frames come outermost first."""
        for file, line in reversed(list(frames)):
            if self._has(Path(file)):
                return f"{_short(Path(file))}:{line}"
        return None

    def place_of(self, error: BaseException) -> str | None:
        """Return file:line of the innermost frame of the plugin's that the error came through."""
        frames = traceback.extract_tb(error.__traceback__)
        return self.place((one.filename, one.lineno) for one in frames)

    def _has(self, file: Path) -> bool:
        if file == self._file or file.parent != self._file.parent:
            return file == self._file
        return file.name.startswith("_") or (file.parent / "__init__.py").exists()


def _short(file: Path) -> Path:
    return file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file


@contextlib.contextmanager
def watching_the_loop(home: Home) -> Iterator[None]:
    """Raise BrokenPromise when the block's code has held the loop up."""
    stalls: list[Stall] = []
    with LoopWatch(stalls.append, threshold=STALL):
        yield
    for stall in stalls:
        place = home.place((file, int(line)) for file, line in _FRAME.findall(stall.stack))
        if place is not None:  # else it is somebody else's, or the machine's
            raise BrokenPromise(
                f"nothing to hold the event loop up for {STALL:g} s",
                f"it was blocked for {stall.seconds:.1f} s",
                where=place,
            )


@contextlib.asynccontextmanager
async def leaving_nothing_behind() -> AsyncIterator[None]:
    """Raise BrokenPromise when the block leaves a task or a thread; its tasks are ended."""
    tasks, threads = asyncio.all_tasks(), set(threading.enumerate())
    yield
    left = asyncio.all_tasks() - tasks
    if left:
        _, left = await asyncio.wait(left, timeout=_AFTERWARDS)
    if left:
        await _complain_of(left)
    extra = [one for one in threading.enumerate() if one not in threads]
    strangers = [one for one in extra if not one.name.startswith("asyncio_")]  # the loop's own executor
    await asyncio.to_thread(_wait_for, strangers)
    if alive := [one.name for one in strangers if one.is_alive()]:
        raise BrokenPromise("no thread to be left", f"{len(alive)} left, such as {alive[0]!r}")


async def _complain_of(left: set[asyncio.Task[Any]]) -> None:
    coroutine: Any = min(left, key=asyncio.Task.get_name).get_coro()
    frame = getattr(coroutine, "cr_frame", None)
    for task in left:
        task.cancel()
    await asyncio.wait(left, timeout=_AFTERWARDS)
    raise BrokenPromise(
        "no task to be left",
        f"{len(left)} left, such as {coroutine.__qualname__}",
        where=f"{_short(Path(frame.f_code.co_filename))}:{frame.f_lineno}" if frame else None,
    )


def _wait_for(threads: Sequence[threading.Thread]) -> None:
    for one in threads:
        with contextlib.suppress(RuntimeError):  # just being started, by a server of the test's
            one.join(_AFTERWARDS)


class Overhearing(logging.Handler):
    """Collects all that is logged from INFO on, and printed, while it is entered."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._records: list[str] = []
        self._printed = StringIO()
        self._stack = contextlib.ExitStack()

    @property
    def heard(self) -> str:
        """All of it."""
        return "\n".join([*self._records, self._printed.getvalue()])

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record with its fields and its traceback."""
        self._records.append(f"{self.format(record)} {record.__dict__}")

    def __enter__(self) -> Self:
        root = logging.getLogger()
        self._stack.callback(root.setLevel, root.level)
        root.setLevel(logging.INFO)
        root.addHandler(self)
        self._stack.callback(root.removeHandler, self)
        self._stack.enter_context(contextlib.redirect_stdout(self._printed))
        self._stack.enter_context(contextlib.redirect_stderr(self._printed))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def must_not_show(secrets: Sequence[str], what: str, shown: object) -> None:
    """Raise BrokenPromise where a secret stands in a text, or in how an object shows; it is not repeated."""
    if any(secret in f"{shown!s} {shown!r}" for secret in secrets):
        error = shown if isinstance(shown, BaseException) else None
        raise BrokenPromise("no secret to be shown", f"one stands in {what}", error=error)
