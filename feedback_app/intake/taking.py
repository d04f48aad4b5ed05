"""What a source handed over becomes true in one commit: ratings, dead letters, position and counters."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from msgspec import structs

from feedback_app.errors import Busy, FeedbackAppError
from feedback_app.intake.payloads import dead_letter
from feedback_app.store import sources
from feedback_app.store.ratings import Taken
from feedback_app.store.sources import DeadLetter, Delivery

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from feedback_app.clock import Clock
    from feedback_app.intake.payloads import PayloadForm
    from feedback_app.intake.records import Incoming
    from feedback_app.model import Batch, Received
    from feedback_app.store.store import Store

T = TypeVar("T")
log = logging.getLogger(__name__)

_STORE_PAUSE = 1.0  # seconds between tries while the ledger is locked or the disk is full


class Stored(NamedTuple):
    """What a commit made of a batch."""

    received: list[Received]  # with why it is no rating
    accepted: int  # ratings that are new
    conflicts: int  # ids of the ledger with other content


class Taker:
    """Brings one source's batches into the ledger. Raises FeedbackAppError when that cannot be trusted any more."""

    def __init__(self, name: str, form: PayloadForm, *, store: Store, clock: Clock) -> None:
        self._name = name
        self._form = form
        self._store = store
        self._clock = clock

    async def position(self) -> str | None:
        """Return where the source goes on from."""
        return await self._patiently(lambda: self._store.read(partial(sources.position, name=self._name)))

    async def take(self, batch: Batch) -> Stored:
        """Return once all of the batch is safe."""
        judged = self._form.judge(batch.received, self._clock())
        return await self._commit(batch.received, judged, batch.position)

    async def _commit(
        self, received: Sequence[Received], judged: Sequence[Incoming | DeadLetter], position: str | None
    ) -> Stored:
        arrivals = [one for one in judged if not isinstance(one, DeadLetter)]
        dead = [one for one in judged if isinstance(one, DeadLetter)]
        delivery = Delivery(self._name, arrivals, dead, position)
        unit = partial(sources.take_delivery, delivery=delivery, now=self._clock())
        try:
            taken = Counter(await self._patiently(lambda: self._store.write(unit)))
        except FeedbackAppError:
            raise  # about the ledger, not about one payload
        except Exception as error:
            if not arrivals:
                raise
            return await self._commit_each(received, judged, position, error)
        self._say("payloads that are no ratings, kept as dead letters", len(dead))
        self._say("an id of the ledger came with other content, the first stays", taken[Taken.CONFLICT])
        self._say("contact data left out", sum(len(one.warnings) for one in arrivals))
        told = [
            structs.replace(one, reason=verdict.reason) if isinstance(verdict, DeadLetter) else one
            for one, verdict in zip(received, judged, strict=True)
        ]
        return Stored(told, taken[Taken.ACCEPTED], taken[Taken.CONFLICT])

    async def _commit_each(
        self,
        received: Sequence[Received],
        judged: Sequence[Incoming | DeadLetter],
        position: str | None,
        error: Exception,
    ) -> Stored:
        """Find the payload that the ledger cannot hold, so that it cannot take its neighbours down."""
        if len(received) == 1:
            letter = dead_letter(received[0], f"the ledger cannot hold it: {type(error).__name__}")
            return await self._commit(received, [letter], position)
        parts = []
        for at, (one, verdict) in enumerate(zip(received, judged, strict=True), 1):
            parts.append(await self._commit([one], [verdict], position if at == len(received) else None))
        return Stored(
            [one for part in parts for one in part.received],
            sum(part.accepted for part in parts),
            sum(part.conflicts for part in parts),
        )

    def _say(self, sentence: str, count: int) -> None:
        if count:
            log.warning(sentence, extra={"source": self._name, "count": count})

    async def _patiently(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Wait as long as the ledger is locked, full or out of reach; nothing is acknowledged meanwhile."""
        while True:
            try:
                return await work()
            except Busy:  # the store says so, once
                await asyncio.sleep(_STORE_PAUSE)
