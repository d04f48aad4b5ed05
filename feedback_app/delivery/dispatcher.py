"""One channel's delivery: claims due messages, sends them by the notifier, records how each try ended.

Each channel has its own, so a slow or broken one never delays another.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from feedback_app import failpoints
from feedback_app.concurrency import Claim, Conveyor
from feedback_app.concurrency.bounded import Abandoned, bounded
from feedback_app.delivery.health import ChannelHealth
from feedback_app.delivery.retry import Backoff, judge
from feedback_app.errors import Busy, DeliveryError, fault_site, storable
from feedback_app.model import Receipt
from feedback_app.store import limits, outbox
from feedback_app.store.outbox import Attempt, ClaimedMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from feedback_app.clock import Clock
    from feedback_app.concurrency import JobResult
    from feedback_app.contracts import Notifier
    from feedback_app.model import Milliseconds
    from feedback_app.store.limits import Limit
    from feedback_app.store.store import Store

log = logging.getLogger(__name__)

_LEASE = 30_000  # milliseconds
_STORE_PAUSE = 1.0  # seconds between tries while the ledger is locked or the disk is full
_IN_FLIGHT_PER_WORKER = 8
_LINGER = 0.005  # seconds that results wait for company before they are recorded together
_LONGEST_PAUSE = 300.0  # seconds between probes of a channel, so that one that works again is soon used


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryPolicy:
    """How hard to try."""

    workers: int
    max_attempts: int
    backoff: Backoff


class LeaseHolder(Protocol):
    """Under whose id messages are claimed, and whether that still counts."""

    owner: str

    def holds(self, owner: str | None = None) -> bool:
        """Whether what was claimed (under `owner`) is surely still ours."""


class Alone:
    """The one daemon of a ledger: nobody takes anything away from it."""

    def __init__(self, boot_id: str) -> None:
        self.owner = boot_id

    def holds(self, owner: str | None = None) -> bool:
        """Return True."""
        return True


class WrongAnswer(TypeError):
    """`send` returned no Receipt."""


class Dispatcher:
    """Delivers the messages of one notifier's channel until stopped.

    `limit` names the plugin and says how many messages it is given at most. `purpose` narrows it to one kind of
    message. `counts` tells what came of the tries of this run, by the message's state after them.
    """

    def __init__(  # noqa: PLR0913 - the parts that a channel's delivery is made of
        self,
        store: Store,
        notifier: Notifier,
        *,
        policy: DeliveryPolicy,
        limit: Limit,
        lease: LeaseHolder,
        clock: Clock,
        purpose: str | None = None,
    ) -> None:
        self._store = store
        self._notifier = notifier
        self._provider = limit.provider
        self._limit = limit
        self._policy = policy
        self._lease = lease
        self._clock = clock
        self._purpose = purpose
        self.channel = str(notifier.channel)
        self.health = ChannelHealth(
            replace(policy.backoff, maximum=min(policy.backoff.maximum, _LONGEST_PAUSE))
        )
        self.counts: Counter[str] = Counter()
        self.limited_until: Milliseconds | None = (
            None  # nothing may be claimed before, by the provider's limit
        )
        self._task_name = f"delivery-{self.channel}-send"
        self._sending: set[int] = set()  # numbers whose send has begun and not ended
        in_flight = policy.workers * _IN_FLIGHT_PER_WORKER
        self.conveyor: Conveyor[ClaimedMessage, Attempt | None] = Conveyor(
            f"delivery-{self.channel}",
            claim=self._claim,
            handle=self._deliver,
            commit=self._settle,
            n_workers=policy.workers,
            max_in_flight=in_flight,
            linger=_LINGER,
        )

    async def _claim(self, room: int) -> Claim[ClaimedMessage]:
        now = self._clock()
        room, wait = self.health.allowance(room, now)
        if room == 0:
            return Claim((), wait)
        probing = self.health.down  # what was claimed before it went down goes back untried
        if not self._lease.holds():
            await asyncio.sleep(_STORE_PAUSE)  # thought dead by now, perhaps; the next heartbeat tells
            return Claim((), 0)
        try:
            claimed, again_at = await self._store.claim(partial(self._claim_allowed, room=room, now=now))
            self.limited_until = again_at or None
        except Busy as error:
            log.warning("waiting for the ledger", extra={"reason": str(error)})
            await asyncio.sleep(_STORE_PAUSE)
            return Claim((), 0)  # what is due is not known, so this is no sign of having nothing to do
        if claimed:
            failpoints.reached("delivery.claimed")
            if probing:
                self.health.probes(claimed[0].number)
            return Claim(claimed)
        if again_at:
            return Claim((), max(0.0, (again_at - now) / 1000))
        due = await self._store.read(partial(outbox.next_due, channel=self.channel, purpose=self._purpose))
        return Claim((), None if due is None else max(0.0, (due - now) / 1000))

    def _claim_allowed(
        self, connection: Connection, room: int, now: Milliseconds
    ) -> tuple[list[ClaimedMessage], Milliseconds]:
        """Claim as many as the provider may be given now; returns them and, where that is none, when to ask again."""
        limit = self._limit
        if limit.is_set:
            allowed = limits.allowance(connection, limit, room, now)
            if not allowed.count:
                return [], allowed.again_at
            room = allowed.count
        lease = outbox.Lease(self._lease.owner, now + _LEASE)
        claimed = outbox.claim(
            connection, self.channel, lease=lease, now=now, limit=room, purpose=self._purpose
        )
        if limit.is_set:
            limits.claimed(connection, limit, len(claimed), now)
        return claimed, 0

    def _record(self, connection: Connection, attempts: Sequence[Attempt]) -> None:
        outbox.settle(connection, attempts)
        limits.settled(connection, self._limit, attempts)

    async def _deliver(self, claimed: ClaimedMessage) -> Attempt | None:
        """Try one message; None gives it back untried."""
        if self.health.refuses(claimed.number) or not await self._marked(claimed):
            return None
        if not self._lease.holds(claimed.owner):
            return None  # another daemon may be sending it
        self._sending.add(claimed.number)
        started = self._clock()
        try:
            failpoints.reached("delivery.sending")
            sending = self._notifier.send(claimed.message)
            receipt = await bounded(sending, self._notifier.timeout, name=self._task_name)
            if not isinstance(receipt, Receipt):
                raise WrongAnswer(f"send returned {type(receipt).__name__}, want a Receipt")  # noqa: TRY301
        except asyncio.CancelledError:
            raise  # the daemon ends: the message stays `sending`, the next start decides
        except BaseException as error:  # noqa: BLE001 - a plugin may raise anything, SystemExit too
            attempt = self._failed(claimed, error, started)
        else:
            failpoints.reached("delivery.sent")
            attempt = self._sent(claimed, receipt, started)
        self._sending.discard(claimed.number)
        return attempt

    def _sent(self, claimed: ClaimedMessage, receipt: Receipt, started: int) -> Attempt:
        self.health.works(self.channel)
        return Attempt(
            number=claimed.number,
            outcome="sent",
            state="sent",
            provider=self._provider,
            owner=claimed.owner,
            started_at=started,
            ended_at=self._clock(),
            provider_id=None if receipt.provider_id is None else storable(receipt.provider_id),
        )

    async def _marked(self, claimed: ClaimedMessage) -> bool:
        """Where a double must not be, commit that the message may leave before it can."""
        if self._notifier.on_unknown != "hold":
            return True
        return await self._store.write(
            partial(outbox.mark_may_leave, number=claimed.number, owner=claimed.owner, now=self._clock())
        )

    def _failed(self, claimed: ClaimedMessage, error: BaseException, started: int) -> Attempt:
        verdict = judge(
            error,
            attempt=claimed.message.attempt,
            max_attempts=self._policy.max_attempts,
            backoff=self._policy.backoff,
            notifier=self._notifier,
            suspended=self.health.suspended,
        )
        fault = _fault(error) if verdict.fault else None
        now = self._clock()
        if verdict.outcome == "channel_down":
            self.health.failed(self.channel, claimed.number, storable(error), now)
        elif verdict.outcome == "permanent":
            self.health.works(self.channel)  # it answered; only this message is refused
        elif fault is not None:
            self.health.faulty(self.channel, claimed.number, self._provider, fault, now)
        else:
            self.health.unclear(claimed.number, now)
        if fault is not None or verdict.state != "queued":
            # Reasons name addresses, so they stay in the ledger: `messages show`.
            log.warning(
                "message not sent",
                extra={
                    "message_number": claimed.number,
                    "provider": self._provider,
                    "outcome": verdict.outcome,
                    "state": verdict.state,
                    "fault": fault,
                },
            )
        return Attempt(
            number=claimed.number,
            outcome=verdict.outcome,
            state=verdict.state,
            provider=self._provider,
            owner=claimed.owner,
            started_at=started,
            ended_at=now,
            counted=verdict.counted,
            next_attempt_at=now + int(verdict.delay * 1000),
            error=storable(error.reason if isinstance(error, DeliveryError) else _said(error)),
        )

    async def _settle(self, results: Sequence[JobResult[ClaimedMessage, Attempt | None]]) -> None:
        attempts = [one.value for one in results if one.value is not None]
        # Ended in mid-send: it may have left, so it is not given back but decided at the next start.
        untried = [one.job for one in results if one.value is None and one.job.number not in self._sending]
        for one in untried:
            self.health.unclear(one.number, self._clock())
        for result in results:
            if result.error is not None and not isinstance(result.error, asyncio.CancelledError):
                log.error(
                    "delivery broke off",
                    extra={"message_number": result.job.number, "fault": fault_site(result.error)},
                )
        while True:
            try:
                if attempts:
                    await self._store.write(partial(self._record, attempts=attempts))
                for owner in {one.owner for one in untried}:
                    numbers = [one.number for one in untried if one.owner == owner]
                    await self._store.write(partial(outbox.release, numbers=numbers, owner=owner))
                break
            except Busy as error:
                log.warning("waiting for the ledger", extra={"reason": str(error)})
                await asyncio.sleep(_STORE_PAUSE)
        failpoints.reached("delivery.settled")
        self.counts.update(one.state for one in attempts)


def _fault(error: BaseException) -> str:
    """Say for the log what the plugin did wrong and where, without what it says, which may name customers."""
    ours = isinstance(error, Abandoned | WrongAnswer)
    return f"{type(error).__name__}: {error}" if ours else fault_site(error)


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {storable(error)}"
