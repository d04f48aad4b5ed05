"""A channel's delivery against a real ledger, with notifiers that fail in every way."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any, Literal

import pytest

from feedback_app import (
    ChannelDown,
    Message,
    Notifier,
    OutcomeUnknown,
    PermanentFailure,
    Receipt,
    TemporaryFailure,
)
from feedback_app.delivery.dispatcher import DeliveryPolicy, Dispatcher
from feedback_app.delivery.retry import Backoff
from feedback_app.store import outbox, status
from feedback_app.store.store import Store
from tests.making import NOW, message
from tests.running import DEADLINE

Send = Callable[[Message], Awaitable[Any]]


class _Scripted(Notifier):
    channel = "email"
    timeout = 5.0

    def __init__(self, send: Send, on_unknown: Literal["resend", "hold"] = "resend") -> None:
        self._send = send
        self.on_unknown = on_unknown
        self.given: list[str] = []

    async def send(self, message: Message) -> Receipt:
        self.given.append(message.id)
        result: Receipt = await self._send(message)
        return result


class _Time:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


def _dispatcher(store: Store, notifier: Notifier, clock: Callable[[], int], **policy: Any) -> Dispatcher:
    facts: dict[str, Any] = {"workers": 4, "max_attempts": 3, "backoff": Backoff(30, 3600), **policy}
    return Dispatcher(
        store, notifier, provider="scripted", policy=DeliveryPolicy(**facts), boot_id="boot", clock=clock
    )


@contextlib.asynccontextmanager
async def _delivering(one: Dispatcher) -> AsyncIterator[None]:
    task = asyncio.create_task(one.conveyor.run())
    try:
        yield
    finally:
        one.conveyor.stop()
        await asyncio.wait_for(task, DEADLINE)


async def _deliver_all(
    store: Store, notifier: Notifier, clock: Callable[[], int], **policy: Any
) -> Dispatcher:
    one = _dispatcher(store, notifier, clock, **policy)
    async with _delivering(one):
        await asyncio.wait_for(one.conveyor.idle(), DEADLINE)
    return one


async def _queue(store: Store, count: int) -> None:
    entries = [message(number, customer=None) for number in range(1, count + 1)]
    await store.write(partial(outbox.enqueue, entries=entries, now=NOW))


async def _states(store: Store) -> dict[str, int]:
    counts = await store.read(status.counts)
    return {state: count for state, count in counts["messages"].items() if count}


async def _ok(_message: Message) -> Receipt:
    return Receipt(provider_id="p")


async def test_every_message_is_sent_once(store: Store) -> None:
    """Many messages over few workers: each exactly once, each recorded."""
    await _queue(store, 300)
    notifier = _Scripted(_ok)
    one = await _deliver_all(store, notifier, _Time())
    assert await _states(store) == {"sent": 300}
    assert sorted(notifier.given) == sorted(f"thanks.{number}.ledger" for number in range(1, 301))
    assert one.counts == {"sent": 300}


async def test_failures_come_again_until_they_are_dead(store: Store) -> None:
    """Three attempts with waits between them, then a dead letter with its reason."""
    await _queue(store, 1)
    clock = _Time()

    async def fail(_message: Message) -> Receipt:
        raise TemporaryFailure("450 greylisted")

    notifier = _Scripted(fail)
    states = []
    for _ in range(4):
        await _deliver_all(store, notifier, clock)
        states.append(await _states(store))
        clock.now += 3_600_000
    assert states == [{"queued": 1}, {"queued": 1}, {"dead": 1}, {"dead": 1}]
    assert len(notifier.given) == 3


@pytest.mark.parametrize(
    ("error", "wanted"),
    [
        (PermanentFailure("550"), {"dead": 1}),
        (ValueError("bug"), {"queued": 1}),
        (SystemExit(1), {"queued": 1}),
        (OutcomeUnknown("cut"), {"queued": 1}),
    ],
)
async def test_whatever_a_plugin_raises_is_its_messages_outcome(
    store: Store, error: BaseException, wanted: dict[str, int]
) -> None:
    """Neither a worker nor the program ends."""
    await _queue(store, 1)

    async def fail(_message: Message) -> Receipt:
        raise error

    await _deliver_all(store, _Scripted(fail), _Time())
    assert await _states(store) == wanted


async def test_a_wrong_answer_is_a_bug_of_the_plugin(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    """`send` that returns no Receipt is logged with the plugin's name, without the customer's address."""
    await _queue(store, 1)

    async def lie(_message: Message) -> Any:
        return "sent"

    with caplog.at_level(logging.WARNING):
        await _deliver_all(store, _Scripted(lie), _Time())
    (record,) = caplog.records
    assert record.__dict__["provider"] == "scripted"
    assert record.__dict__["outcome"] == "bug"
    assert "ada@example.com" not in str(record.__dict__)


async def test_a_channel_that_is_down_burns_no_attempts(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """A hundred messages wait, one line is logged; one probe opens the channel for all."""
    await _queue(store, 100)
    clock = _Time()
    up = False

    async def send(_message: Message) -> Receipt:
        if not up:
            raise ChannelDown("535 wrong password")
        return Receipt()

    notifier = _Scripted(send)
    with caplog.at_level(logging.INFO):
        await _deliver_all(store, notifier, clock, workers=2)
    tried = len(notifier.given)
    assert await _states(store) == {"queued": 100}
    assert tried <= 2
    assert [record.message for record in caplog.records] == ["channel down"]

    one = _dispatcher(store, notifier, clock)
    async with _delivering(one):
        await asyncio.wait_for(one.conveyor.idle(), DEADLINE)
        up = True
        clock.now += 31_000
        one.conveyor.wake()
        while (await _states(store)) != {"sent": 100}:  # noqa: ASYNC110 - the ledger has no event to wait for
            await asyncio.sleep(0.01)
    attempts = await store.read(
        lambda connection: connection.exec_driver_sql("SELECT max(attempts) FROM message").scalar_one()
    )
    assert attempts == 1


async def test_a_send_that_hangs_is_timed_out_and_its_outcome_unknown(store: Store) -> None:
    """Held where it must not double; the others went meanwhile."""
    await _queue(store, 5)

    async def hang_on_first(given: Message) -> Receipt:
        if given.id == "thanks.1.ledger":
            await asyncio.Event().wait()
        return Receipt()

    notifier = _Scripted(hang_on_first, "hold")
    notifier.timeout = 0.05
    await _deliver_all(store, notifier, _Time())
    assert await _states(store) == {"sent": 4, "held": 1}


async def test_where_a_double_must_not_be_the_marker_is_committed_before_the_send(store: Store) -> None:
    """When `send` begins, the ledger says already that the message may leave."""
    await _queue(store, 1)
    seen: list[object] = []

    async def look(_message: Message) -> Receipt:
        seen.append(
            await store.read(
                lambda connection: connection.exec_driver_sql("SELECT may_leave_at FROM message").scalar_one()
            )
        )
        return Receipt()

    await _deliver_all(store, _Scripted(look, "hold"), _Time())
    assert seen == [NOW]


async def test_stopping_hard_gives_back_what_was_not_begun_and_leaves_what_was(store: Store) -> None:
    """Messages that no worker had taken are queued as before; those in mid-send stay to be decided."""
    await _queue(store, 20)
    begun = asyncio.Event()

    async def hang(_message: Message) -> Receipt:
        begun.set()
        await asyncio.Event().wait()
        return Receipt()

    one = _dispatcher(store, _Scripted(hang), _Time(), workers=2)
    task = asyncio.create_task(one.conveyor.run())
    await asyncio.wait_for(begun.wait(), DEADLINE)
    one.conveyor.abort()
    await asyncio.wait_for(task, DEADLINE)
    states = await _states(store)
    assert states["sending"] <= 2
    assert states["queued"] == 20 - states["sending"]
