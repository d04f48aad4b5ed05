"""Says which plugin holds the program up while it is loaded."""

from __future__ import annotations

import contextlib
import logging
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

_PATIENCE = 2.0  # seconds


@contextlib.contextmanager
def naming_when_slow(name: str, shown: str) -> Iterator[None]:
    """Log, from a thread of its own, that the plugin is still being loaded when the block takes long."""
    timer = threading.Timer(_PATIENCE, log.warning, ("still loading plugin %s (%s)", name, shown))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
