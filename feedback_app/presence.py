"""One start of the daemon as the ledger knows it: who runs, whether it ended in order, what a crash left behind."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from feedback_app import __version__, failpoints, kin
from feedback_app.errors import Busy, FeedbackAppError, Unavailable, fault_site, storable, what_ended
from feedback_app.inbox import SoleInbox
from feedback_app.logs import dropped_lines
from feedback_app.store import daemons, starts, suspects

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from sqlalchemy import Connection

    from feedback_app.clock import Clock
    from feedback_app.store.store import Store

log = logging.getLogger(__name__)

_PAUSE = 300.0  # seconds that a start waits after too many that failed
_HEARTBEAT = 10.0  # seconds, where it only informs
_MARGIN = 5.0  # seconds before the lease's end at which nothing is begun any more


class Presence:
    """Enter it once the ledger is open; on the way out the end is noted, a failed start with its reason.

    Where daemons share the ledger, its heartbeat is what keeps the leases, and it takes over what dead ones left.
    `stopwatch` returns seconds since any moment, and goes on while the process is frozen.
    """

    def __init__(
        self, store: Store, *, boot_id: str, clock: Clock, stopwatch: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._boot_id = boot_id
        self._clock = clock
        self._stopwatch = stopwatch
        self._signed_on = False
        self._stands = False
        self._epoch = 1
        self._beat_at = 0.0
        self._beating = asyncio.Lock()  # of two that are told of one fencing, each would take a new id
        self.owner = boot_id  # under which rows are claimed
        self.suspicious = False  # ratings may wait that a daemon died with

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
        if self._store.shared:
            await self._register(self._boot_id)
            self._signed_on = True
            await self._take_over()
            self.suspicious = True  # somebody may have died while nobody else ran
            return []

        def unit(connection: Connection) -> list[list[int]]:
            now = self._clock()
            found = []
            if daemons.crashed(connection):
                found = suspects.after_crash(connection, SoleInbox.in_hand, now)
            else:
                suspects.cleared(connection)
            daemons.register(
                connection,
                boot_id=self._boot_id,
                host=socket.gethostname(),
                pid=os.getpid(),
                process=_process(),
                now=now,
            )
            return found

        found = await self._store.write(unit)
        self._signed_on = True
        return found

    @property
    def heartbeat(self) -> float:
        """How many seconds there are to be between two calls of `beat`."""
        if not self._store.shared:
            return _HEARTBEAT
        from feedback_app.store.postgresql import leases

        return leases.HEARTBEAT

    def holds(self, owner: str | None = None) -> bool:
        """Whether what was claimed (under `owner`) is surely still ours; asked before anything leaves."""
        if not self._store.shared:
            return True
        from feedback_app.store.postgresql import leases

        young = self._stopwatch() - self._beat_at < leases.LEASE - _MARGIN
        return young and owner in (None, self.owner)

    async def beat(self, channels: Mapping[str, Mapping[str, Any]], sources: Mapping[str, Any]) -> bool:
        """Note that it runs, how channels and sources fare; says whether it took something over that is due now."""
        failpoints.reached("chore.heartbeat")
        if not self._store.shared:
            unit = partial(
                daemons.heartbeat,
                boot_id=self.owner,
                channels=channels,
                sources=sources,
                process=_process(),
                now=self._clock(),
            )
            await self._store.write(unit)
            return False
        async with self._beating:
            return await self._keep_leases(channels, sources)

    async def _keep_leases(
        self, channels: Mapping[str, Mapping[str, Any]], sources: Mapping[str, Any]
    ) -> bool:
        from feedback_app.store.postgresql import leases

        begun = self._stopwatch()
        if await self._store.write(
            partial(leases.beat, boot_id=self.owner, channels=channels, sources=sources, process=_process())
        ):
            self._beat_at = begun
        else:
            await self._begin_anew()
        return await self._take_over()

    async def _register(self, owner: str) -> None:
        """Go by this id from the moment on at which the ledger has it: what nobody knows, nobody could free."""
        from feedback_app.store.postgresql import leases

        begun = self._stopwatch()
        await self._store.write(
            partial(
                leases.register,
                boot_id=owner,
                host=socket.gethostname(),
                pid=os.getpid(),
                process=_process(),
            )
        )
        self.owner, self._beat_at = owner, begun

    async def _begin_anew(self) -> None:
        """Go on under another id: under the old one nothing counts any more."""
        self._beat_at = float("-inf")  # nothing is held, were it that the new id cannot be noted now
        self._epoch += 1
        log.error("was taken for dead by another daemon; goes on under a new id")
        await self._register(f"{self._boot_id}.{self._epoch}")

    async def _take_over(self) -> bool:
        from feedback_app.store.postgresql import leases

        free = await self._store.write(
            partial(
                leases.take_over,
                boot_id=self.owner,
                is_gone=kin.is_gone,
                now=self._clock(),
            )
        )
        if any(free):
            log.warning(
                "taking over from daemons that died",
                extra={
                    "daemons": free.daemons,
                    "ratings": free.ratings,
                    "due_again": free.queued,
                    "held": free.held,
                },
            )
            self.suspicious = True
        return bool(free.ratings or free.queued)

    async def stands(self) -> None:
        """Note that the start succeeded."""
        await self._store.write(starts.succeeded)
        self._stands = True

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._store.failed is not None:
            return
        cause = what_ended(error) if isinstance(error, Exception) else None
        is_bug = cause is not None and not isinstance(cause, FeedbackAppError)
        try:
            if cause is not None and not self._stands:
                # Ours are written to be shown; what strangers say may quote a customer.
                reason = storable(fault_site(cause) if is_bug else cause)
                await self._store.write(partial(starts.failed, reason=reason, now=self._clock()))
            if self._signed_on:
                await self._sign_off(is_bug=is_bug)
        except (Busy, Unavailable) as away:
            log.warning("the end is not noted in the ledger", extra={"reason": str(away)})

    async def _sign_off(self, *, is_bug: bool) -> None:
        if not self._store.shared:
            if not is_bug:  # a rating may have met it: the next start looks for it as after a crash
                await self._store.write(partial(daemons.stopped, boot_id=self._boot_id, now=self._clock()))
            return
        from feedback_app.store.postgresql import leases

        queued, held = await self._store.write(
            partial(
                leases.sign_off,
                boot_id=self.owner,
                now=self._clock(),
                suspect=is_bug,  # a rating may have met it
            )
        )
        if queued or held:
            log.warning("cut off while being sent", extra={"due_again": queued, "held": held})


def _process() -> dict[str, object]:
    """Return what tells this process from any other, and what `status` shows of it."""
    return {**kin.identity(), "version": __version__, "log_lines_dropped": dropped_lines()}
