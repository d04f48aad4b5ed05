"""Runs checks: whatever the plugin's code does or does not do, each ends with a finding."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from feedback_app.concurrency.bounded import Abandoned, bounded
from feedback_app.errors import storable
from feedback_app.testing.findings import BrokenPromise, Finding, NotTested
from feedback_app.testing.watching import Home

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from feedback_app.testing.far_side import FarSide, Fault

Entry = TypeVar("Entry")

_LONGEST_CHECK = 180.0  # seconds
_LONGEST_SAID = 200  # characters of an error that are shown


@dataclass(kw_only=True)
class Bench(Generic[Entry]):
    """What the checks of one plugin work with."""

    make: Callable[[], Entry]  # a new one each time, not opened
    far_side: FarSide
    secrets: Sequence[str]  # what must be seen nowhere
    patience: float  # seconds that one call may take
    home: Home = field(init=False)
    failed: str = ""  # the check without which others say nothing new

    def __post_init__(self) -> None:
        self.home = Home(None)  # not known before there is one

    def new(self) -> Entry:
        """Make one. What that raises ends the check."""
        entry = self.make()
        self.home = Home(entry)
        return entry

    def allowed(self) -> None:
        """Raise NotTested where the far side must not be talked to, or has turned out to be of no use."""
        if self.failed:
            raise NotTested(f"it needs this to hold: {self.failed}")
        if objection := self.far_side.objection():
            raise NotTested(objection)

    def fault(self, kind: Fault) -> contextlib.AbstractContextManager[Any]:
        """Return the fault, to be entered. Raises NotTested where the far side cannot be made to have it."""
        if kind not in self.far_side.faults:
            raise NotTested(f"nobody said how to provoke it (FarSide.faults[{kind!r}])")
        return self.far_side.faults[kind]()

    @contextlib.asynccontextmanager
    async def opened(self, *position: str | None) -> AsyncIterator[Any]:
        """Make one and open it for a block; what `open` and `close` raise is a broken promise."""
        self.allowed()
        entry: Any = self.new()
        try:
            must_not_raise("open to get ready", await ended(entry.open(*position), self.patience))
            yield entry
        finally:
            closed = await ended(entry.close(), self.patience)
        must_not_raise("close to let everything go", closed)


@dataclass(frozen=True, kw_only=True, slots=True)
class Check(Generic[Entry]):
    """One thing to look at."""

    name: str
    promise: str  # the line of the contract
    run: Callable[[Bench[Entry]], Awaitable[None]]
    vital: bool = False  # where it fails, those that use the plugin for real are not tested


async def run_checks(
    checks: Sequence[Check[Entry]], bench: Bench[Entry], only: Sequence[str] | None
) -> list[Finding]:
    """Run the checks one after the other. Raises ValueError for a name in `only` that is no check's."""
    if unknown := set(only or ()) - {check.name for check in checks}:
        raise ValueError(f"there is no check {min(unknown)!r}")
    findings = []
    for check in checks:
        if only is None or check.name in only:
            findings.append(await _run(check, bench))
            if check.vital and findings[-1].state == "fails":
                bench.failed = check.name
    return findings


async def _run(check: Check[Entry], bench: Bench[Entry]) -> Finding:
    before = bench.far_side.objection()
    error = (await ended(check.run(bench), _LONGEST_CHECK)).error
    objection = bench.far_side.objection()
    if objection and (error is not None or objection != before):  # it came up in the middle of it
        error = NotTested(objection)
    match error:
        case None:
            return Finding(check=check.name, promise=check.promise, state="ok")
        case NotTested():
            return Finding(check=check.name, promise=check.promise, state="not tested", happened=str(error))
        case BrokenPromise():
            where = error.where or (bench.home.place_of(error.error) if error.error else None)
            expected, happened = error.expected, error.happened
        case _:
            where, expected, happened = bench.home.place_of(error), "no error", said(error)
    return Finding(
        check=check.name,
        promise=check.promise,
        state="fails",
        expected=expected,
        happened=happened,
        where=where,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How a call ended."""

    value: Any = None
    error: BaseException | None = None

    @property
    def was_cancelled(self) -> bool:
        """Whether its time was over and it let itself be cancelled."""
        error = self.error
        return type(error) is TimeoutError and isinstance(error.__cause__, asyncio.CancelledError)


async def ended(call: Any, seconds: float) -> Ended:
    """Await what is not trusted and say how it ended; the caller's own cancellation passes."""
    if not inspect.iscoroutine(call):
        return Ended(error=TypeError(f"got {type(call).__name__}, want a coroutine: async def"))
    try:
        return Ended(value=await bounded(call, seconds))
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001 - a plugin may raise anything, SystemExit too
        return Ended(error=error)


def must_not_raise(expected: str, end: Ended) -> None:
    """Raise BrokenPromise where the call raised or did not end."""
    if end.error is not None:
        raise BrokenPromise(expected, said(end.error), error=end.error)


def must_yield_to_cancellation(end: Ended) -> None:
    """Raise BrokenPromise where a call that was cancelled went on."""
    if isinstance(end.error, Abandoned):
        raise BrokenPromise("a call that is cancelled to end", f"it {end.error}", error=end.error)


def said(error: BaseException) -> str:
    """Say in a line what was raised."""
    if isinstance(error, Abandoned):
        return f"it {error}"
    if isinstance(error, TimeoutError) and isinstance(error.__cause__, asyncio.CancelledError):
        return "it did not end in time"
    text = " ".join(storable(error).split())[:_LONGEST_SAID]
    return f"it raised {type(error).__name__}: {text}" if text else f"it raised {type(error).__name__}"
