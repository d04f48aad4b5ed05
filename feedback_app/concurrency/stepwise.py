"""A coroutine that tells how long its longest step held the event loop."""

from __future__ import annotations

import time
from collections.abc import Coroutine, Generator
from typing import TYPE_CHECKING, Any, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Value = TypeVar("Value")


class Stepwise(Coroutine[Any, Any, Value], Generator[Any, Any, Value]):
    """Wraps a coroutine. `longest` is the longest time, in seconds, from one of its awaits to the next."""

    def __init__(self, coroutine: Coroutine[Any, Any, Value]) -> None:
        self._coroutine = coroutine
        self.longest = 0.0

    def send(self, value: Any) -> Any:
        """Go on."""
        return self._timed(self._coroutine.send, value)

    def throw(self, *error: Any) -> Any:
        """Go on with an exception."""
        return self._timed(self._coroutine.throw, *error)

    def close(self) -> None:
        """End it."""
        self._coroutine.close()

    def __await__(self) -> Self:
        """Be what is awaited: each step of the one who waits is one of the coroutine."""
        return self

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        return self.send(None)

    def _timed(self, step: Callable[..., Any], *arguments: Any) -> Any:
        begun = time.monotonic()
        try:
            return step(*arguments)
        finally:
            self.longest = max(self.longest, time.monotonic() - begun)
