"""Deletes what is done with once its time is over, step by step, so that others always get their turn in between."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from feedback_app.store.retention import steps
from feedback_app.store.retention.kind import NEVER, Cutoffs

if TYPE_CHECKING:
    from feedback_app.clock import Clock
    from feedback_app.settings.retention import RetentionSettings
    from feedback_app.store.retention.kind import Kind
    from feedback_app.store.store import Store

log = logging.getLogger(__name__)

_WISHED = 0.008  # seconds that a step is to take; with its commit it stays far below 50 ms
_FIRST, _LEAST, _MOST = 50, 5, 1_000  # rows in a step
_STARTS = 30 * 86_400.0  # seconds that the start of a daemon is remembered
_SHARE = 9  # at leisure, so many times as long as a step took the ledger is left to others
_HASTE = (
    1  # else as long: other processes ask for the ledger's lock every few milliseconds, and must find it free
)


@dataclass(kw_only=True, slots=True)
class Trimmed:
    """What was deleted."""

    deleted: Counter[str] = field(default_factory=Counter)  # rows, by class
    steps: int = 0
    slowest: float = 0.0  # seconds that the slowest step took, without its commit
    is_whole: bool = True  # False: stopped, or another process was at it


class Trimmer:
    """Does it in `store`, as `settings` say; holds nothing that needs closing."""

    def __init__(self, store: Store, settings: RetentionSettings, *, clock: Clock) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._size = _FIRST  # rows in the next step

    def cutoffs(self) -> Cutoffs:
        """Return what is too old by now."""
        now = self._clock()
        periods = {**dict(self._settings), "daemons": _STARTS}
        return Cutoffs(
            **{
                name: NEVER if period is None else max(now - int(period * 1000), NEVER)
                for name, period in periods.items()
            }
        )

    async def look(self) -> Counter[str]:
        """Return how many rows would be deleted now, by class."""
        return await self._store.read(partial(steps.count, cutoffs=self.cutoffs()))

    async def run(self, stopping: asyncio.Event | None = None) -> Trimmed:
        """Delete all that is due; with `stopping` at leisure, and no more once it is set.

        Raises what writing to the store does; what was done until then stays.
        """
        done, cutoffs = Trimmed(), self.cutoffs()
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

    async def _all_of(
        self, kind: Kind, cutoffs: Cutoffs, done: Trimmed, stopping: asyncio.Event | None
    ) -> bool:
        """Delete what is due of one class; False when it is time to stop or another process is at it."""
        after: int | None = 0
        while after is not None:
            if stopping is not None and stopping.is_set():
                return False
            find = partial(kind.find, cutoffs=cutoffs, after=after, limit=self._size)
            ids, later = await self._store.read(find)
            if ids:
                unit = partial(steps.step, kind=kind, cutoffs=cutoffs, ids=ids)
                step = await self._store.write(unit)
                if step is None:
                    return False
                self._note(step, done)
                if not step.deleted.total() and later == after:
                    return True  # somebody holds all that is left: the next time
                await _rest(step.seconds * (_HASTE if stopping is None else _SHARE), stopping)
            after = later
        return True

    def _note(self, step: steps.Step, done: Trimmed) -> None:
        done.deleted += step.deleted
        done.steps += 1
        done.slowest = max(done.slowest, step.seconds)
        wished = self._size * _WISHED / max(step.seconds, 0.0001)
        self._size = int(min(max(wished, self._size / 4, _LEAST), self._size * 2, _MOST))


async def _rest(seconds: float, stopping: asyncio.Event | None) -> None:
    if stopping is None:
        await asyncio.sleep(seconds)
        return
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), seconds)
