"""SIGTERM and SIGINT: the first drains, a second one ends the process at once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

log = logging.getLogger(__name__)

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextlib.contextmanager
def stop_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` at the first signal, in the running event loop's thread; leave signals alone off the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    heard: list[signal.Signals] = []

    def on_signal(which: signal.Signals) -> None:
        if heard:
            # What is in flight is in the ledger as such: the next start takes it up.
            logging.shutdown()
            os._exit(128 + which)
        heard.append(which)
        log.info("asked to stop; a second signal ends at once", extra={"signal": which.name})
        stop()

    for which in _SIGNALS:
        loop.add_signal_handler(which, on_signal, which)
    try:
        yield
    finally:
        for which in _SIGNALS:
            loop.remove_signal_handler(which)
