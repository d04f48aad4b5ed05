"""Moves ratings from the inbox through the pipeline: claims, works on many at once, commits in groups."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from feedback_app import failpoints
from feedback_app.concurrency import Conveyor
from feedback_app.delivery.retry import Backoff
from feedback_app.errors import Busy, FeedbackAppError, fault_site, storable
from feedback_app.inbox import CLAIM_SIZE, SharedInbox, SoleInbox
from feedback_app.logs import about
from feedback_app.store import outcomes, ratings
from feedback_app.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from feedback_app.clock import Clock
    from feedback_app.concurrency import JobResult
    from feedback_app.inbox import Inbox
    from feedback_app.model import Outcome
    from feedback_app.pipeline import Pipeline
    from feedback_app.presence import Presence
    from feedback_app.store.ratings import Claimed
    from feedback_app.store.store import Store
    from feedback_app.store.writer import Unit

T = TypeVar("T")
log = logging.getLogger(__name__)

_MAX_ATTEMPTS = 5  # a rating that the pipeline fails on as often is dead, so that it cannot go round for ever
_BACKOFF = Backoff(initial=5, maximum=300)
_STORE_PAUSE = 1.0  # seconds between tries while the ledger is locked or the disk is full


class Processor:
    """The pipeline pool.

    `presence` is this daemon's, needed where daemons share the ledger; `suspects` are groups of numbers that may have
    ended the last one, where they do not. `on_commit` is called after each commit, with the number of ratings in it.
    """

    def __init__(  # noqa: PLR0913 - the parts of a road
        self,
        store: Store,
        pipeline: Pipeline,
        *,
        workers: int,
        clock: Clock,
        presence: Presence | None = None,
        suspects: Sequence[Sequence[int]] = (),
        on_commit: Callable[[int], None],
        tally: Tally | None = None,
    ) -> None:
        self._store = store
        self._pipeline = pipeline
        self._clock = clock
        self._on_commit = on_commit
        self._tally = tally or Tally()
        self._inbox: Inbox
        if presence is not None and store.shared:
            self._inbox = SharedInbox(store, clock, self._write, presence)
        else:
            self._inbox = SoleInbox(store, clock, self._write, suspects)
        self.conveyor: Conveyor[Claimed, Outcome] = Conveyor(
            "pipeline",
            claim=self._inbox.claim,
            handle=self._work_on,
            commit=self._commit,
            n_workers=workers,
            max_in_flight=self._inbox.in_hand,
            claim_size=CLAIM_SIZE,
        )

    async def _work_on(self, claimed: Claimed) -> Outcome:
        about.set(partial(_about, claimed))
        return await self._pipeline(claimed.feedback, claimed.customer)

    async def _commit(self, results: Sequence[JobResult[Claimed, Outcome]]) -> None:
        decided = [(one.job, one.value) for one in results if one.value is not None]
        failed = [
            (one.job, one.error)
            for one in results
            if one.error is not None and not isinstance(one.error, asyncio.CancelledError)  # as if never seen
        ]
        if cut_off := [one.job for one in results if isinstance(one.error, asyncio.CancelledError)]:
            await self._inbox.give_back(cut_off)
        if decided:
            failed += await self._keep(decided)
        for claimed, error in failed:
            await self._record_failure(claimed, error)
        self._inbox.ended(one.job for one in results)

    async def _keep(self, decided: list[tuple[Claimed, Outcome]]) -> list[tuple[Claimed, BaseException]]:
        """Make outcomes true together; one that the ledger cannot hold is found and returned with the reason."""
        unit = partial(
            outcomes.commit,
            outcomes=[outcome for _, outcome in decided],
            now=self._clock(),
            owners=[claimed.owner for claimed, _ in decided],
        )
        try:
            await self._write(unit)
        except FeedbackAppError:
            raise  # about the ledger, not about what a plugin made of one rating
        except Exception as error:  # noqa: BLE001 - recorded as the rating's failure
            if len(decided) == 1:
                return [(decided[0][0], error)]
            return [refused for one in decided for refused in await self._keep([one])]
        failpoints.reached("pipeline.committed")
        self._count(decided)
        self._on_commit(len(decided))
        return []

    def _count(self, decided: list[tuple[Claimed, Outcome]]) -> None:
        now, waited = self._clock(), self._tally.processing
        self._tally.processed.update(outcome.ended for _, outcome in decided)
        for claimed, _ in decided:
            waited.add((now - claimed.feedback.received_at) / 1000)

    async def _write(self, unit: Unit[T]) -> T:
        while True:
            try:
                return await self._store.write(unit)
            except Busy:  # the store says so, once
                await asyncio.sleep(_STORE_PAUSE)

    async def _record_failure(self, claimed: Claimed, error: BaseException) -> None:
        attempt = claimed.failures + 1
        self._tally.failures += 1
        number = claimed.feedback.number
        retry_at = None
        if attempt < _MAX_ATTEMPTS:
            retry_at = self._clock() + int(_BACKOFF.delay(attempt) * 1000)
        log.error(
            "rating not processed",
            extra={
                "feedback": number,
                "attempt": attempt,
                "dead": retry_at is None,
                "fault": fault_site(error),
            },
        )
        reason = storable(f"{type(error).__name__}: {error}")
        await self._write(
            partial(
                ratings.record_failure, number=number, error=reason, retry_at=retry_at, owner=claimed.owner
            )
        )


def _about(claimed: Claimed) -> dict[str, object]:
    return {"feedback": claimed.feedback.number, "attempt": claimed.failures + 1}
