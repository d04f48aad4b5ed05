"""Which ratings the pipeline gets next: of a ledger that is ours alone, or of one that daemons share.

Both also see to ratings that may have ended a process: those are tried in small groups, then alone, so that the one
that does it is found and ends as dead, and its neighbours do not.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from feedback_app import failpoints
from feedback_app.concurrency import Claim
from feedback_app.store import ratings, suspects

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from typing import Any

    from feedback_app.clock import Clock
    from feedback_app.presence import Presence
    from feedback_app.store.ratings import Claimed
    from feedback_app.store.store import Store
    from feedback_app.store.writer import Unit

CLAIM_SIZE = 500  # ratings: the more, the less each costs, and the longer a transaction holds what it holds

_PAUSE = 1.0  # seconds until a claim that cannot be made now is tried again


class Inbox(ABC):
    """Claims ratings for one pipeline, one call at a time."""

    in_hand: ClassVar[int]  # ratings claimed and not yet committed, at most

    def __init__(self, store: Store, clock: Clock, write: Callable[[Unit[Any]], Awaitable[Any]]) -> None:
        self._store = store
        self._clock = clock
        self._write = write  # as Store.write, but waits where that raises Busy
        self._in_hand: set[int] = set()  # numbers whose commit must come before certain claims

    @abstractmethod
    async def claim(self, room: int) -> Claim[Claimed]:
        """Return at most `room` ratings that nobody else works on, see `Conveyor`."""

    def ended(self, claimed: Iterable[Claimed]) -> None:
        """Note that these are committed, or as if never seen."""
        self._in_hand.difference_update(one.feedback.number for one in claimed)

    async def give_back(self, claimed: Sequence[Claimed]) -> None:
        """Let others have what was not worked on to the end."""

    def _take(self, found: Sequence[Claimed]) -> None:
        self._in_hand.update(one.feedback.number for one in found)

    async def _wait_for_retry(self) -> Claim[Claimed]:
        due = await self._store.read(ratings.next_retry)
        return Claim((), None if due is None else max(0.0, (due - self._clock()) / 1000))


class SoleInbox(Inbox):
    """Claims by reading alone: what a daemon had in hand when it died is as if never seen.

    `groups` are the numbers that may have ended the last daemon, see `store.suspects`, each noted before it is begun.
    """

    in_hand = 2 * CLAIM_SIZE

    def __init__(
        self,
        store: Store,
        clock: Clock,
        write: Callable[[Unit[Any]], Awaitable[Any]],
        groups: Sequence[Sequence[int]] = (),
    ) -> None:
        super().__init__(store, clock, write)
        self._last = 0  # the highest number claimed; ids grow in the order of commits, so none is passed over
        self._groups = deque(groups)
        self._suspicious = bool(groups)
        self._idle = False  # the last claim found nothing

    async def claim(self, room: int) -> Claim[Claimed]:
        """Return suspects first, then new ratings in order, then those that are due again."""
        if self._suspicious:
            return await self._claim_suspects()
        look = partial(ratings.claim_fresh, after=self._last, limit=room)
        # The writer's thread answers sooner than a reading connection, which hops between threads for each step; while
        # there is much to do it has better things to do.
        found = await (self._write(look) if self._idle else self._store.read(look))
        self._idle = not found
        if found:
            self._last = found[-1].feedback.number
            failpoints.reached("pipeline.claimed")
            return Claim(found)
        if self._in_hand:
            return Claim(())  # until their commit the ledger shows them as due; it wakes the claimer
        found = await self._store.read(partial(ratings.claim_retries, now=self._clock(), limit=room))
        self._take(found)
        return Claim(found) if found else await self._wait_for_retry()

    async def _claim_suspects(self) -> Claim[Claimed]:
        if self._in_hand:
            return Claim(())  # one group at a time, so that the note names all that is in hand
        if not self._groups:
            await self._write(suspects.cleared)
            self._suspicious = False
            return Claim((), 0)
        group = self._groups.popleft()
        await self._write(partial(suspects.mark, numbers=group))
        found = await self._store.read(partial(ratings.claim_numbers, numbers=group))
        self._take(found)
        return Claim(found, 0)


class SharedInbox(Inbox):
    """Claims by leases in the rows themselves, which others take over when this daemon dies."""

    in_hand = (
        4 * CLAIM_SIZE
    )  # the server commits one claim while it looks for another: more of them keep it busy

    def __init__(
        self, store: Store, clock: Clock, write: Callable[[Unit[Any]], Awaitable[Any]], presence: Presence
    ) -> None:
        super().__init__(store, clock, write)
        self._presence = presence
        self._idle = False  # the last claim found nothing

    async def claim(self, room: int) -> Claim[Claimed]:
        """Return new ratings, else those that are due again; suspects while nothing else is in hand."""
        from feedback_app.store.postgresql import leases

        if not self._presence.holds():
            await asyncio.sleep(_PAUSE)  # thought dead by now, perhaps; the next heartbeat tells
            return Claim((), 0)
        owner, now = self._presence.owner, self._clock()
        if self._presence.suspicious:
            return await self._claim_suspects(owner, 0)
        look = partial(leases.suspicion_of_first, now=now)
        # A look costs the server less than the attempt to lock rows, and an idle daemon looks once a second.
        suspicion = await self._store.read(look) if self._idle else 0
        if suspicion == 0:
            found = await self._store.claim(partial(leases.claim_fresh, owner=owner, limit=room))
            if found:
                failpoints.reached("pipeline.claimed")
                return self._got(found)
            suspicion = await self._store.read(look)
        self._idle = True
        if suspicion:  # given back, or failed: such come without a death
            return await self._claim_suspects(owner, _PAUSE)
        claim = await self._wait_for_retry()
        if claim.next_in != 0:
            return claim
        found = await self._store.claim(partial(leases.claim_retries, owner=owner, now=now, limit=room))
        return self._got(found) if found else Claim((), _PAUSE)  # another daemon has them

    async def _claim_suspects(self, owner: str, pause: float) -> Claim[Claimed]:
        """Return suspects, with nothing else in hand; where another daemon has them, look on after a pause."""
        from feedback_app.store.postgresql import leases

        self._presence.suspicious = True
        if self._in_hand:
            return Claim(())
        found = await self._store.claim(partial(leases.claim_suspects, owner=owner, now=self._clock()))
        if not found:
            self._presence.suspicious = False
            return Claim((), pause)
        self._take(found)
        return Claim(found, 0)

    def _got(self, found: Sequence[Claimed]) -> Claim[Claimed]:
        self._idle = False
        self._take(found)
        return Claim(found)

    async def give_back(self, claimed: Sequence[Claimed]) -> None:
        """Free their leases, so that another daemon need not wait until this one is known to be gone."""
        from feedback_app.store.postgresql import leases

        for owner in {one.owner for one in claimed if one.owner is not None}:
            numbers = [one.feedback.number for one in claimed if one.owner == owner]
            await self._write(partial(leases.release, owner=owner, numbers=numbers))
