"""Runs one source: open, then receive, commit, acknowledge; when it is down, close it and try again ever later."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from feedback_app import failpoints
from feedback_app.concurrency.bounded import bounded
from feedback_app.errors import SourceDown, fault_site
from feedback_app.intake.fields import refuse_unstorable
from feedback_app.model import Batch, Received
from feedback_app.settings.redaction import redact_url
from feedback_app.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from feedback_app.clock import Clock
    from feedback_app.contracts import Source
    from feedback_app.intake.taking import Taker
    from feedback_app.model import Milliseconds

T = TypeVar("T")
State: TypeAlias = Literal["running", "paused", "down"]
log = logging.getLogger(__name__)

AT_ONCE = 500  # payloads in one commit
_MEASURE = 5.0  # seconds between two looks at how many wait on the far side
_BREATH = 0.1  # seconds before a source is asked again that said at once that there is nothing


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """How long a source may take, in seconds."""

    open: float = 30.0
    receive: float = 60.0
    acknowledge: float = 30.0
    lag: float = 10.0
    close: float = 10.0
    first_pause: float = 1.0  # before it is opened again; doubles each time
    longest_pause: float = 60.0


@dataclass(kw_only=True, slots=True)
class Condition:
    """How a source fares, as this daemon finds it."""

    state: State = "running"
    reason: str | None = None  # why it is down
    down_since: Milliseconds | None = None
    lag: int | None = None  # payloads that wait on the far side, where it tells
    conflicts: int = 0  # since the start: an id of the ledger with other content
    failures: int = 0  # in a row


class Sourcing:
    """One source of this daemon. `on_taken` is called after each commit that brought new ratings."""

    def __init__(
        self,
        source: Source,
        taker: Taker,
        *,
        clock: Clock,
        on_taken: Callable[[], None],
        patience: Patience | None = None,
        tally: Tally | None = None,
    ) -> None:
        self._tally = tally or Tally()
        self.name = source.name
        self.condition = Condition()
        self.in_flight = 0  # payloads received and not yet acknowledged
        self._source = source
        self._taker = taker
        self._clock = clock
        self._on_taken = on_taken
        self._patience = patience or Patience()
        self._stopping = False
        self._resting = False
        self._hung = False  # as far as has been said
        self._turned = asyncio.Event()  # stop or rest was called
        self._empty = asyncio.Event()  # there is nothing to be had from it now
        self._measured_at = 0.0
        self._task: asyncio.Task[Any] | None = None

    async def run(self) -> None:
        """Bring in what comes until `stop`. Raises FeedbackAppError when the ledger cannot be trusted any more."""
        self._task = asyncio.current_task()
        while not self._stopping:
            if self._resting:
                self.condition.state = "paused"
                self._empty.set()
                await self._until_turned(None)
                continue
            self.condition.state = "down" if self.condition.failures else "running"
            try:
                await self._serve()
            except SourceDown as down:
                self._note_down(down)
                await self._until_turned(self._pause())

    def stop(self) -> None:
        """Receive no more; what was received is committed and acknowledged."""
        self._stopping = True
        self._turned.set()

    def abort(self) -> None:
        """Let go of everything at once; what was not acknowledged comes again."""
        self._stopping = True
        if self._task is not None:
            self._task.cancel()

    def rest(self, resting: bool) -> None:
        """Pause, or go on."""
        if resting != self._resting:
            self._resting = resting
            self._turned.set()

    def wake(self) -> None:
        """Do nothing: a source hears from its far side."""

    async def idle(self) -> None:
        """Wait until there is nothing to be had from it: it said so, it is paused or it is down."""
        await self._empty.wait()

    @property
    def is_idle(self) -> bool:
        """Whether `idle` would return at once."""
        return self._empty.is_set()

    @property
    def _halted(self) -> bool:
        return self._stopping or self._resting

    async def _serve(self) -> None:
        """Open the source and bring in what comes; ends when halted, or when it has to be opened anew."""
        position = await self._taker.position()
        try:
            await self._call(self._source.open(position), self._patience.open, "open")
            while not self._halted:
                batch = await self._receive()
                if batch is None:
                    return
                if batch.received or batch.position is not None:
                    self._empty.clear()
                    await self._take(batch)
                self._note_well()
                await self._measure()
                if not batch.received:
                    self._empty.set()
        finally:
            await self._close()

    async def _receive(self) -> Batch | None:
        """Return what the source hands over; None when halted, or when it hung and must be opened anew."""
        begun = asyncio.get_running_loop().time()
        call = self._call(self._source.receive(AT_ONCE), self._patience.receive, "receive")
        receiving = asyncio.create_task(call, name=f"receive-{self.name}")
        turned = asyncio.create_task(self._turned.wait(), name=f"turn-{self.name}")
        try:
            await asyncio.wait({receiving, turned}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._turned.clear()
            turned.cancel()
            receiving.cancel()  # nothing happens to what is done
            await asyncio.wait({receiving})
        if receiving.cancelled() or (self._halted and receiving.exception() is not None):
            return None
        try:
            batch = _checked(receiving.result())
        except _HungError:
            if not self._hung:
                self._hung = True
                log.warning("source hangs, opening it anew", extra={"source": self.name})
            self._empty.set()
            return None
        if not batch.received and asyncio.get_running_loop().time() - begun < _BREATH:
            await asyncio.sleep(_BREATH)
        return batch

    async def _take(self, batch: Batch) -> None:
        """Make what was received true, then tell the far side."""
        self.in_flight = len(batch.received)
        stored = await self._taker.take(batch)
        failpoints.reached("source.committed")
        self.condition.conflicts += stored.conflicts
        if stored.accepted:
            self._tally.received[self.name] += stored.accepted
            self._on_taken()
        if stored.received:
            call = self._source.acknowledge(stored.received)
            await self._call(call, self._patience.acknowledge, "acknowledge")
        self.in_flight = 0

    async def _measure(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._measured_at < _MEASURE and self._measured_at:
            return
        self._measured_at = now
        try:
            lag = await self._call(self._source.lag(), self._patience.lag, "lag")
        except SourceDown:  # what only looks must not stop what works
            lag = None
        self.condition.lag = lag if isinstance(lag, int) else None

    async def _call(self, call: Coroutine[Any, Any, T], seconds: float, what: str) -> T:
        """Await the plugin. Raises SourceDown for whatever it raises, _HungError when its time is over."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        try:
            return await bounded(call, seconds, name=f"{what}-{self.name}")
        except (asyncio.CancelledError, SourceDown):
            raise
        except BaseException as error:
            if isinstance(error, TimeoutError) and loop.time() >= deadline:
                raise _HungError(f"{what} took longer than {seconds:g} s") from error
            raise _FaultError(error) from error

    async def _close(self) -> None:
        with contextlib.suppress(SourceDown):
            await self._call(self._source.close(), self._patience.close, "close")

    def _note_well(self) -> None:
        self._hung = False
        if self.condition.down_since is not None:
            seconds = round((self._clock() - self.condition.down_since) / 1000)
            log.info("source is back", extra={"source": self.name, "seconds": seconds})
        self.condition.state, self.condition.failures = "running", 0
        self.condition.reason = self.condition.down_since = None

    def _note_down(self, down: SourceDown) -> None:
        """Say it once, until it is back."""
        condition = self.condition
        condition.state = "down"
        condition.failures += 1
        condition.reason = redact_url(" ".join(str(down).split()))
        if condition.down_since is None:
            condition.down_since = self._clock()
            log.error("source is down, trying again", extra={"source": self.name, "reason": condition.reason})
        self.in_flight = 0
        self._empty.set()

    def _pause(self) -> float:
        doubled = self._patience.first_pause * 2.0 ** min(self.condition.failures - 1, 30)
        return min(self._patience.longest_pause, doubled)

    async def _until_turned(self, seconds: float | None) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._turned.wait(), seconds)
        self._turned.clear()


class _HungError(SourceDown):
    """A call of the source did not return in its time."""


class _FaultError(SourceDown):
    """A call of the source raised something else, whose own words may quote a customer."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(fault_site(error))


def _is_received(one: object) -> bool:
    texts = (one.id, one.reason) if isinstance(one, Received) and isinstance(one.payload, bytes) else (None,)
    return all(isinstance(text, str) for text in texts)


def _checked(batch: object) -> Batch:
    """Return what `receive` returned. Raises SourceDown when it is not what the contract says."""
    if not isinstance(batch, Batch):
        raise SourceDown(f"receive returned {type(batch).__name__}; want a Batch")
    received = batch.received
    if not isinstance(received, list | tuple) or not all(map(_is_received, received)):
        raise SourceDown(
            "receive returned something else than a list of Received(payload=bytes, id=str, reason=str)"
        )
    if not isinstance(batch.position, str | None):
        raise SourceDown(f"a position is text or None, not {type(batch.position).__name__}")
    try:
        refuse_unstorable("position", batch.position or "")
    except ValueError as problem:
        raise SourceDown(str(problem)) from None
    return batch
