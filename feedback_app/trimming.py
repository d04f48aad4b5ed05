"""Deletes what is done with once its time is over, step by step, so that others always get their turn in between."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from feedback_app.store.retention import steps
from feedback_app.store.retention.kind import NEVER, Cutoffs
from feedback_app.store.retention.pace import believed

if TYPE_CHECKING:
    from collections.abc import Callable

    from feedback_app.clock import Clock
    from feedback_app.model import Milliseconds
    from feedback_app.settings.retention import RetentionSettings
    from feedback_app.store.retention.kind import Kind
    from feedback_app.store.retention.steps import Step
    from feedback_app.store.store import Store

log = logging.getLogger(__name__)

_WISHED = 0.008  # seconds after which a step ends, but for its last rows and the commit
_PAGE = 200  # rows that are looked for at once, the most that a step deletes
_UNASKED = dict.fromkeys(("daemons", "tries"), 30 * 86_400.0)  # seconds that these are remembered; no setting
_PACE = 24  # at leisure, the time that is believed goes at most so many times as fast as a stop-watch: a day an hour
_SHARE = 9  # at leisure, so many times as long as a step held the ledger it is left to others
_HASTE = 1  # else as long
# At least so many seconds, though: whoever waits for an SQLite file looks again after ever longer pauses, of up to 20
# ms within the first 50, and must not find the next step then.
_GAP = 0.025


@dataclass(kw_only=True, slots=True)
class Trimmed:
    """What was deleted."""

    deleted: Counter[str] = field(default_factory=Counter)  # rows, by class
    steps: int = 0
    slowest: float = 0.0  # seconds that the slowest step held the ledger, its commit included
    is_whole: bool = True  # False: stopped, or another process was at it

    def note(self, step: Step, held: float) -> None:
        """Add what a step did, and how many seconds it held the ledger."""
        self.deleted += step.deleted
        self.steps += 1
        self.slowest = max(self.slowest, held)


class Trimmer:
    """Does it in `store`, as `settings` say; holds nothing that needs closing. `stopwatch` returns seconds."""

    def __init__(
        self,
        store: Store,
        settings: RetentionSettings,
        *,
        clock: Clock,
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._stopwatch = stopwatch
        self._believed_at = stopwatch()

    def cutoffs(self, now: Milliseconds) -> Cutoffs:
        """Return what is too old by then."""
        periods = {**dict(self._settings), **_UNASKED}
        return Cutoffs(
            **{
                name: NEVER if period is None else max(now - int(period * 1000), NEVER)
                for name, period in periods.items()
            }
        )

    async def look(self) -> Counter[str]:
        """Return how many rows would be deleted now, by class."""
        return await self._store.read(partial(steps.count, cutoffs=self.cutoffs(self._clock())))

    async def run(self, stopping: asyncio.Event | None = None) -> Trimmed:
        """Delete all that is due; with `stopping` at leisure, by a clock that may be wrong, and no more once it is set.

        Raises what writing to the store does; what was done until then stays.
        """
        now = self._clock() if stopping is None else await self._believed()
        done, cutoffs = Trimmed(), self.cutoffs(now)
        for kind in steps.KINDS:
            if getattr(cutoffs, kind.name) != NEVER and not await self._all_of(kind, cutoffs, done, stopping):
                done.is_whole = False
                break
        if done.deleted.total():
            log.info(
                "deleted what is past its time",
                extra={**done.deleted, "steps": done.steps, "slowest_ms": round(done.slowest * 1000, 1)},
            )
        return done

    async def _believed(self) -> Milliseconds:
        """Return what time it is, as far as the time that went by since the last call bears it out."""
        at = self._stopwatch()
        most = int((at - self._believed_at) * 1000 * _PACE)
        found = await self._store.write(partial(believed, now=self._clock(), most=most))
        self._believed_at = at
        return found

    async def _all_of(
        self, kind: Kind, cutoffs: Cutoffs, done: Trimmed, stopping: asyncio.Event | None
    ) -> bool:
        """Delete what is due of one class; False when it is time to stop or another process is at it."""
        after: int | None = 0
        while after is not None:
            if stopping is not None and stopping.is_set():
                return False
            find = partial(kind.find, cutoffs=cutoffs, after=after, limit=_PAGE)
            ids, later = await self._store.read(find)
            before = done.deleted.total()
            while ids:
                unit = partial(steps.step, kind=kind, cutoffs=cutoffs, ids=ids, seconds=_WISHED)
                step = await self._store.write(unit)
                if step is None:
                    return False
                held = time.perf_counter() - step.begun
                ids = ids[step.tried :]
                done.note(step, held)
                await _rest(max(_GAP, held * (_HASTE if stopping is None else _SHARE)), stopping)
                if stopping is not None and stopping.is_set():
                    return False
            if later == after and done.deleted.total() == before:
                return True  # somebody holds all that is left: the next time
            after = later
        return True


async def _rest(seconds: float, stopping: asyncio.Event | None) -> None:
    if stopping is None:
        await asyncio.sleep(seconds)
        return
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)
