"""Who of a channel's providers is given a message: what one refuses for good the next has in the same turn.

What may have left is given to none that cannot tell a second copy, unless a person wants it sent all the same.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from feedback_app.errors import Busy
from feedback_app.store import limits, outbox
from feedback_app.store.outbox import Attempt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from feedback_app.clock import Clock
    from feedback_app.delivery.lease import LeaseHolder
    from feedback_app.delivery.provider import Provider
    from feedback_app.model import Milliseconds
    from feedback_app.store.outbox import ClaimedMessage
    from feedback_app.store.store import Store

_PAUSE = 30.0  # seconds until a provider is asked again of which is not known when it can


class FailOver:
    """Has a message tried by the provider that it was claimed for and, as long as it is refused, by those behind it."""

    def __init__(
        self, store: Store, providers: Sequence[Provider], *, lease: LeaseHolder, clock: Clock
    ) -> None:
        self._store = store
        self._providers = providers
        self._lease = lease
        self._clock = clock

    async def attempt(self, claimed: ClaimedMessage, provider: Provider) -> Attempt | None:
        """Return how the last try ended, with those before it; None: nobody was given the message.

        Refused by some while others cannot be asked now, it waits for those.
        """
        if _is_doubtful(claimed, provider):
            return _held(claimed, provider, self._clock())
        attempt = await self._try(claimed, provider)
        if attempt is None or attempt.outcome != "permanent":
            return attempt
        waits: list[float] = []
        doubts: list[str] = []
        for spare in self._providers[self._providers.index(provider) + 1 :]:
            if _is_doubtful(claimed, spare):
                doubts.append(_why_held(claimed, spare))
                continue
            went = await self._by_spare(claimed, spare)
            if not isinstance(went, Attempt):
                waits.append(went)
                continue
            attempt = replace(went, before=(*attempt.before, replace(attempt, before=())))
            if attempt.outcome != "permanent":
                return attempt
        # Whoever is waited for, or whom a person lets have it, may reach the address, so nothing is suppressed yet.
        if waits:
            return _later(replace(attempt, state="queued", counted=False, bad_address=""), min(waits))
        if doubts:
            return replace(
                attempt, state="held", error="; ".join((attempt.error or "", *doubts)), bad_address=""
            )
        return attempt

    async def _try(self, claimed: ClaimedMessage, provider: Provider) -> Attempt | None:
        if not await provider.mark(self._store, claimed):
            return None
        if not self._lease.holds(claimed.owner):
            return None  # another daemon may be sending it
        return await provider.attempt(claimed)

    async def _by_spare(self, claimed: ClaimedMessage, spare: Provider) -> Attempt | float:
        """Let another provider try a refused message; returns the seconds until it can, where it cannot now."""
        try:
            wait = await self._hand_on(claimed, spare)
            attempt = None if wait else await self._try(claimed, spare)
        except Busy:  # the store says so, once; what the one before it said is not lost by that
            return _PAUSE
        if attempt is None:
            return wait or _PAUSE
        if attempt.outcome == "channel_down":  # else the first would refuse it again at once
            return _later(attempt, spare.health.allowance(1, self._clock())[1] or _PAUSE)
        return attempt

    async def _hand_on(self, claimed: ClaimedMessage, spare: Provider) -> float:
        """Note that another provider has a message now; returns the seconds until it can, 0: it has it."""
        now = self._clock()
        count, wait = spare.health.allowance(1, now)
        if not count:
            return wait or _PAUSE

        def unit(connection: Connection) -> float:
            allowed = limits.allowance(connection, spare.limit, 1, now)
            if not allowed.count:
                return max(1.0, (allowed.again_at - now) / 1000)
            limits.claimed(connection, spare.limit, 1, now)
            is_ours = outbox.hand_on(connection, claimed.number, claimed.owner, spare.name, marks=spare.marks)
            return 0.0 if is_ours else _PAUSE

        wait = await self._store.claim(unit)
        if not wait and spare.health.down:
            spare.health.probes(claimed.number)
        return wait


def _is_doubtful(claimed: ClaimedMessage, provider: Provider) -> bool:
    return provider.marks and claimed.doubt is not None


def _why_held(claimed: ClaimedMessage, provider: Provider) -> str:
    return f"not given to {provider.name}, which cannot tell a second copy: one may have left before ({claimed.doubt})"


def _held(claimed: ClaimedMessage, provider: Provider, now: Milliseconds) -> Attempt:
    return Attempt(
        number=claimed.number,
        outcome="held",
        state="held",
        provider="",
        owner=claimed.owner,
        started_at=now,
        ended_at=now,
        counted=False,
        error=_why_held(claimed, provider),
    )


def _later(attempt: Attempt, seconds: float) -> Attempt:
    return replace(attempt, next_attempt_at=attempt.ended_at + int(seconds * 1000))
