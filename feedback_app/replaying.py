"""Stored ratings through the pipeline once more: what would be different, and what of it may be made true.

What has been done stays done: a message, sent or not, is never changed, doubled or taken back, nor is a case. So a
replay adds what is missing and brings the rating's own row up to date; all other differences are only shown. Of a
rating so old that retention may have deleted what became of it, only the analysis is looked at.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from feedback_app.concurrency import WorkerPool
from feedback_app.errors import fault_site
from feedback_app.store import replays
from feedback_app.store.replays import Change, Sent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from feedback_app.clock import Clock
    from feedback_app.concurrency import JobResult
    from feedback_app.model import Outcome
    from feedback_app.pipeline import Pipeline
    from feedback_app.store.replays import Period, Told
    from feedback_app.store.store import Store

_PAGE = 500  # ratings; bounds memory, and what one transaction holds
MESSAGE_FIELDS = ("channel", "recipient", "subject", "text")


class Field(NamedTuple):
    """One thing that would be different."""

    was: Any
    would_be: Any
    applies: bool  # whether it may be made true


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One rating that would fare otherwise today."""

    told: Told
    fields: Mapping[str, Field]  # ended, analysis, low_rating, and those of the message
    change: Change | None  # None: nothing of it may be made true
    failure: str = ""  # why the pipeline refused it, then there are no fields


@dataclass(kw_only=True)
class Figures:
    """What a replay came to."""

    replayed: int = 0
    same: int = 0
    different: int = 0
    failed: int = 0  # refused by the pipeline
    left_alone: int = 0  # waiting or dead
    changed: int = 0  # ratings of which something was made true, or would be
    cases: int = 0  # added
    messages: int = 0  # added
    only_shown: int = 0  # ratings of which something cannot be made true


class Replay:
    """Runs ratings through `pipeline`, `workers` at once; with `dry_run` nothing is changed."""

    def __init__(
        self, store: Store, pipeline: Pipeline, *, workers: int, clock: Clock, dry_run: bool
    ) -> None:
        self._store = store
        self._pipeline = pipeline
        self._workers = workers
        self._clock = clock
        self._dry_run = dry_run
        self.figures = Figures()

    async def run(self, period: Period, limit: int | None = None) -> AsyncIterator[Sequence[Difference]]:
        """Yield what differs, page by page, once it is made true; ends after `limit` of them."""
        found = await self._store.read(partial(replays.bounds, period=period))
        if found is None:
            return
        after, last, left = found[0] - 1, found[1], limit
        while after < last and left != 0:
            page = await self._store.read(
                partial(replays.page, period=period, after=after, last=last, limit=_PAGE)
            )
            if not page:
                return
            after = page[-1].feedback.number
            differences = await self._differences(page)
            if left is not None and len(differences) >= left:
                differences = differences[:left]
                page = [one for one in page if one.feedback.number <= differences[-1].told.feedback.number]
            await self._apply([one.change for one in differences if one.change is not None])
            self._count(page, differences)
            left = None if left is None else left - len(differences)
            yield differences

    async def _differences(self, page: Sequence[Told]) -> list[Difference]:
        processed = [one for one in page if one.state == "processed"]
        pool: WorkerPool[Told, Outcome] = WorkerPool(self._work_on, self._workers, name="replay")
        judged = [_judged(one) for one in await pool.run(processed)]
        return [one for one in judged if one is not None]

    async def _work_on(self, told: Told) -> Outcome:
        return await self._pipeline(told.feedback, told.customer)

    async def _apply(self, changes: Sequence[Change]) -> None:
        if self._dry_run:
            self.figures.cases += sum(one.keep_low for one in changes)
            self.figures.messages += sum(one.message is not None for one in changes)
        elif changes:
            unit = partial(replays.apply, changes=changes, now=self._clock())
            cases, messages = await self._store.write(unit)
            self.figures.cases += cases
            self.figures.messages += messages
        self.figures.changed += len(changes)

    def _count(self, page: Sequence[Told], differences: Sequence[Difference]) -> None:
        replayed = sum(one.state == "processed" for one in page)
        self.figures.replayed += replayed
        self.figures.left_alone += len(page) - replayed
        self.figures.same += replayed - len(differences)
        failed = sum(bool(one.failure) for one in differences)
        self.figures.failed += failed
        self.figures.different += len(differences) - failed
        self.figures.only_shown += sum(
            any(not field.applies for field in one.fields.values()) for one in differences
        )


def _judged(result: JobResult[Told, Outcome]) -> Difference | None:
    """Return what differs, None when nothing does."""
    told, outcome = result.job, result.value
    if isinstance(result.error, asyncio.CancelledError):
        raise result.error
    if outcome is None:
        assert result.error is not None
        return Difference(told=told, fields={}, change=None, failure=fault_site(result.error))
    fields = dict(_fields(told, outcome))
    if not fields:
        return None
    return Difference(told=told, fields=fields, change=_change(told, outcome, fields))


def _fields(told: Told, outcome: Outcome) -> list[tuple[str, Field]]:
    found = []
    analysis = _analysis(told, outcome)
    if analysis != told.analysis:
        found.append(("analysis", Field(told.analysis, analysis, applies=True)))
    if told.is_old:
        return found  # what it had may be deleted: nobody is thanked twice, no case is opened again
    if outcome.ended != told.ended:
        # Who has been thanked stays thanked, whatever would be in the way today.
        stands = told.message is not None and outcome.ended not in ("low", "thanked")
        found.insert(0, ("ended", Field(told.ended, outcome.ended, applies=not stands)))
    if outcome.keep_low != told.is_kept:
        found.append(("low_rating", Field(told.is_kept, outcome.keep_low, applies=outcome.keep_low)))
    message = _message(outcome)
    for name in MESSAGE_FIELDS:
        was, would_be = (getattr(one, name, None) for one in (told.message, message))
        if was != would_be:
            found.append((name, Field(was, would_be, applies=told.message is None)))
    return found


def _analysis(told: Told, outcome: Outcome) -> dict[str, Any]:
    """Return the analysis as the ledger would give it back; an analyser that fails today takes away no facts."""
    facts: dict[str, Any] = json.loads(json.dumps(outcome.analysis))
    return {name: told.analysis.get(name, one) if "failed" in one else one for name, one in facts.items()}


def _message(outcome: Outcome) -> Sent | None:
    if not outcome.messages:
        return None
    (one,) = outcome.messages  # a rating is thanked by one channel
    return Sent(channel=one.channel, recipient=one.recipient, subject=one.subject, text=one.text)


def _change(told: Told, outcome: Outcome, fields: Mapping[str, Field]) -> Change | None:
    if not any(field.applies for field in fields.values()):
        return None
    is_thanked = told.message is not None or told.is_old
    ended = fields.get("ended")
    return Change(
        number=told.feedback.number,
        ended=outcome.ended if ended is not None and ended.applies else told.ended,  # type: ignore[arg-type]
        analysis=_analysis(told, outcome),
        keep_low=outcome.keep_low and not told.is_kept and not told.is_old,
        message=None if is_thanked or not outcome.messages else outcome.messages[0],
    )
