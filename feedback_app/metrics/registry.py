"""A registry of its own, filled at the moment it is read: the parts count plain numbers and know nothing of it.

await metrics.refresh()
text = metrics.text()  # in any thread
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.registry import Collector

from feedback_app.errors import FeedbackAppError
from feedback_app.metrics import families
from feedback_app.store import status

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prometheus_client import Metric

    from feedback_app.clock import Clock
    from feedback_app.delivery.dispatcher import Dispatcher
    from feedback_app.intake.sourcing import Sourcing
    from feedback_app.model import Milliseconds
    from feedback_app.parts import Part
    from feedback_app.settings import Settings
    from feedback_app.store.sizes import Room
    from feedback_app.store.store import Store
    from feedback_app.tally import Tally

_PATIENCE = 5.0  # seconds that the ledger has; what it does not say in time is left out


class View(Protocol):
    """What works now."""

    settings: Settings
    store: Store
    tally: Tally
    parts: list[Part]
    dispatchers: list[Dispatcher]
    sourcings: list[Sourcing]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ledger:
    """What only the ledger knows."""

    waits: dict[str, Any]  # see `store.status.gauges`
    room: Room


class Metrics:
    """Everything that is told of one daemon."""

    def __init__(self, view: View, clock: Clock) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        self._collector = _Collector(view, clock)
        self.registry.register(self._collector)
        self._view = view

    async def refresh(self, *, running: bool = True) -> None:
        """Ask the ledger; its figures are left out while it does not answer."""
        self._collector.running = running
        self._collector.ledger = None
        try:
            async with asyncio.timeout(_PATIENCE):
                waits = await self._view.store.read(status.gauges)
                self._collector.ledger = Ledger(waits=waits, room=await self._view.store.room())
        except (FeedbackAppError, TimeoutError):
            pass  # whoever needs the ledger for more than this says so

    def text(self) -> bytes:
        """Return all in Prometheus' text format; thread-safe."""
        return generate_latest(self.registry)


class _Collector(Collector):
    def __init__(self, view: View, clock: Clock) -> None:
        self._view = view
        self._clock = clock
        self.ledger: Ledger | None = None
        self.running = True

    def collect(self) -> Iterator[Metric]:
        """Yield every family; those of which nothing is known have no samples."""
        view, now = self._view, self._clock()
        yield from families.of_process(view.tally, now, running=self.running)
        yield from families.of_tally(view.tally)
        yield from families.of_writers(view.store.writers)
        yield from families.of_parts(view.parts, view.dispatchers, view.sourcings)
        channels = [one.channel for one in view.dispatchers]
        yield from families.of_queues(self.ledger.waits if self.ledger else None, channels, now)
        yield from families.of_ledger(self.ledger.room if self.ledger else None)
        yield _reports(self.ledger, view.settings.reports)


def _reports(ledger: Ledger | None, names: Sequence[str] | dict[str, Any]) -> Metric:
    made: dict[str, Milliseconds] = ledger.waits["reports"] if ledger else {}
    return families.of_reports({name: at for name, at in made.items() if name in names})
