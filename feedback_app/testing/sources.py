"""The checks of a source. What needs ratings on the far side asks `FarSide.put` for them."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any

from feedback_app.errors import SourceDown, UsageError
from feedback_app.intake.payloads import field_map
from feedback_app.intake.scale import Scale
from feedback_app.intake.sourcing import Patience
from feedback_app.model import Batch, Received
from feedback_app.plugin_host.checking import sources_of
from feedback_app.testing.bench import (
    Bench,
    Check,
    Ended,
    ended,
    must_not_raise,
    must_yield_to_cancellation,
    run_checks,
    said,
)
from feedback_app.testing.far_side import FarSide
from feedback_app.testing.findings import BrokenPromise, Finding, NotTested
from feedback_app.testing.manners import (
    keeping_secrets,
    must_answer_check,
    must_close_at_any_time,
    must_leave_nothing,
    must_leave_the_loop_free,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from feedback_app.contracts import Source

_LIMIT = 2  # payloads that `receive` is asked for, fewer than are there
_NOBODY_HURRIES = 0.3  # seconds after which a waiting `receive` is cancelled
_GIVEN = Patience()  # what the daemon grants: a far side that is gone may take all of it
_ANSWERS = 10  # calls of `receive` within which what is there must come


async def check_source(
    make: Callable[[], Source],
    far_side: FarSide | None = None,
    *,
    secrets: Sequence[str] = (),
    patience: float = 10.0,
    only: Sequence[str] | None = None,
) -> list[Finding]:
    """Say of each promise of a source whether it holds; `make` returns a new one, not opened, each time.

    Ratings are received and acknowledged only where `far_side.put` has laid them ready. While the far side is gone,
    a call may take as long as the daemon lets it; the rest is as with `check_notifier`.
    """
    bench = Bench(make=make, far_side=far_side or FarSide(), secrets=secrets, patience=patience)
    return await run_checks(SOURCE_CHECKS, bench, only)


def _put(bench: Bench[Source], *comments: str) -> None:
    payloads = [b'{"rating": 4, "comment": "%s"}' % comment.encode() for comment in comments]
    if not bench.far_side.put(payloads):
        raise NotTested("it needs ratings of its own: nobody said how to put them there (FarSide.put)")


def _must_be_batch(end: Ended, limit: int) -> Batch:
    must_not_raise("a Batch", end)
    if not isinstance(end.value, Batch):
        raise BrokenPromise("a Batch", f"receive returned {type(end.value).__name__}")
    batch = end.value
    if len(batch.received) > limit:
        raise BrokenPromise(f"at most {limit} payloads", f"receive returned {len(batch.received)}")
    for one in batch.received:
        if not isinstance(one, Received) or not isinstance(one.payload, bytes) or not isinstance(one.id, str):
            raise BrokenPromise(
                "Received(payload=<bytes>, id=<text>) in a batch", f"got {type(one).__name__} {one!r:.60}"
            )
    if not isinstance(batch.position, str | None):
        raise BrokenPromise("a text or None for the position", f"got {type(batch.position).__name__}")
    return batch


async def _receive(bench: Bench[Source], source: Source, answers: int = _ANSWERS) -> Batch:
    """Return the next batch that is not empty, or the last of so many empty ones."""
    for _ in range(answers):
        batch = _must_be_batch(await ended(source.receive(_LIMIT), bench.patience), _LIMIT)
        if batch.received:
            return batch
    return batch


async def _is_made_right(bench: Bench[Source]) -> None:
    source = bench.new()
    sources_of([source])
    try:
        field_map(source.map, source.set, scale=Scale(minimum=1, maximum=5, step=1), now=0)
    except UsageError as error:
        raise BrokenPromise("fields of a rating in map and set", str(error)) from error


async def _closes(bench: Bench[Source]) -> None:
    await must_close_at_any_time(bench, None)
    async with bench.opened(None) as source:
        must_not_raise("close to let everything go", await ended(source.close(), bench.patience))
        must_not_raise("open to work again", await ended(source.open(None), bench.patience))


async def _tells_the_lag(bench: Bench[Source]) -> None:
    async with bench.opened(None) as source:
        end = await ended(source.lag(), bench.patience)
        must_not_raise("a number or None", end)
        if end.value is not None and (type(end.value) is not int or end.value < 0):
            raise BrokenPromise("how many wait, or None", f"lag returned {end.value!r:.60}")


async def _hands_over(bench: Bench[Source]) -> None:
    """Take what is there batch by batch, acknowledge, and see that it does not come again."""
    bench.allowed()
    _put(bench, "one", "two", "three")
    position, ids = None, list[str]()
    async with bench.opened(None) as source:
        while len(ids) < len(("one", "two", "three")):
            batch = await _receive(bench, source)
            if not batch.received:
                raise BrokenPromise("three ratings that were put there", f"{len(ids)} came")
            ids += [one.id for one in batch.received]
            position = batch.position or position
            end = await ended(source.acknowledge(batch.received), bench.patience)
            must_not_raise("acknowledge to take what was received", end)
        await ended(
            source.receive(_LIMIT), bench.patience
        )  # as the daemon does: it may now find that this was all
    async with bench.opened(position) as source:
        again = await _receive(bench, source, answers=2)
        _must_be_over(bench, again, ids)
        _put(bench, "more")
        for _ in range(_ANSWERS):
            batch = await _receive(bench, source)
            await ended(source.acknowledge(batch.received), bench.patience)
            if {one.id for one in batch.received} - set(ids):
                return
        raise BrokenPromise("a rating that is put there after a new start to come", "it did not")


def _must_be_over(bench: Bench[Source], again: Batch, ids: Sequence[str]) -> None:
    for one in again.received:
        if bench.far_side.remembers:
            raise BrokenPromise(
                "nothing that was acknowledged to come again",
                f"{one.id!r} did (where only the position tells, say so: FarSide.remembers)",
            )
        if one.id not in ids:
            raise BrokenPromise("what comes again after the position to have its id", f"{one.id!r} is new")


async def _hands_over_again(bench: Bench[Source]) -> None:
    """See that what was not acknowledged comes again, by the same ids."""
    bench.allowed()
    _put(bench, "four", "five")
    seen: list[dict[bytes, str]] = []
    for start in ("first", "last"):
        async with bench.opened(None) as source:
            batch = await _receive(bench, source)
            seen.append({one.payload: one.id for one in batch.received})
            if start == "last":
                await ended(source.acknowledge(batch.received), bench.patience)
    first, second = seen
    if not first.keys() & second.keys():
        raise BrokenPromise("what was not acknowledged to come again", "it did not")
    if [key for key in first.keys() & second.keys() if first[key] != second[key]]:
        raise BrokenPromise("the same payload to have the same id", "it came by another one")


async def _can_be_cancelled(bench: Bench[Source]) -> None:
    bench.allowed()
    if not bench.far_side.put([]):
        raise NotTested(
            "it might take ratings that are not the kit's: nobody said how to put some there (FarSide.put)"
        )
    async with bench.opened(None) as source:
        for seconds in (0.0, _NOBODY_HURRIES):
            must_yield_to_cancellation(await ended(source.receive(_LIMIT), seconds))
        _put(bench, "six")
        batch = await _receive(bench, source)
        if not batch.received:
            raise BrokenPromise("a rating after a receive that was cancelled", "none came")
        await ended(source.acknowledge(batch.received), bench.patience)


async def _says_that_it_is_down(bench: Bench[Source]) -> None:
    bench.allowed()
    with bench.fault("channel_down"):
        source = bench.new()
        end = await ended(source.open(None), _GIVEN.open)
        if end.error is None:
            end = await ended(source.receive(_LIMIT), _GIVEN.receive)
        must_not_raise("close after that", await ended(source.close(), bench.patience))
    if not isinstance(end.error, SourceDown):
        happened = said(end.error) if end.error else "it noticed nothing"
        raise BrokenPromise("SourceDown with the reason", happened, error=end.error)


async def _use(bench: Bench[Source]) -> None:
    async with bench.opened(None) as source:
        await ended(source.lag(), bench.patience)
        if bench.far_side.put([]):
            await ended(source.receive(_LIMIT), bench.patience)


async def _keeps_secrets(bench: Bench[Source]) -> None:
    with keeping_secrets(bench) as show:
        show("its repr", bench.new())
        await _use(bench)
        down = bench.far_side.faults.get("channel_down", contextlib.nullcontext)
        with down():
            source: Any = bench.new()
            show("an error", (await ended(source.open(None), _GIVEN.open)).error)
            await ended(source.close(), bench.patience)


async def _checks(bench: Bench[Source]) -> None:
    bench.allowed()
    laid_ready = bench.far_side.put([b'{"rating": 4, "comment": "left alone"}'])
    await must_answer_check(bench, SourceDown, "open")
    if laid_ready:
        async with bench.opened(None) as source:
            batch = await _receive(bench, source)
            if not batch.received:
                raise BrokenPromise(
                    "check to take nothing", "what had been put there did not come afterwards"
                )
            await ended(source.acknowledge(batch.received), bench.patience)


_RECEIVE = "Source.receive: wait for the next payloads and return at most `limit`"

SOURCE_CHECKS: tuple[Check[Source], ...] = (
    Check(
        name="it is made as the contract says",
        promise="Source: its attributes",
        run=_is_made_right,
        vital=True,
    ),
    Check(
        name="close does no harm before open, after a failed one, and it opens again",
        promise="Source: at the end `close`; after that it may be opened again",
        run=_closes,
    ),
    Check(name="it tells how many wait, or None", promise="Source.lag", run=_tells_the_lag),
    Check(name="what is acknowledged came, and comes no more", promise=_RECEIVE, run=_hands_over),
    Check(
        name="what is not acknowledged comes again, by the same id",
        promise="Source: ids must be the far side's own and stable",
        run=_hands_over_again,
    ),
    Check(
        name="a receive that is cancelled ends, the next one works",
        promise="Source.receive: cancelled when the daemon stops or the source is paused",
        run=_can_be_cancelled,
    ),
    Check(
        name="a far side that is not there",
        promise="Source: SourceDown marks the source as down with that reason",
        run=_says_that_it_is_down,
    ),
    Check(
        name="it does not block the event loop",
        promise="Source: all in one event loop",
        run=partial(must_leave_the_loop_free, use=_use),
    ),
    Check(
        name="close leaves no task and no thread",
        promise="Source.close: let everything go",
        run=partial(must_leave_nothing, use=_use),
    ),
    Check(
        name="check ends in time and takes nothing",
        promise="Source.check: reach the far side without taking or changing anything",
        run=_checks,
    ),
    Check(
        name="its secrets are shown nowhere",
        promise="Source: that reason is shown, so no secrets and no customers' data in it",
        run=_keeps_secrets,
    ),
)
