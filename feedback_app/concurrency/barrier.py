"""Wait until every named part has arrived, or learn which one did not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from feedback_app.concurrency.wakeup import Wakeup

if TYPE_CHECKING:
    from collections.abc import Iterable


class PartMissing(TimeoutError):
    """Parts did not arrive in time; `parts` names them."""

    def __init__(self, parts: Iterable[str]) -> None:
        self.parts = tuple(parts)
        super().__init__(f"not arrived in time: {', '.join(self.parts)}")


class PartFailed(RuntimeError):
    """A part said that it will not arrive; `part` names it and `__cause__` is its error."""

    def __init__(self, part: str, error: BaseException) -> None:
        self.part = part
        super().__init__(f"part {part!r} failed: {str(error) or type(error).__name__}")
        self.__cause__ = error


class Barrier:
    """Named parts arrive, or fail; whoever waits goes on when all have arrived.

    `arrive` and `fail` may be called from any thread and more than once; the first failure counts and stays.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = tuple(names)
        self._missing = dict.fromkeys(self._names)  # a set that keeps the order
        self._failure: tuple[str, BaseException] | None = None
        self._changed = Wakeup()

    @property
    def missing(self) -> tuple[str, ...]:
        """The parts that have not arrived yet."""
        return tuple(self._missing)

    def arrive(self, name: str) -> None:
        """Say that this part stands. Raises ValueError for a name that the barrier does not know."""
        self._check(name)
        self._missing.pop(name, None)
        self._changed.set()

    def fail(self, name: str, error: BaseException) -> None:
        """Say that this part will not arrive. Raises ValueError for a name that the barrier does not know."""
        self._check(name)
        if self._failure is None:
            self._failure = (name, error)
        self._changed.set()

    async def wait(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - the error names who is late
        """Return when all have arrived. Raises PartFailed at once, PartMissing after `timeout` seconds."""
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        while True:
            missing = self.missing
            if self._failure is not None:
                raise PartFailed(*self._failure)
            if not missing:
                return
            left = None if deadline is None else deadline - loop.time()
            if left is not None and left <= 0:
                raise PartMissing(missing)
            await self._changed.wait(left)

    def _check(self, name: str) -> None:
        if name not in self._names:
            raise ValueError(f"the barrier knows no part {name!r}: it waits for {', '.join(self._names)}")
