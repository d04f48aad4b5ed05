"""How a daemon hears at once that another process committed: LISTEN on the ledger's own channel.

What is missed while the connection is gone, the daemon's slow poll finds. A pooler in transaction mode does not carry
notifications: then the poll is all there is.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from feedback_app.store.postgresql.engines import options_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import URL

log = logging.getLogger(__name__)

_PAUSE = 5.0  # seconds between tries to listen


class Listener:
    """Calls `heard` in the running event loop whenever somebody notifies."""

    def __init__(self, url: URL, channel: str, heard: Callable[[], None]) -> None:
        self._url = url
        self._channel = channel
        self._heard = heard
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to listen."""
        self._task = asyncio.create_task(self._run(), name="ledger-listener")

    async def close(self) -> None:
        """Listen no more; idempotent."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _run(self) -> None:
        import psycopg

        while True:
            with contextlib.suppress(psycopg.Error, OSError):
                await self._listen()
            await asyncio.sleep(_PAUSE)

    async def _listen(self) -> None:
        import psycopg
        from psycopg import sql

        _, parameters = self._url.get_dialect()().create_connect_args(self._url)
        connection = await psycopg.AsyncConnection.connect(
            autocommit=True, **{**parameters, **options_of(self._url)}
        )
        async with connection:
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._channel)))
            self._heard()  # what came before
            async for _ in connection.notifies():
                self._heard()
