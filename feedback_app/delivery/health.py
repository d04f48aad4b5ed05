"""Whether a channel works: one that is down is probed with single messages, the others wait and lose no attempt."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from feedback_app.delivery.retry import Backoff
    from feedback_app.model import Milliseconds

log = logging.getLogger(__name__)

_FAULTS = 5  # messages in a row that a plugin fails by its own fault before it is suspended


class ChannelHealth:
    """Up until told otherwise. `pauses` says how long to wait before each probe of a channel that stays down.

    `provider` is the plugin whose part of the channel this is, "" where it serves the channel alone.
    """

    def __init__(self, pauses: Backoff, provider: str = "") -> None:
        self._pauses = pauses
        self._provider = {"provider": provider} if provider else {}
        self._failures = 0  # in a row, since the channel went down
        self._probe: int | None = None  # number of the message that is being tried while the channel is down
        self._next_probe: Milliseconds = 0
        self._faulty: set[int] = set()  # numbers of messages that the plugin failed since one worked
        self.suspended = False  # down because of the plugin, not of the far side
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
        left = (self._next_probe - now) / 1000
        if 0 < left <= self._pauses.maximum:  # more than that: the clock was set back
            return 0, left
        return 1, None

    def probes(self, number: int) -> None:
        """Note which message was claimed while the channel is down: the probe."""
        if self.down:
            self._probe = number

    def refuses(self, number: int) -> bool:
        """Whether a claimed message is to go back untried: the channel went down while it waited for a worker."""
        return self.down and number != self._probe

    def failed(self, channel: str, number: int, reason: str, now: Milliseconds) -> None:
        """Note that a message found the channel down; logged once, not per message."""
        if not self.down:
            self.down_since = now
            self._pause(now)
            what = "provider down" if self._provider else "channel down"
            log.error(what, extra={"channel": channel, **self._provider, "reason": reason})
        self.reason = reason
        self.suspended = False
        self._faulty.clear()
        self.unclear(number, now)

    def faulty(self, channel: str, number: int, plugin: str, fault: str, now: Milliseconds) -> None:
        """Note that the plugin failed on a message by its own fault.

        One message may be the culprit, several in a row are not: then the channel is suspended, which is down.
        """
        self._faulty.add(number)
        if self.suspended or len(self._faulty) >= _FAULTS:
            self.failed(
                channel, number, f"suspended: {_FAULTS} failures in a row of plugin {plugin}: {fault}", now
            )
            self.suspended = True
        else:
            self.unclear(number, now)

    def unclear(self, number: int, now: Milliseconds) -> None:
        """Note that a message told nothing of the channel's state; when it was the probe, another one is needed."""
        if self.down and number == self._probe:
            self._probe = None
            self._pause(now)

    def unasked(self, number: int) -> None:
        """Note that nobody was given a message; when it was to be the probe, the next one is, and at once."""
        if number == self._probe:
            self._probe = None

    def _pause(self, now: Milliseconds) -> None:
        self._failures += 1
        self._next_probe = now + int(self._pauses.delay(self._failures) * 1000)

    def works(self, channel: str, now: Milliseconds) -> None:
        """Note that the far side answered as it should."""
        self._faulty.clear()
        self.suspended = False
        if self.down_since is not None:
            seconds = max(0, round((now - self.down_since) / 1000))
            what = "provider up again" if self._provider else "channel up again"
            log.info(what, extra={"channel": channel, **self._provider, "seconds": seconds})
            self.down_since = None
            self._probe = None
            self._failures = 0
            self.reason = ""
