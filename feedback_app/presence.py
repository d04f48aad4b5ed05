"""One start of the daemon as the ledger knows it: who runs, whether it ended in order, what a crash left to suspect."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from functools import partial
from typing import TYPE_CHECKING, Self

from feedback_app.errors import Busy, FeedbackAppError, fault_site, storable, what_ended
from feedback_app.processing import IN_HAND
from feedback_app.store import daemons, starts, suspects

if TYPE_CHECKING:
    from types import TracebackType

    from sqlalchemy import Connection

    from feedback_app.clock import Clock
    from feedback_app.store.store import Store

log = logging.getLogger(__name__)

_PAUSE = 300.0  # seconds that a start waits after too many that failed


class Presence:
    """Enter it once the ledger is open; on the way out the end is noted, a failed start with its reason."""

    def __init__(self, store: Store, *, boot_id: str, clock: Clock) -> None:
        self._store = store
        self._boot_id = boot_id
        self._clock = clock
        self._signed_on = False
        self._stands = False

    async def __aenter__(self) -> Self:
        return self

    async def wait_out(self, stopping: asyncio.Event) -> None:
        """Wait when the last starts all failed at once; returns early when it is time to stop."""
        reason = await self._store.write(partial(starts.pause, length=int(_PAUSE * 1000), now=self._clock()))
        if reason is None:
            return
        log.error("start paused: the last ones failed", extra={"seconds": _PAUSE, "reason": reason})
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), _PAUSE)

    async def sign_on(self) -> list[list[int]]:
        """Note the start; returns the groups of ratings that may have ended the last daemon."""

        def unit(connection: Connection) -> list[list[int]]:
            now = self._clock()
            found = []
            if daemons.crashed(connection):
                found = suspects.after_crash(connection, IN_HAND, now)
            else:
                suspects.cleared(connection)
            daemons.register(
                connection, boot_id=self._boot_id, host=socket.gethostname(), pid=os.getpid(), now=now
            )
            return found

        found = await self._store.write(unit)
        self._signed_on = True
        return found

    async def stands(self) -> None:
        """Note that the start succeeded."""
        await self._store.write(starts.succeeded)
        self._stands = True

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._store.failed is not None:
            return
        try:
            if isinstance(error, Exception) and not self._stands:
                cause = what_ended(error)
                # Ours are written to be shown; what strangers say may quote a customer.
                reason = storable(cause if isinstance(cause, FeedbackAppError) else fault_site(cause))
                await self._store.write(partial(starts.failed, reason=reason, now=self._clock()))
            if self._signed_on:
                await self._store.write(partial(daemons.stopped, boot_id=self._boot_id, now=self._clock()))
        except Busy as busy:
            log.warning("the end is not noted in the ledger", extra={"reason": str(busy)})
