"""Wait for what another task or thread brings about."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_DEADLINE = 5.0  # seconds


async def eventually(condition: Callable[[], object]) -> None:
    """Return when the condition holds, which no event tells of; raise TimeoutError when it never does."""
    async with asyncio.timeout(_DEADLINE):
        while not condition():  # noqa: ASYNC110 - threads and private state have no event
            await asyncio.sleep(0.001)
