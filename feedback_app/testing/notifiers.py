"""The checks of a notifier: each of them makes its own, so that none depends on what another left."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from feedback_app.errors import DeliveryError, PermanentFailure
from feedback_app.model import Receipt
from feedback_app.plugin_host.checking import notifiers_of
from feedback_app.testing import samples
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
from feedback_app.testing.far_side import RAISED, FarSide
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

    from feedback_app.contracts import Notifier
    from feedback_app.model import Message
    from feedback_app.testing.far_side import Fault

_AT_ONCE = 20
_MOMENTS = (0.0, 0.001, 0.005, 0.02, 0.1)  # seconds after which a send is cancelled


async def check_notifier(
    make: Callable[[], Notifier],
    far_side: FarSide | None = None,
    *,
    secrets: Sequence[str] = (),
    patience: float = 5.0,
    only: Sequence[str] | None = None,
) -> list[Finding]:
    """Say of each promise of a notifier whether it holds; `make` returns a new one, not opened, each time.

    It sends some sixty messages to recipients that are nobody's, `samples.TESTER`. `secrets` are what must be seen
    in no error, receipt, repr or log; `patience` is the seconds that one call may take; `only` names the checks to run.
    """
    bench = Bench(make=make, far_side=far_side or FarSide(), secrets=secrets, patience=patience)
    return await run_checks(NOTIFIER_CHECKS, bench, only)


async def _send(bench: Bench[Notifier], notifier: Notifier, message: Message) -> Ended:
    return await ended(notifier.send(message), bench.patience)


def _recipient(bench: Bench[Notifier], notifier: Notifier) -> str:
    """Return where the test customer is reached. Raises NotTested where that is nowhere."""
    found = notifier.address(samples.reachable(notifier.channel, bench.far_side.address()))
    if found is None:
        raise NotTested("it reaches the test customer nowhere: nobody said an address (FarSide.address)")
    return found


def _message(bench: Bench[Notifier], notifier: Notifier, number: int = 1, **fields: Any) -> Message:
    return samples.plain(notifier, number, recipient=_recipient(bench, notifier), **fields)


def _must_be_receipt(end: Ended, what: str) -> Receipt:
    must_not_raise(f"a Receipt for {what}", end)
    if not isinstance(end.value, Receipt):
        raise BrokenPromise(f"a Receipt for {what}", f"send returned {type(end.value).__name__}")
    for field in ("provider_id", "detail"):
        if not isinstance(getattr(end.value, field), str | None):
            raise BrokenPromise(
                f"a text or None as the receipt's {field}", f"got {type(getattr(end.value, field)).__name__}"
            )
    return end.value


async def _must_work(bench: Bench[Notifier], notifier: Notifier, when: str, number: int = 1) -> None:
    _must_be_receipt(await _send(bench, notifier, _message(bench, notifier, number)), f"a message {when}")


async def _is_made_right(bench: Bench[Notifier]) -> None:
    notifiers_of([bench.new()])


async def _sends(bench: Bench[Notifier]) -> None:
    async with bench.opened() as notifier:
        await _must_work(bench, notifier, "to a far side that is well")


async def _addresses(bench: Bench[Notifier]) -> None:
    notifier = bench.new()
    for what, customer in samples.odd_customers(notifier.channel):
        try:
            found: Any = notifier.address(customer)
        except Exception as error:
            raise BrokenPromise(f"a text or None for {what}", said(error), error=error) from error
        if not isinstance(found, str | None):
            raise BrokenPromise(f"a text or None for {what}", f"address returned {type(found).__name__}")


async def _sends_odd_ones(bench: Bench[Notifier]) -> None:
    async with bench.opened() as notifier:
        for what, message in samples.odd_messages(notifier, recipient=_recipient(bench, notifier)):
            end = await _send(bench, notifier, message)
            if not isinstance(end.error, PermanentFailure):
                _must_be_receipt(end, f"a message with {what}, or PermanentFailure")


async def _sends_many_at_once(bench: Bench[Notifier]) -> None:
    async with bench.opened() as notifier:
        before = bench.far_side.received()
        known = None if before is None else len(before)
        messages = [_message(bench, notifier, number) for number in range(300, 300 + _AT_ONCE)]
        for end in await asyncio.gather(*(_send(bench, notifier, one) for one in messages)):
            _must_be_receipt(end, f"each of {_AT_ONCE} messages at once")
        after = bench.far_side.received()
        if known is not None and after is not None and len(after) - known != _AT_ONCE:
            raise BrokenPromise(f"{_AT_ONCE} messages to arrive", f"{len(after) - known} did")


async def _tries_again(bench: Bench[Notifier]) -> None:
    async with bench.opened() as notifier:
        known = len(bench.far_side.received() or ())
        for attempt in (1, 2):
            message = _message(bench, notifier, 400, attempt=attempt)
            _must_be_receipt(await _send(bench, notifier, message), f"try {attempt} of a message")
        received = bench.far_side.received()
        if notifier.on_unknown != "resend" or received is None:
            return
        if not all(message.id in text for text in received[known:]):
            raise BrokenPromise(
                "the message's id in what the far side gets, as on_unknown is 'resend'",
                "it could not tell the second copy from another message",
            )


async def _can_be_cancelled(bench: Bench[Notifier]) -> None:
    async with bench.opened() as notifier:
        cancelled = 0
        for number, moment in enumerate(_MOMENTS, start=500):
            end = await ended(notifier.send(_message(bench, notifier, number)), moment)
            must_yield_to_cancellation(end)
            cancelled += end.was_cancelled
        await _must_work(bench, notifier, "after others were cancelled", 510)
        if not cancelled:
            raise NotTested("each send had ended before it could be cancelled")


async def _bears_silence(bench: Bench[Notifier]) -> None:
    bench.allowed()
    fault = bench.fault("silence")
    async with bench.opened() as notifier:
        with fault:
            end = await ended(notifier.send(_message(bench, notifier, 520)), min(1.0, bench.patience))
        must_yield_to_cancellation(end)
        if isinstance(end.value, Receipt):
            raise BrokenPromise("no Receipt from a far side that says nothing", "send returned one")
        await _must_work(bench, notifier, "after one that was cancelled in mid-conversation", 521)


def _raises(kind: Fault) -> Callable[[Bench[Notifier]], Any]:
    async def raises(bench: Bench[Notifier]) -> None:
        bench.allowed()
        fault, wanted = bench.fault(kind), RAISED[kind]
        names = " or ".join(one.__name__ for one in wanted)
        async with bench.opened() as notifier:
            with fault:
                end = await _send(bench, notifier, _message(bench, notifier, 530))
            if end.error is None:
                raise BrokenPromise(names, f"send returned {type(end.value).__name__}")
            if not isinstance(end.error, wanted):
                raise BrokenPromise(names, said(end.error), error=end.error)
            await _must_work(bench, notifier, "once the fault is over", 531)

    return raises


async def _checks(bench: Bench[Notifier]) -> None:
    bench.allowed()
    before = len(bench.far_side.received() or ())
    await must_answer_check(bench, DeliveryError, "send")
    if (arrived := len(bench.far_side.received() or ()) - before) > 0:
        raise BrokenPromise("check to send nothing", f"{arrived} arrived")


async def _closes(bench: Bench[Notifier]) -> None:
    await must_close_at_any_time(bench)
    async with bench.opened() as notifier:
        await _must_work(bench, notifier, "before close")
        must_not_raise("close to let everything go", await ended(notifier.close(), bench.patience))
        # The block closes once more: that does no harm.


async def _starts_again(bench: Bench[Notifier]) -> None:
    for start, when in enumerate(("of the first start", "of the second start"), start=540):
        async with bench.opened() as notifier:
            await _must_work(bench, notifier, when, start)


async def _use(bench: Bench[Notifier]) -> None:
    async with bench.opened() as notifier:
        numbers = range(550, 553)
        await asyncio.gather(*(_send(bench, notifier, _message(bench, notifier, one)) for one in numbers))
        await _send(bench, notifier, _message(bench, notifier, 553, text="Thank you. " * 10_000))
        await ended(notifier.send(_message(bench, notifier, 554)), 0)


async def _keeps_secrets(bench: Bench[Notifier]) -> None:
    with keeping_secrets(bench) as show:
        show("its repr", bench.new())
        async with bench.opened() as notifier:
            ends = [await _send(bench, notifier, _message(bench, notifier, 570))]
            for kind, fault in bench.far_side.faults.items():
                with fault():
                    patience = 1.0 if kind == "silence" else bench.patience
                    ends.append(await ended(notifier.send(_message(bench, notifier, 571)), patience))
            show("its repr", notifier)
        for end in ends:
            show("an error", end.error)
            show("a receipt", end.value)


_SEND = "Notifier.send: hand one message over and return when the far side has taken responsibility for it"
_RAISE = "Notifier.send: raises TemporaryFailure, PermanentFailure, ChannelDown or OutcomeUnknown"
_CANCEL = "Notifier: it is cancelled after `timeout` seconds and has one more to clean up"

NOTIFIER_CHECKS: tuple[Check[Notifier], ...] = (
    Check(
        name="it is made as the contract says",
        promise="Notifier: its attributes",
        run=_is_made_right,
        vital=True,
    ),
    Check(name="a message ends in a Receipt", promise=_SEND, run=_sends, vital=True),
    Check(
        name="every customer has an address or None",
        promise="Notifier.address: where this customer is reached, or None",
        run=_addresses,
    ),
    Check(name="unusual messages are taken, or refused for good", promise=_SEND, run=_sends_odd_ones),
    Check(
        name=f"{_AT_ONCE} messages at once",
        promise="Notifier: `send` is called by several workers at once",
        run=_sends_many_at_once,
    ),
    Check(
        name="a second try has the same id",
        promise='Notifier.on_unknown: "resend" only where the far side tells a second copy by the message\'s id',
        run=_tries_again,
    ),
    Check(name="a send that is cancelled ends, the next one works", promise=_CANCEL, run=_can_be_cancelled),
    Check(name="a far side that falls silent", promise=_CANCEL, run=_bears_silence),
    Check(name="a far side that is busy", promise=_RAISE, run=_raises("temporary")),
    Check(name="a far side that refuses the message", promise=_RAISE, run=_raises("permanent")),
    Check(name="a far side that refuses the account", promise=_RAISE, run=_raises("channel_down")),
    Check(name="a far side that breaks off", promise=_RAISE, run=_raises("unknown")),
    Check(
        name="check ends in time and sends nothing",
        promise="Notifier.check: reach the far side, log in and leave, without sending anything",
        run=_checks,
    ),
    Check(
        name="close does no harm before open, after a failed one, twice",
        promise="Notifier.close: let everything go; called also after a failed `open`",
        run=_closes,
    ),
    Check(
        name="it works again after a new start",
        promise="Notifier: `open` is called once before the first `send`, `close` once after the last",
        run=_starts_again,
    ),
    Check(
        name="it does not block the event loop",
        promise="Notifier: `send` is called by several workers at once",
        run=partial(must_leave_the_loop_free, use=_use),
    ),
    Check(
        name="close leaves no task and no thread",
        promise="Notifier.close: let everything go",
        run=partial(must_leave_nothing, use=_use),
    ),
    Check(
        name="its secrets are shown nowhere",
        promise="DeliveryError: `reason` is stored and shown, so no secrets in it",
        run=_keeps_secrets,
    ),
)
