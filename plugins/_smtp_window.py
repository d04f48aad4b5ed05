"""How many connections a mail server may be asked for at once, learnt from its refusals."""

from __future__ import annotations

import math


class Window:
    """`most`, halved when the server turns one away (421), then one more every `pause` seconds.

    Additive increase with multiplicative decrease finds a limit that nobody tells (Chiu and Jain, 1989; it is
    TCP's rule, RFC 5681). It grows with time and not, as in Postfix, with the mails taken: a fast server would
    be tried beyond its limit many times a second. All times are seconds of one monotonic clock.
    """

    def __init__(self, most: int, pause: float) -> None:
        self._most = most
        self._pause = pause
        self._after_cut = most
        self._cut_at = -math.inf

    def size(self, now: float) -> int:
        """Return how many connections there may be, at least one."""
        return int(min(self._most, self._after_cut + (now - self._cut_at) / self._pause))

    def cut(self, *, used: int, begun: float, now: float) -> None:
        """Halve it: of `used` connections one that began at `begun` was turned away.

        What began before the last cut says nothing new: a burst of refusals is one sign.
        """
        if begun > self._cut_at:
            self._after_cut = (min(used, self.size(now)) + 1) // 2
            self._cut_at = now
