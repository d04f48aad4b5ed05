"""Whether a channel works: one that is down is probed with single messages, the others wait and lose no attempt."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from feedback_app.model import Milliseconds

log = logging.getLogger(__name__)


class ChannelHealth:
    """Up until told otherwise. `probe_every` is in seconds."""

    def __init__(self, probe_every: float) -> None:
        self._probe_every = int(probe_every * 1000)
        self._probe: int | None = None  # number of the message that is being tried while the channel is down
        self._next_probe: Milliseconds = 0
        self.down_since: Milliseconds | None = None
        self.reason = ""  # why it is down; names servers and accounts, never customers

    @property
    def down(self) -> bool:
        """Whether messages wait."""
        return self.down_since is not None

    def allowance(self, room: int, now: Milliseconds) -> tuple[int, float | None]:
        """Return (messages that may be claimed now, seconds to wait if none)."""
        if not self.down:
            return room, None
        if self._probe is not None:
            return 0, None  # its end wakes the claimer
        if now < self._next_probe:
            return 0, (self._next_probe - now) / 1000
        return 1, None

    def claimed(self, number: int) -> None:
        """Note which message was claimed first; while the channel is down it is the probe."""
        if self.down:
            self._probe = number

    def refuses(self, number: int) -> bool:
        """Whether a claimed message is to go back untried: the channel went down while it waited for a worker."""
        return self.down and number != self._probe

    def failed(self, channel: str, reason: str, now: Milliseconds) -> None:
        """Note that the channel is down; logged once, not per message."""
        if not self.down:
            self.down_since = now
            log.error("channel down", extra={"channel": channel, "reason": reason})
        self.reason = reason
        self.unclear(now)

    def unclear(self, now: Milliseconds) -> None:
        """Note that a try told nothing of the channel's state: while it is down, probe again later."""
        self._probe = None
        self._next_probe = now + self._probe_every

    def given_back(self, number: int, now: Milliseconds) -> None:
        """Note that a claimed message was not tried; when it was the probe, another one is needed."""
        if number == self._probe:
            self.unclear(now)

    def works(self, channel: str) -> None:
        """Note that the far side answered as it should."""
        if self.down:
            log.info("channel up again", extra={"channel": channel})
            self.down_since = None
            self._probe = None
            self.reason = ""
