"""The log's way out: a bounded queue and a thread, so that nothing that is slow to take a line holds the program up."""

from __future__ import annotations

import logging
import math
import os
import select
import threading
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, NamedTuple, TextIO

from feedback_app.logs.repeats import WINDOW, Repeats

if TYPE_CHECKING:
    from collections.abc import Callable

CAPACITY = 2000  # lines that wait
_PATIENCE = 2.0  # seconds that the end of the program waits for who does not read
_LOOK = 0.002  # seconds


class _Line(NamedTuple):
    text: bytes
    tells_of: int  # dropped lines; 0: it is a line of its own


class LogQueue(logging.Handler):
    """Formats a line where it is logged, and writes it in a thread of its own, in order.

    `out` is a file descriptor, or a stream that has none.

    What does not fit any more, or cannot be written (a full disk, a pipe that nobody has open), is dropped and counted;
    once there is room again a line says how many. Lines like each other are bounded, see `Repeats`.
    """

    def __init__(
        self,
        out: int | TextIO,
        *,
        capacity: int = CAPACITY,
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.dropped = 0  # lines, since the start
        self._out = out
        self._capacity = capacity
        self._stopwatch = stopwatch
        self._queue: SimpleQueue[_Line | None] = SimpleQueue()  # None: the end
        self._closed = False
        self._taken = 0  # lines put into the queue
        self._ended = 0  # of those, written or dropped
        self._untold = 0  # dropped lines that no line has told of
        self._is_torn = False  # the last line was written in part
        self._repeats = Repeats()
        # Reentrant: a signal's handler flushes in whatever line of this the main thread is.
        self._counting = threading.RLock()
        self._thread = threading.Thread(target=self._write_all, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a line; never waits."""
        with self._counting:
            passes = self._repeats.passes(record, self._stopwatch())
        if passes:
            try:
                text = self.format(record)
            except Exception:  # noqa: BLE001 - whatever cannot be shown must not reach who logs it
                self._drop(1)
            else:
                self._put(text)

    def flush(self, seconds: float = _PATIENCE) -> None:
        """Wait until what was logged is written or dropped, at most `seconds`."""
        self._summarise(math.inf)
        deadline = time.monotonic() + seconds
        while self.is_behind and time.monotonic() < deadline:
            time.sleep(_LOOK)

    def close(self) -> None:
        """End the thread once it has written what is queued; later lines are dropped. Waits for nothing; idempotent."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        super().close()

    @property
    def is_behind(self) -> bool:
        """Whether there are lines that are not written yet."""
        return self._ended < self._taken

    def _put(self, text: str) -> None:
        if self._closed or self._queue.qsize() >= self._capacity:
            self._drop(1)
            return
        with self._counting:
            self._taken += 1
        self._queue.put(_Line(_encoded(text), 0))

    def _drop(self, count: int) -> None:
        with self._counting:
            self.dropped += count
            self._untold += count

    def _write_all(self) -> None:
        while True:
            self._summarise(self._stopwatch())  # at each line: a log that is never quiet must tell, too
            try:
                line = self._queue.get(timeout=self._until_summary())
            except Empty:
                continue
            if line is None:
                return
            if not self._write(line.text):
                self._drop(1)
            elif self._untold and self._queue.empty():
                self._tell_of_dropped()
            self._ended += 1

    def _until_summary(self) -> float | None:
        """Return the seconds until some lines that were left out are to be told of, None: there are none."""
        with self._counting:
            begun = self._repeats.oldest
        return None if begun is None else max(0.05, begun + WINDOW - self._stopwatch())

    def _summarise(self, now: float) -> None:
        """Tell of what was left out in the windows that are over."""
        with self._counting:
            records = self._repeats.ended(now)
        for record in records:
            self._put(self.format(record))

    def _tell_of_dropped(self) -> None:
        count = self._untold
        record = logging.makeLogRecord(
            {
                "name": __name__,
                "levelno": logging.WARNING,
                "levelname": "WARNING",
                "msg": "log lines were dropped",
                "count": count,
            }
        )
        if self._write(_encoded(self.format(record))):
            with self._counting:
                self._untold -= count

    def _write(self, text: bytes) -> bool:
        """Write a line, however long that takes; says whether it is there as a whole."""
        left = b"\n" + text if self._is_torn else text
        while left:
            try:
                left = left[_write(self._out, left) :]
            except BlockingIOError:  # somebody made it so, who shares it with us
                _until_writable(self._out)
            except (OSError, ValueError):  # ValueError: the stream is closed
                self._is_torn = self._is_torn or len(left) < len(text)
                return False
        self._is_torn = False
        return True


def _encoded(text: str) -> bytes:
    return f"{text}\n".encode("utf-8", "backslashreplace")


def _write(out: int | TextIO, text: bytes) -> int:
    if isinstance(out, int):
        return os.write(out, text)
    out.write(text.decode())
    return len(text)


def _until_writable(out: int | TextIO) -> None:
    waiting = select.poll()
    waiting.register(out, select.POLLOUT)
    waiting.poll()


def _ours() -> list[LogQueue]:
    return [one for one in logging.getLogger().handlers if isinstance(one, LogQueue)]


def dropped_lines() -> int:
    """Return how many lines of this program's log were dropped."""
    return sum(one.dropped for one in _ours())


def flush_logs(seconds: float = _PATIENCE) -> bool:
    """Wait at most `seconds` until all lines are written; says whether they are. For who ends the process."""
    for one in _ours():
        one.flush(seconds)
    return not any(one.is_behind for one in _ours())
