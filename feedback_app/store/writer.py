"""The one writer of a process: many units of work in one transaction, one sync of the disk for all of them.

A unit of work is a plain function of a connection. It is run in the writer's thread, inside a transaction, perhaps
with the units of other callers; its caller hears only after the commit. A batch that fails is rolled back and its
units run one by one, so that one cannot take its neighbours down; a unit may therefore run twice and must have no
effect but on the connection.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from sqlalchemy import Connection, Engine

from feedback_app.concurrency import Batcher
from feedback_app.errors import FeedbackAppError, StorageFailed
from feedback_app.tally import SECONDS, SIZES, Histogram

if TYPE_CHECKING:
    from concurrent.futures import Future
    from contextlib import AbstractContextManager

T = TypeVar("T")
Unit: TypeAlias = Callable[[Connection], T]


class GroupCommitWriter(ABC):
    """Owns the writing connection. `start` and `close` belong to the owner, the rest may be called from anywhere.

    What differs between databases is what a transaction is, what their errors mean, and what follows a commit.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.sizes = Histogram(SIZES)  # units of a batch
        self.seconds = Histogram(SECONDS)  # that a batch took, its commit included
        self.failed: StorageFailed | None = None  # once the state of the ledger is unknown; ends all writing
        self._batcher: Batcher[Unit[Any], Any] = Batcher(
            self._run_batch, name="ledger-writer", max_batch=500, setup=self._open, teardown=self._close
        )

    @abstractmethod
    def _open(self) -> None:
        """Connect, in the writer's thread. Raises what `_explain` makes of the database's refusal."""

    @abstractmethod
    def _close(self) -> None:
        """Let the connection go, in the writer's thread."""

    @abstractmethod
    def _transaction(self) -> AbstractContextManager[Connection]:
        """Return a transaction that is committed at the block's end, rolled back when it raises."""

    @abstractmethod
    def _explain(self, error: Exception) -> FeedbackAppError | None:
        """Return the program's own error for a database error, None for what is none or not known."""

    @abstractmethod
    def _is_passing(self, known: FeedbackAppError | None) -> bool:
        """Whether the whole batch met something that each of its units would meet as well."""

    def _after(self, results: list[Any]) -> list[Any]:
        """Do what follows a batch; returns what its callers are told."""
        return results

    def start(self) -> None:
        """Open the connection in the writer's thread. Raises as `_open`."""
        self._batcher.start()

    def close(self) -> None:
        """Commit what is queued, then end the thread; idempotent."""
        self._batcher.close()
        self._engine.dispose()

    def submit(self, unit: Unit[T]) -> Future[T]:
        """Queue a unit from any thread; the future holds its result after the commit."""
        return self._batcher.submit(unit)

    async def write(self, unit: Unit[T]) -> T:
        """Queue a unit and wait for its commit; cancelling the wait does not cancel the write."""
        result: T = await self._batcher.post(unit)
        return result

    def fail(self, failure: StorageFailed) -> None:
        """Write no more: somebody, reading perhaps, found that the ledger cannot be trusted. The first one counts."""
        if self.failed is None:
            self.failed = failure

    def _run_batch(self, units: Sequence[Unit[Any]]) -> list[Any]:
        begun = time.perf_counter()
        results = self._run_together(units)
        if results is None:
            results = [self._run_alone(unit) for unit in units]
        self.sizes.add(len(units))
        self.seconds.add(time.perf_counter() - begun)
        return self._after(results)

    def _run_together(self, units: Sequence[Unit[Any]]) -> list[Any] | None:
        """Return the results, or None when the batch was rolled back and may be tried unit by unit."""
        if self.failed is not None or len(units) == 1:
            return None
        try:
            with self._transaction() as connection:
                return [unit(connection) for unit in units]
        except Exception as error:  # noqa: BLE001 - one unit's bug must not reach its neighbours
            known = self._noted(error)
            return [known] * len(units) if self._is_passing(known) else None

    def _run_alone(self, unit: Unit[Any]) -> Any:
        """Return the result or the exception, which the batcher hands to the unit's caller."""
        if self.failed is not None:
            return self.failed
        try:
            with self._transaction() as connection:
                return unit(connection)
        except Exception as error:  # noqa: BLE001 - it is the caller's, who gets it
            return self._noted(error) or error

    def _noted(self, error: Exception) -> FeedbackAppError | None:
        known = self._explain(error)
        if isinstance(known, StorageFailed):
            self.fail(known)
        return known
