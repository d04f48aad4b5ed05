"""What is wanted of every plugin, whatever it is: it lets go, leaves the loop free and keeps its secrets."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any

from feedback_app.testing.bench import Bench, Entry, ended, must_not_raise, must_yield_to_cancellation
from feedback_app.testing.findings import BrokenPromise, NotTested
from feedback_app.testing.watching import (
    Overhearing,
    leaving_nothing_behind,
    must_not_show,
    watching_the_loop,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator


async def must_close_at_any_time(bench: Bench[Any], *position: str | None) -> None:
    """Close one that was never opened and one whose opening was cut off; `position` is what its `open` is given."""
    never = bench.new()
    must_not_raise("close to do no harm before open", await ended(never.close(), bench.patience))
    bench.allowed()
    hasty = bench.new()
    must_yield_to_cancellation(await ended(hasty.open(*position), 0))
    must_not_raise("close to do no harm after a failed open", await ended(hasty.close(), bench.patience))


async def must_leave_the_loop_free(
    bench: Bench[Entry], use: Callable[[Bench[Entry]], Awaitable[None]]
) -> None:
    """Use one, which must not hold the event loop up."""
    bench.allowed()
    bench.new()
    with watching_the_loop(bench.home):
        await use(bench)


async def must_leave_nothing(bench: Bench[Entry], use: Callable[[Bench[Entry]], Awaitable[None]]) -> None:
    """Use one, which must leave no task and no thread."""
    bench.allowed()
    async with leaving_nothing_behind():
        await use(bench)


@contextlib.contextmanager
def keeping_secrets(bench: Bench[Any]) -> Iterator[Callable[[str, object], None]]:
    """Listen to a block for secrets; it also hands over what is shown, each with its name.

    Raises NotTested where there are none.
    """
    if not bench.secrets:
        raise NotTested("it has no secret among its settings")
    with Overhearing() as overhearing:
        yield partial(must_not_show, bench.secrets)
    must_not_show(bench.secrets, "what it logs or prints", overhearing.heard)


async def must_answer_check(bench: Bench[Any], failure: type[Exception], as_in: str) -> None:
    """Call `check` of a new one that is not opened; it may return a text or None, or raise what `as_in` may."""
    entry = bench.new()
    end = await ended(entry.check(), bench.patience)
    must_not_raise("close to do no harm after check", await ended(entry.close(), bench.patience))
    if not isinstance(end.error, failure):
        must_not_raise(f"check to say what it reached, or to raise as {as_in} does", end)
        if not isinstance(end.value, str | None):
            raise BrokenPromise("a text or None", f"check returned {type(end.value).__name__}")
    must_not_show(bench.secrets, "what check says", end.error or end.value)
