"""Make a shared object when it is first needed, and only once (double-checked locking)."""

from __future__ import annotations

import asyncio
import threading
from enum import Enum
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")


class _Missing(Enum):
    MISSING = "not made yet"  # None may be a value


_MISSING: Final = _Missing.MISSING


class Once(Generic[T]):
    """Holds what `factory` makes at the first `get`, from whichever thread or task that comes.

    Everyone gets the same object. A factory that raises leaves nothing behind: its caller gets the exception
    and the next caller tries again. Once the object stands, `get` takes no lock.
    """

    def __init__(self, factory: Callable[[], T]) -> None:
        self._factory = factory
        self._value: T | _Missing = _MISSING
        # Reentrant: a factory that needs its own product ends as a RecursionError, not as a deadlock.
        self._lock = threading.RLock()

    def get(self) -> T:
        """Return the object, making it first when nobody has; blocks while another thread makes it."""
        value = self._value
        if value is _MISSING:
            with self._lock:
                value = self._value  # the second check: someone may have made it while we waited
                if value is _MISSING:
                    value = self._value = self._factory()
        return value

    def peek(self) -> T | None:
        """Return the object, or None when it has not been made: for who closes it or shows it."""
        value = self._value
        return None if value is _MISSING else value


class AsyncOnce(Generic[T]):
    """The same for a coroutine function, for the tasks of one event loop.

    A caller that is cancelled while it makes the object hurts nobody: the next one in line makes it. A failed
    creation is raised to the caller that tried; the next in line tries again.
    """

    def __init__(self, coroutine_function: Callable[[], Awaitable[T]]) -> None:
        self._coroutine_function = coroutine_function
        self._value: T | _Missing = _MISSING
        self._lock = asyncio.Lock()

    async def get(self) -> T:
        """Return the object, making it first when nobody has; waits while another task makes it."""
        value = self._value
        if value is _MISSING:
            async with self._lock:
                value = self._value
                if value is _MISSING:
                    value = self._value = await self._coroutine_function()
        return value

    def peek(self) -> T | None:
        """Return the object, or None when it has not been made."""
        value = self._value
        return None if value is _MISSING else value
