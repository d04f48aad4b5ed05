"""SIGTERM and SIGINT: the first drains, a second one ends the process at once. SIGHUP reloads, SIGUSR1 logs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import threading
from typing import TYPE_CHECKING

from feedback_app.logs import flush_logs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

log = logging.getLogger(__name__)

_LAST_LINES = 0.2  # seconds that the log has at a hard end
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextlib.contextmanager
def heeding_signals(
    stop: Callable[[], None], reload: Callable[[], None], log_state: Callable[[], None]
) -> Iterator[None]:
    """Call `stop` at the first signal, in the running event loop's thread.

    Call `reload` at each SIGHUP and `log_state` at each SIGUSR1, there too.
    Leaves signals alone off the main thread.

    The handlers are the interpreter's and not the loop's, so that a second signal ends also a program whose loop is
    held up by a plugin.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    heard = False

    def on_first(which: signal.Signals) -> None:
        log.info("asked to stop; a second signal ends at once", extra={"signal": which.name})
        stop()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        nonlocal heard
        if heard:
            # What is in flight is in the ledger as such: the next start takes it up. Whoever reads the log may be
            # what holds us up, so it has a moment only.
            flush_logs(_LAST_LINES)
            os._exit(128 + number)
        heard = True
        loop.call_soon_threadsafe(on_first, signal.Signals(number))

    before = {which: signal.signal(which, on_signal) for which in _SIGNALS}
    for which, call in ((signal.SIGHUP, reload), (signal.SIGUSR1, log_state)):
        before[which] = signal.signal(which, lambda *_, call=call: loop.call_soon_threadsafe(call))
    try:
        yield
    finally:
        for which, handler in before.items():
            signal.signal(which, handler)
