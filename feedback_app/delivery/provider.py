"""One plugin that serves a channel: gives it messages, judges what came of each, knows how it fares."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from feedback_app import failpoints
from feedback_app.concurrency.bounded import Abandoned, bounded
from feedback_app.concurrency.stepwise import Stepwise
from feedback_app.delivery.health import ChannelHealth
from feedback_app.delivery.retry import Backoff, judge
from feedback_app.errors import DeliveryError, PermanentFailure, fault_site, storable
from feedback_app.model import Receipt
from feedback_app.store import outbox
from feedback_app.store.outbox import Attempt, ClaimedMessage

if TYPE_CHECKING:
    from feedback_app.clock import Clock
    from feedback_app.contracts import Notifier
    from feedback_app.model import Milliseconds
    from feedback_app.store.limits import Limit
    from feedback_app.store.store import Store

_WATCHED = 50  # sends without a fault until a plugin that blocked is trusted again
_BLOCKED = 0.5  # seconds that a step of a send may take
_LONGEST_PAUSE = 300.0  # seconds between probes of a channel, so that one that works again is soon used


log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class DeliveryPolicy:
    """How hard to try."""

    workers: int
    max_attempts: int
    backoff: Backoff


class WrongAnswer(TypeError):
    """`send` returned no Receipt."""


class Provider:
    """A notifier, and `limit`, which names its plugin and says how many messages it is given at most.

    `is_sole` tells whether it alone serves its channel, which is down when it is.
    """

    def __init__(
        self, notifier: Notifier, *, limit: Limit, policy: DeliveryPolicy, clock: Clock, is_sole: bool = True
    ) -> None:
        self.notifier = notifier
        self.limit = limit
        self.name = limit.provider
        self.marks = notifier.on_unknown == "hold"  # whether each message is marked before it may leave
        self.limited_until: Milliseconds | None = None  # it may be given nothing before
        pauses = replace(policy.backoff, maximum=min(policy.backoff.maximum, _LONGEST_PAUSE))
        self.health = ChannelHealth(pauses, provider="" if is_sole else self.name)
        self._policy = policy
        self._clock = clock
        self._channel = str(notifier.channel)
        self._task_name = f"delivery-{self._channel}-send"
        self._sending: set[int] = set()
        self._one_at_a_time = asyncio.Lock()
        self._to_watch = (
            0  # sends that are watched one by one, because one held the event loop up, and all others with it
        )
        self._blocked_at = ""

    def is_sending(self, number: int) -> bool:
        """Whether the message's send has begun and not ended: cut off there, it may have left."""
        return number in self._sending

    async def mark(self, store: Store, claimed: ClaimedMessage) -> bool:
        """Where a double must not be, commit before the message can leave that it may; False: it must not."""
        if not self.marks:
            return True
        return await store.write(
            partial(outbox.mark_may_leave, number=claimed.number, owner=claimed.owner, now=self._clock())
        )

    def blocks(self, at: str) -> None:
        """Note that the plugin was seen to hold the event loop up; thread-safe."""
        self._blocked_at = at
        self._to_watch = _WATCHED

    async def attempt(self, claimed: ClaimedMessage) -> Attempt | None:
        """Give the plugin one message; None: it was suspended meanwhile, and has not seen it."""
        if not self._to_watch:
            return await self._attempt(claimed)
        # Else as many as there are workers would block in one turn of the loop, before the first one can be judged.
        async with self._one_at_a_time:
            return None if self.health.refuses(claimed.number) else await self._attempt(claimed)

    async def _attempt(self, claimed: ClaimedMessage) -> Attempt:
        self._sending.add(claimed.number)
        started = self._clock()
        steps: Stepwise[Receipt] | None = None
        try:
            failpoints.reached("delivery.sending")
            sending = self.notifier.send(claimed.message)
            if self._to_watch and asyncio.iscoroutine(sending):
                sending = steps = Stepwise(sending)
            receipt = await bounded(sending, self.notifier.timeout, name=self._task_name)
            if not isinstance(receipt, Receipt):
                raise WrongAnswer(f"send returned {type(receipt).__name__}, want a Receipt")  # noqa: TRY301
        except asyncio.CancelledError:
            raise  # the daemon ends: the message stays `sending`, the next start decides
        except BaseException as error:  # noqa: BLE001 - a plugin may raise anything, SystemExit too
            attempt = self._failed(claimed, error, started)
        else:
            failpoints.reached("delivery.sent")
            attempt = self._sent(claimed, receipt, started, has_blocked=self._has_blocked(steps))
        self._sending.discard(claimed.number)
        return attempt

    def _has_blocked(self, steps: Stepwise[Receipt] | None) -> bool:
        if steps is None:
            return False
        if steps.longest >= _BLOCKED:
            self._to_watch = _WATCHED
            return True
        self._to_watch = max(0, self._to_watch - 1)
        return False

    def _sent(self, claimed: ClaimedMessage, receipt: Receipt, started: int, *, has_blocked: bool) -> Attempt:
        now = self._clock()
        if has_blocked:
            fault = f"it blocks the event loop at {self._blocked_at}"
            self.health.faulty(self._channel, claimed.number, self.name, fault, now)
        else:
            self.health.works(self._channel, now)
        return Attempt(
            number=claimed.number,
            outcome="sent",
            state="sent",
            provider=self.name,
            owner=claimed.owner,
            started_at=started,
            ended_at=now,
            provider_id=None if receipt.provider_id is None else storable(receipt.provider_id),
            detail=None if receipt.detail is None else storable(receipt.detail),
        )

    def _failed(self, claimed: ClaimedMessage, error: BaseException, started: int) -> Attempt:
        verdict = judge(
            error,
            attempt=claimed.message.attempt,
            max_attempts=self._policy.max_attempts,
            backoff=self._policy.backoff,
            notifier=self.notifier,
            suspended=self.health.suspended,
        )
        fault = _fault(error, self.notifier.timeout) if verdict.fault else None
        is_bad = isinstance(error, PermanentFailure) and error.bad_address
        now = self._clock()
        if verdict.outcome == "channel_down":
            self.health.failed(self._channel, claimed.number, storable(error), now)
        elif verdict.outcome == "permanent":
            self.health.works(self._channel, now)  # it answered; only this message is refused
        elif fault is not None:
            self.health.faulty(self._channel, claimed.number, self.name, fault, now)
        else:
            self.health.unclear(claimed.number, now)
        return Attempt(
            number=claimed.number,
            outcome=verdict.outcome,
            state=verdict.state,
            provider=self.name,
            owner=claimed.owner,
            started_at=started,
            ended_at=now,
            counted=verdict.counted,
            next_attempt_at=now + int(verdict.delay * 1000),
            error=storable(error.reason if isinstance(error, DeliveryError) else _said(error)),
            fault=fault,
            bad_address=claimed.message.recipient if is_bad else "",
        )


def _fault(error: BaseException, timeout: float) -> str:
    """Say for the log what the plugin did wrong and where, without what it says, which may name customers."""
    if type(error) is TimeoutError:
        return f"no answer within {timeout:g} s"
    ours = isinstance(error, Abandoned | WrongAnswer)
    return f"{type(error).__name__}: {error}" if ours else fault_site(error)


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {storable(error)}"


def noted(attempt: Attempt) -> Attempt:
    """Log what a person should know. Reasons name addresses, so they stay in the ledger: `messages show`."""
    if attempt.fault is not None or attempt.state not in ("queued", "sent"):
        log.warning(
            "message not sent",
            extra={
                "message_number": attempt.number,
                "provider": attempt.provider,
                "outcome": attempt.outcome,
                "state": "queued" if attempt.instead else attempt.state,
                "next_channel": attempt.instead.channel if attempt.instead else None,
                "fault": attempt.fault,
            },
        )
    return attempt
