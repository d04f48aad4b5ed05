"""`python -m feedback_app` is `feedback-app`."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time

log = logging.getLogger(__name__)

_PATIENCE = 1.0  # seconds that threads have to end


def main() -> None:
    """Run the command line and exit with its code."""
    _fill_standard_streams()
    from feedback_app.cli import run_command_line

    code = run_command_line()
    if left := _left_behind():
        # The interpreter would wait for a plugin's thread for ever, and run once more what ignores its end.
        log.warning("not waiting for what a plugin left behind: %s", ", ".join(left))
        logging.shutdown()  # waits for our own log's thread, though not for ever
        os._exit(code)
    sys.exit(code)


def _fill_standard_streams() -> None:
    """Open what whoever started us has closed, so that no file, and not uvloop's own, gets the number of a stream."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:  # noqa: PLR2004 - stderr
        pass
    os.close(descriptor)


def _left_behind() -> list[str]:
    """Return the names of the threads and coroutines that do not end."""
    deadline = time.monotonic() + _PATIENCE
    threads = [one for one in threading.enumerate() if not one.daemon and one is not threading.main_thread()]
    for one in threads:
        while one.ident is None and time.monotonic() < deadline:
            time.sleep(0.001)  # it is just being started, and cannot be waited for yet
        if one.ident is not None:
            one.join(max(0.0, deadline - time.monotonic()))
    bounded = sys.modules.get("feedback_app.concurrency.bounded")  # most commands do not need it
    unending = [f"coroutine {name}" for name, _ in bounded.unending] if bounded else []
    names = [f"thread {one.name}" for one in threads if one.is_alive() or one.ident is None] + unending
    return list(dict.fromkeys(names))


if __name__ == "__main__":
    main()
