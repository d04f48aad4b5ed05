"""Moves ratings from the inbox through the pipeline: claims, works on many at once, commits in groups."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from feedback_app import failpoints
from feedback_app.concurrency import Claim, Conveyor
from feedback_app.delivery.retry import Backoff
from feedback_app.errors import Busy, FeedbackAppError, fault_site, storable
from feedback_app.store import outcomes, ratings, suspects

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from feedback_app.clock import Clock
    from feedback_app.concurrency import JobResult
    from feedback_app.model import Outcome
    from feedback_app.pipeline import Pipeline
    from feedback_app.store.ratings import Claimed
    from feedback_app.store.store import Store
    from feedback_app.store.writer import Unit

log = logging.getLogger(__name__)

IN_HAND = 1000  # ratings claimed and not yet committed; bounds memory and what one transaction holds
_MAX_ATTEMPTS = 5  # a rating that the pipeline fails on as often is dead, so that it cannot go round for ever
_BACKOFF = Backoff(initial=5, maximum=300)
_STORE_PAUSE = 1.0  # seconds between tries while the ledger is locked or the disk is full


class Processor:
    """The pipeline pool.

    `suspects` are groups of numbers that are tried first, one group at a time, each noted before it is begun.
    `on_commit` is called after each commit, with the number of ratings in it.
    """

    def __init__(
        self,
        store: Store,
        pipeline: Pipeline,
        *,
        workers: int,
        clock: Clock,
        suspects: Sequence[Sequence[int]] = (),
        on_commit: Callable[[int], None],
    ) -> None:
        self._store = store
        self._pipeline = pipeline
        self._clock = clock
        self._on_commit = on_commit
        self._last = 0  # the highest number claimed; ids grow in the order of commits, so none is passed over
        self._suspects = deque(suspects)
        self._suspicious = bool(suspects)
        self._again: set[int] = (
            set()
        )  # suspects and retries in hand; until the commit the ledger shows them as due
        self.conveyor: Conveyor[Claimed, Outcome] = Conveyor(
            "pipeline",
            claim=self._claim,
            handle=self._work_on,
            commit=self._commit,
            n_workers=workers,
            max_in_flight=IN_HAND,
        )

    async def _claim(self, room: int) -> Claim[Claimed]:
        if self._suspicious:
            return await self._claim_suspects()
        found = await self._store.read(partial(ratings.claim_fresh, after=self._last, limit=room))
        if found:
            self._last = found[-1].feedback.number
            failpoints.reached("pipeline.claimed")
            return Claim(found)
        if self._again:
            return Claim(())  # their commit wakes the claimer
        now = self._clock()
        due = await self._store.read(ratings.next_retry)
        if due is None or due > now:
            return Claim((), None if due is None else (due - now) / 1000)
        found = await self._store.read(partial(ratings.claim_retries, now=now, limit=room))
        self._again.update(one.feedback.number for one in found)
        return Claim(found)

    async def _claim_suspects(self) -> Claim[Claimed]:
        if self._again:
            return Claim(())  # one group at a time, so that the note names all that is in hand
        if not self._suspects:
            await self._write(suspects.cleared)
            self._suspicious = False
            return Claim((), 0)
        group = self._suspects.popleft()
        await self._write(partial(suspects.mark, numbers=group))
        found = await self._store.read(partial(ratings.claim_numbers, numbers=group))
        self._again.update(one.feedback.number for one in found)
        return Claim(found, 0)

    async def _work_on(self, claimed: Claimed) -> Outcome:
        return await self._pipeline(claimed.feedback, claimed.customer)

    async def _commit(self, results: Sequence[JobResult[Claimed, Outcome]]) -> None:
        decided = [(one.job, one.value) for one in results if one.value is not None]
        failed = [
            (one.job, one.error)
            for one in results
            if one.error is not None and not isinstance(one.error, asyncio.CancelledError)  # as if never seen
        ]
        if decided:
            failed += await self._keep(decided)
        for claimed, error in failed:
            await self._record_failure(claimed, error)
        self._again.difference_update(one.job.feedback.number for one in results)

    async def _keep(self, decided: list[tuple[Claimed, Outcome]]) -> list[tuple[Claimed, BaseException]]:
        """Make outcomes true together; one that the ledger cannot hold is found and returned with the reason."""
        unit = partial(outcomes.commit, outcomes=[outcome for _, outcome in decided], now=self._clock())
        try:
            await self._write(unit)
        except FeedbackAppError:
            raise  # about the ledger, not about what a plugin made of one rating
        except Exception as error:  # noqa: BLE001 - recorded as the rating's failure
            if len(decided) == 1:
                return [(decided[0][0], error)]
            return [refused for one in decided for refused in await self._keep([one])]
        failpoints.reached("pipeline.committed")
        self._on_commit(len(decided))
        return []

    async def _write(self, unit: Unit[None]) -> None:
        while True:
            try:
                return await self._store.write(unit)
            except Busy as error:
                log.warning("waiting for the ledger", extra={"reason": str(error)})
                await asyncio.sleep(_STORE_PAUSE)

    async def _record_failure(self, claimed: Claimed, error: BaseException) -> None:
        attempt = claimed.failures + 1
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
        await self._write(partial(ratings.record_failure, number=number, error=reason, retry_at=retry_at))
