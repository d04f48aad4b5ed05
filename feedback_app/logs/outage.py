"""A thing that is away and comes back: a line for each change and one an hour between them, however often it is met."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

REMIND = 3600.0  # seconds between two lines about what has not changed


class Outage:
    """Says `away`, then `still` at most hourly, then `back` with how long it was. Thread-safe.

    With `steady`, it is back once it was found there for so many seconds: what fails and succeeds by turns, such as a
    disk with room for a small write, is away. `stopwatch` returns seconds since any moment.
    """

    def __init__(
        self,
        log: logging.Logger,
        *,
        away: str,
        still: str,
        back: str,
        steady: float = 0.0,
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._away = away
        self._still = still
        self._back = back
        self._stopwatch = stopwatch
        self._lock = threading.Lock()
        self._steady = steady
        self._since: float | None = None
        self._well_since: float | None = None  # as far as it is away, but was found there lately
        self._said = 0.0

    @property
    def lasts(self) -> bool:
        """Whether it is away, as far as is known."""
        return self._since is not None

    def met(self, **fields: object) -> None:
        """Note that it was found away; `fields` say why."""
        now = self._stopwatch()
        with self._lock:
            since, self._well_since = self._since, None
            if since is None:
                self._since = now
            elif now - self._said < REMIND:
                return
            self._said = now
        if since is None:
            self._log.error(self._away, extra=fields)
        else:
            self._log.warning(self._still, extra={**fields, "seconds": round(now - since)})

    def over(self, **fields: object) -> None:
        """Note that it was found there; costs nothing while it never was away."""
        if self._since is None:
            return
        now = self._stopwatch()
        with self._lock:
            since = self._since
            well_since = self._well_since = now if self._well_since is None else self._well_since
            if since is None or now - well_since < self._steady:
                return
            self._since = self._well_since = None
        self._log.info(self._back, extra={**fields, "seconds": round(well_since - since)})
