"""What systemd is told of us, where it started us: sd_notify(3), one datagram each time.

Nothing is sent, and nothing waits, where `NOTIFY_SOCKET` is not set; who does not listen costs us nothing.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__name__)


class Supervisor:
    """Tells whoever started us what we do; `environ` is where systemd says how to reach it."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address

    def ready(self, status: str) -> None:
        """Say that we stand, or stand again after a reload."""
        self._tell("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """Say that the configuration is being read again."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}", "STATUS=reloading")

    def stopping(self) -> None:
        """Say that we finish what is in flight."""
        self._tell("STOPPING=1", "STATUS=stopping")

    def alive(self, status: str) -> None:
        """Feed the watchdog: only after something that a stuck program could not do."""
        self._tell("WATCHDOG=1", f"STATUS={status}")

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as away:
                away.setblocking(False)
                away.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            log.debug("systemd was not told", extra={"reason": error.strerror})
