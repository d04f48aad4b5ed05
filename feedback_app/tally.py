"""What the parts of one daemon count as they work, from its start to its end; a reload changes nothing about it.

Plain numbers: nobody need want to see them. `metrics` shows them to Prometheus.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from feedback_app.model import Milliseconds

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)  # of one send, of one commit
WAITS = (0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 21_600, 86_400)  # seconds that a rating or message waits
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500)  # of a batch

HANDED_ON = "handed on"  # the state of a message after a try whose refusal the next provider heard of at once


class Histogram:
    """How many values lie at or below each bound, each counted once, and what they add up to."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)  # the last one: above all bounds
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count a value; one below 0 is of a clock that was set back, and counts as 0."""
        value = max(value, 0.0)
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Try(NamedTuple):
    """What tries of messages are told apart by."""

    channel: str
    provider: str  # the plugin, "" where none was asked
    outcome: str
    state: str  # of the message after it


@dataclass(kw_only=True, slots=True)
class Tally:
    """Counts since the daemon's start, each kind by one thread."""

    received: Counter[str] = field(default_factory=Counter)  # new ratings, by source
    processed: Counter[str] = field(default_factory=Counter)  # ratings, by where their road ended
    failures: int = 0  # tries of ratings that the pipeline failed on
    tries: Counter[Try] = field(default_factory=Counter)
    opted_out: Counter[str] = field(default_factory=Counter)  # messages suppressed before a try, by channel
    processing: Histogram = field(
        default_factory=partial(Histogram, WAITS)
    )  # seconds from received to processed
    sends: defaultdict[tuple[str, str], Histogram] = field(
        default_factory=lambda: defaultdict(partial(Histogram, SECONDS))
    )  # seconds of one try, by channel and provider
    deliveries: defaultdict[str, Histogram] = field(
        default_factory=lambda: defaultdict(partial(Histogram, WAITS))
    )  # seconds from queued to sent, by channel
    stalls: int = 0  # of the event loop
    heartbeat_at: Milliseconds | None = None  # the last one that reached the ledger

    def by_state(self, channels: Iterable[str] | None = None) -> Counter[str]:
        """Return how many tries there were by the state of the message after them."""
        found: Counter[str] = Counter()
        for one, count in dict(self.tries).items():
            if one.state != HANDED_ON and (channels is None or one.channel in channels):
                found[one.state] += count
        return found
