"""One channel's delivery: claims due messages, sends them by the channel's providers, records how each try ended.

Each channel has its own, so a slow or broken one never delays another.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from feedback_app import failpoints
from feedback_app.concurrency import Claim, Conveyor
from feedback_app.delivery.counting import about_message, count, say_broken_off
from feedback_app.delivery.failover import FailOver
from feedback_app.delivery.provider import noted
from feedback_app.delivery.settled import ended_by, opted_out, suppressed
from feedback_app.errors import Busy
from feedback_app.logs import about
from feedback_app.store import limits, outbox
from feedback_app.tally import Tally

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Awaitable, Callable, Sequence

    from sqlalchemy import Connection

    from feedback_app.clock import Clock
    from feedback_app.concurrency import JobResult
    from feedback_app.delivery.fallback import FallBack
    from feedback_app.delivery.lease import LeaseHolder
    from feedback_app.delivery.provider import DeliveryPolicy, Provider
    from feedback_app.delivery.settled import OnSettled
    from feedback_app.model import Message, Milliseconds, Settled
    from feedback_app.store.outbox import Attempt, ClaimedMessage
    from feedback_app.store.store import Store

log = logging.getLogger(__name__)

Value = TypeVar("Value")

_LEASE = 30_000  # milliseconds
_STORE_PAUSE = 1.0  # seconds between tries while the ledger is locked or the disk is full
_IN_FLIGHT_PER_WORKER = 8
_LINGER = 0.005  # seconds that results wait for company before they are recorded together


async def _when_free(ask: Callable[[], Awaitable[Value]]) -> Value:
    """Ask the ledger until it is not busy: what is known of a try is not lost by that."""
    while True:
        try:
            return await ask()
        except Busy:  # the store says so, once
            await asyncio.sleep(_STORE_PAUSE)


class Given(NamedTuple):
    """A message, and the provider that it was claimed for."""

    claimed: ClaimedMessage
    provider: Provider


class Dispatcher:
    """Delivers the messages of one channel until stopped.

    The first of `providers` that is up gets them; one that it refuses for good is given to the next. `purpose` narrows
    it to one kind of message. What none of them could deliver is left to `fall_back`, what has ended is told to
    `on_settled`. `tally` counts what came of the tries.
    """

    def __init__(  # noqa: PLR0913 - the parts that a channel's delivery is made of
        self,
        store: Store,
        channel: str,
        providers: Sequence[Provider],
        *,
        policy: DeliveryPolicy,
        lease: LeaseHolder,
        clock: Clock,
        purpose: str | None = None,
        fall_back: FallBack | None = None,
        on_settled: OnSettled | None = None,
        tally: Tally | None = None,
    ) -> None:
        self._store = store
        self._tally = tally or Tally()
        self._fall_back = fall_back
        self._on_settled = on_settled
        self._policy = policy
        self._lease = lease
        self._clock = clock
        self._purpose = purpose
        self.channel = channel
        self.providers = tuple(providers)
        self._fail_over = FailOver(store, self.providers, lease=lease, clock=clock)
        self.conveyor: Conveyor[Given, Attempt | None] = Conveyor(
            f"delivery-{channel}",
            claim=self._claim,
            handle=self._deliver,
            commit=self._settle,
            n_workers=policy.workers,
            max_in_flight=policy.workers * _IN_FLIGHT_PER_WORKER,
            linger=_LINGER,
        )

    @property
    def counts(self) -> Counter[str]:
        """How many tries ended, by the message's state after them."""
        return self._tally.by_state([self.channel])

    @property
    def down(self) -> dict[str, Provider]:
        """The providers that are down, by the names of their plugins."""
        return {one.name: one for one in self.providers if one.health.down}

    @property
    def reason(self) -> str:
        """Why nobody serves the channel now, "" while somebody does."""
        down = self.down
        if len(down) < len(self.providers):
            return ""
        if len(down) == 1:
            return self.providers[0].health.reason
        return "; ".join(f"{name}: {one.health.reason}" for name, one in down.items())

    @property
    def down_since(self) -> Milliseconds | None:
        """Since when nobody serves it."""
        if not self.reason:
            return None
        return max(one.health.down_since or 0 for one in self.providers)

    @property
    def limited_until(self) -> Milliseconds | None:
        """Until when nothing may be sent, for its providers have been given all they may be."""
        return max((one.limited_until for one in self.providers if one.limited_until), default=None)

    async def _claim(self, room: int) -> Claim[Given]:
        now = self._clock()
        waits = []
        for provider in self.providers:
            count, wait = provider.health.allowance(room, now)
            if count:
                return await self._claim_for(provider, count, now)
            waits.append(wait)
        return Claim((), min((one for one in waits if one is not None), default=None))

    async def _claim_for(self, provider: Provider, room: int, now: Milliseconds) -> Claim[Given]:
        health = provider.health
        probing = health.down  # what was claimed before it went down goes back untried
        if not self._lease.holds():
            await asyncio.sleep(_STORE_PAUSE)  # thought dead by now, perhaps; the next heartbeat tells
            return Claim((), 0)
        out: list[ClaimedMessage] = []  # of customers who opted out
        try:
            claimed, again_at = await self._store.claim(
                partial(self._claim_allowed, provider=provider, room=room, now=now, out=out)
            )
            provider.limited_until = again_at or None
        except Busy:  # the store says so, once
            await asyncio.sleep(_STORE_PAUSE)
            return Claim((), 0)  # what is due is not known, so this is no sign of having nothing to do
        if out:
            self._tally.opted_out[self.channel] += len(out)
            if self._on_settled is not None:
                self._on_settled(opted_out(out, now))
        if claimed:
            failpoints.reached("delivery.claimed")
            if probing:
                health.probes(claimed[0].number)
            return Claim([Given(one, provider) for one in claimed])
        if again_at:
            return Claim((), max(0.0, (again_at - now) / 1000))
        next_due = partial(outbox.next_due, channel=self.channel, purpose=self._purpose)
        due = await _when_free(partial(self._store.read, next_due))
        return Claim((), None if due is None else max(0.0, (due - now) / 1000))

    def _claim_allowed(
        self,
        connection: Connection,
        provider: Provider,
        room: int,
        now: Milliseconds,
        out: list[ClaimedMessage],
    ) -> tuple[list[ClaimedMessage], Milliseconds]:
        """Claim as many as the provider may be given now; returns them and, where that is none, when to ask again."""
        out.clear()  # of a run that was not committed
        limit = provider.limit
        if limit.is_set:
            allowed = limits.allowance(connection, limit, room, now)
            if not allowed.count:
                return [], allowed.again_at
            room = allowed.count
        lease = outbox.Lease(self._lease.owner, now + _LEASE, provider.name, provider.marks)
        claimed = outbox.claim(
            connection, self.channel, lease=lease, now=now, limit=room, purpose=self._purpose, suppressed=out
        )
        if limit.is_set:
            limits.claimed(connection, limit, len(claimed), now)
        return claimed, 0

    async def _deliver(self, given: Given) -> Attempt | None:
        """Try one message; None gives it back untried."""
        claimed, provider = given
        about.set(partial(about_message, claimed, self.channel))
        if provider.health.refuses(claimed.number):
            return None
        if claimed.refusal:
            return await self._given_up(claimed, suppressed(claimed, self._clock()))
        attempt = await self._fail_over.attempt(claimed, provider)
        if attempt is None:
            return None
        return noted(attempt) if attempt.state != "dead" else await self._given_up(claimed, attempt)

    async def _given_up(self, claimed: ClaimedMessage, attempt: Attempt) -> Attempt:
        """See whether the customer has another channel, unless a copy may have left by this one."""
        may_have_left = claimed.maybe_sent_at is not None or attempt.outcome in outbox.MAY_HAVE_LEFT
        if self._fall_back is not None and not may_have_left:
            instead = await _when_free(partial(self._fall_back.instead_of, claimed.message))
            attempt = replace(attempt, instead=instead)
        return noted(attempt)

    def _record(
        self, connection: Connection, tried: Sequence[tuple[ClaimedMessage, Attempt]]
    ) -> list[tuple[Message, Settled]]:
        """Record how tries ended; returns what has ended with them, where somebody wants to hear of it."""
        attempts = [attempt for _, attempt in tried]
        outbox.settle(connection, attempts, self.channel)
        tries = [attempt for one in attempts for attempt in (*one.before, one)]
        for provider in self.providers:
            limits.settled(
                connection, provider.limit, [one for one in tries if one.provider == provider.name]
            )
        return ended_by(connection, tried) if self._on_settled is not None else []

    async def _settle(self, results: Sequence[JobResult[Given, Attempt | None]]) -> None:
        tried = [(one.job.claimed, one.value) for one in results if one.value is not None]
        # Ended in mid-send: it may have left, so it is not given back but decided at the next start.
        untried = [
            one.job
            for one in results
            if one.value is None and not any(by.is_sending(one.job.claimed.number) for by in self.providers)
        ]
        now = self._clock()
        for one in results:
            number = one.job.claimed.number
            is_unasked = one.value is not None and one.value.outcome in outbox.UNTRIED
            for by in self.providers:  # whoever was to be probed with it, and was not, is by another one
                if is_unasked:
                    by.health.unasked(number)
                else:
                    by.health.unclear(number, now)
        say_broken_off(results, self.channel)

        def unit(connection: Connection) -> list[tuple[Message, Settled]]:
            for owner in {one.claimed.owner for one in untried}:
                numbers = [one.claimed.number for one in untried if one.claimed.owner == owner]
                outbox.release(connection, numbers, owner)
            return self._record(connection, tried) if tried else []

        # As one: what is committed is never repeated.
        ended = await _when_free(partial(self._store.write, unit))
        failpoints.reached("delivery.settled")
        count(self._tally, self.channel, tried)
        if self._fall_back is not None and any(one.instead for _, one in tried):
            self._fall_back.on_queued()
        if ended and self._on_settled is not None:
            self._on_settled(ended)
