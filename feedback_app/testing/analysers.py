"""The checks of an analyser."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from feedback_app.plugin_host.checking import analysers_of
from feedback_app.testing import samples
from feedback_app.testing.bench import (
    Bench,
    Check,
    Ended,
    ended,
    must_not_raise,
    must_yield_to_cancellation,
    run_checks,
)
from feedback_app.testing.far_side import FarSide
from feedback_app.testing.findings import BrokenPromise, Finding, NotTested
from feedback_app.testing.manners import keeping_secrets, must_leave_nothing, must_leave_the_loop_free

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from feedback_app.contracts import Analyser
    from feedback_app.model import Feedback

_AT_ONCE = 20
_MOMENTS = (0.0, 0.001, 0.02)  # seconds after which an analysis is cancelled


async def check_analyser(
    make: Callable[[], Analyser],
    far_side: FarSide | None = None,
    *,
    secrets: Sequence[str] = (),
    patience: float | None = None,
    only: Sequence[str] | None = None,
) -> list[Finding]:
    """Say of each promise of an analyser whether it holds; `make` returns a new one each time.

    `patience` is the seconds that one analysis may take, by default what the analyser says itself; the rest is as with
    `check_notifier`.
    """
    bench = Bench(make=make, far_side=far_side or FarSide(), secrets=secrets, patience=patience or 0)
    return await run_checks(ANALYSER_CHECKS, bench, only)


async def _analyse(bench: Bench[Analyser], analyser: Analyser, feedback: Feedback) -> Ended:
    return await ended(analyser.analyse(feedback), bench.patience or analyser.timeout)


def _must_be_facts(end: Ended, what: str) -> Mapping[str, Any]:
    must_not_raise(f"facts about {what}", end)
    facts = end.value
    if not isinstance(facts, Mapping):
        raise BrokenPromise(f"a mapping of facts about {what}", f"analyse returned {type(facts).__name__}")
    if strange := [key for key in facts if not isinstance(key, str)]:
        raise BrokenPromise("texts as the names of facts", f"one is {type(strange[0]).__name__}")
    try:
        json.dumps(dict(facts), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise BrokenPromise(f"facts about {what} that JSON can hold", str(error)) from error
    return facts


async def _is_made_right(bench: Bench[Analyser]) -> None:
    analysers_of([bench.new()])


async def _tells_facts(bench: Bench[Analyser]) -> None:
    bench.allowed()
    analyser = bench.new()
    _must_be_facts(await _analyse(bench, analyser, samples.rating()), "a rating")


async def _bears_odd_ones(bench: Bench[Analyser]) -> None:
    bench.allowed()
    analyser = bench.new()
    for what, feedback in samples.odd_ratings():
        _must_be_facts(await _analyse(bench, analyser, feedback), f"a rating with {what}")


async def _tells_many_at_once(bench: Bench[Analyser]) -> None:
    """Ask for many at once, then for each alone: what is kept between calls would show as other facts."""
    bench.allowed()
    analyser = bench.new()
    ratings = [samples.rating(f"comment {number} is late") for number in range(_AT_ONCE)]
    for end in await asyncio.gather(*(_analyse(bench, analyser, one) for one in ratings)):
        _must_be_facts(end, f"each of {_AT_ONCE} ratings at once")


async def _leaves_its_answers_alone(bench: Bench[Analyser]) -> None:
    bench.allowed()
    analyser = bench.new()
    first = _must_be_facts(await _analyse(bench, analyser, samples.rating("late and torn")), "a rating")
    before = copy.deepcopy(dict(first))
    await _analyse(bench, analyser, samples.rating("GREAT! 👍", number=2, rating=5.0))
    if dict(first) != before:
        raise BrokenPromise(
            "facts of its own for each rating", "the second rating changed the first one's facts"
        )


async def _can_be_cancelled(bench: Bench[Analyser]) -> None:
    bench.allowed()
    analyser = bench.new()
    cancelled = 0
    for moment in _MOMENTS:
        end = await ended(analyser.analyse(samples.rating()), moment)
        must_yield_to_cancellation(end)
        cancelled += end.was_cancelled
    _must_be_facts(await _analyse(bench, analyser, samples.rating()), "a rating after others were cancelled")
    if not cancelled:
        raise NotTested("each analysis had ended before it could be cancelled")


async def _use(bench: Bench[Analyser]) -> None:
    analyser = bench.new()
    for _, feedback in [("", samples.rating()), *samples.odd_ratings()]:
        await _analyse(bench, analyser, feedback)
    await ended(analyser.analyse(samples.rating()), 0)


async def _keeps_secrets(bench: Bench[Analyser]) -> None:
    with keeping_secrets(bench) as show:
        bench.allowed()
        analyser = bench.new()
        for _, feedback in samples.odd_ratings():
            end = await _analyse(bench, analyser, feedback)
            show("an error", end.error)
            show("the facts", end.value)
        show("its repr", analyser)


_ANALYSE = "Analyser.analyse: return JSON-able facts about the rating"

ANALYSER_CHECKS: tuple[Check[Analyser], ...] = (
    Check(
        name="it is made as the contract says",
        promise="Analyser: its attributes",
        run=_is_made_right,
        vital=True,
    ),
    Check(name="a rating gets facts that JSON can hold", promise=_ANALYSE, run=_tells_facts, vital=True),
    Check(name="so do unusual ratings", promise=_ANALYSE, run=_bears_odd_ones),
    Check(name=f"so do {_AT_ONCE} ratings at once", promise=_ANALYSE, run=_tells_many_at_once),
    Check(name="each rating has facts of its own", promise=_ANALYSE, run=_leaves_its_answers_alone),
    Check(
        name="an analysis that is cancelled ends, the next one works",
        promise="Analyser.timeout: a late analysis is left out, the rating goes on",
        run=_can_be_cancelled,
    ),
    Check(
        name="it does not block the event loop",
        promise="Analyser.timeout: a late analysis is left out, the rating goes on",
        run=partial(must_leave_the_loop_free, use=_use),
    ),
    Check(
        name="it leaves no task and no thread", promise=_ANALYSE, run=partial(must_leave_nothing, use=_use)
    ),
    Check(
        name="its secrets are shown nowhere",
        promise="Analyser.analyse: an exception leaves them out and is logged",
        run=_keeps_secrets,
    ),
)
