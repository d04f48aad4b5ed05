"""A channel's delivery against a real ledger, with notifiers that fail in every way."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import pytest

from feedback_app import (
    ChannelDown,
    Customer,
    Message,
    Notifier,
    OutcomeUnknown,
    PermanentFailure,
    Receipt,
    TemporaryFailure,
)
from feedback_app.delivery.dispatcher import Dispatcher
from feedback_app.delivery.lease import Alone
from feedback_app.delivery.provider import DeliveryPolicy, Provider
from feedback_app.delivery.retry import Backoff
from feedback_app.store import customers, outbox, status
from feedback_app.store.limits import Limit
from feedback_app.store.outbox import ClaimedMessage
from feedback_app.store.sqlite.store import SqliteStore
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


class _Mute(Exception):
    def __str__(self) -> str:
        raise ValueError("nothing to say")


class _HalfMade(TemporaryFailure):
    def __init__(self) -> None:  # as plugins do it who forget the base class
        pass


class _Time:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


def _dispatcher(
    store: SqliteStore,
    notifier: Notifier,
    clock: Callable[[], int],
    limit: Limit | None = None,
    kind: type[Provider] = Provider,
    **policy: Any,
) -> Dispatcher:
    facts: dict[str, Any] = {"workers": 4, "max_attempts": 3, "backoff": Backoff(30, 3600), **policy}
    how = DeliveryPolicy(**facts)
    limit = limit or Limit(provider="scripted", channel="email")
    provider = kind(notifier, limit=limit, policy=how, clock=clock)
    return Dispatcher(store, "email", [provider], policy=how, lease=Alone("boot"), clock=clock)


@contextlib.asynccontextmanager
async def _delivering(one: Dispatcher) -> AsyncIterator[None]:
    task = asyncio.create_task(one.conveyor.run())
    try:
        yield
    finally:
        one.conveyor.stop()
        await asyncio.wait_for(task, DEADLINE)


async def _deliver_all(
    store: SqliteStore,
    notifier: Notifier,
    clock: Callable[[], int],
    limit: Limit | None = None,
    **policy: Any,
) -> Dispatcher:
    one = _dispatcher(store, notifier, clock, **policy)
    async with _delivering(one):
        await asyncio.wait_for(one.conveyor.idle(), DEADLINE)
    return one


async def _queue(store: SqliteStore, count: int) -> None:
    entries = [message(number, customer=None) for number in range(1, count + 1)]
    await store.write(partial(outbox.enqueue, entries=entries, now=NOW))


async def _states(store: SqliteStore) -> dict[str, int]:
    counts = await store.read(status.counts)
    return {state: count for state, count in counts["messages"].items() if count}


async def _ok(_message: Message) -> Receipt:
    return Receipt(provider_id="p")


async def test_every_message_is_sent_once(store: SqliteStore) -> None:
    """Many messages over few workers: each exactly once, each recorded."""
    await _queue(store, 300)
    notifier = _Scripted(_ok)
    one = await _deliver_all(store, notifier, _Time())
    assert await _states(store) == {"sent": 300}
    assert sorted(notifier.given) == sorted(f"thanks.{number}.ledger" for number in range(1, 301))
    assert one.counts == {"sent": 300}


async def test_failures_come_again_until_they_are_dead(store: SqliteStore) -> None:
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
        (KeyboardInterrupt(), {"queued": 1}),
        (GeneratorExit(), {"queued": 1}),
        (BaseException("odd"), {"queued": 1}),
        (StopIteration(), {"queued": 1}),
        (ExceptionGroup("both", [ValueError()]), {"queued": 1}),
        (BaseExceptionGroup("both", [SystemExit()]), {"queued": 1}),
        (asyncio.CancelledError(), {"queued": 1}),
        (OutcomeUnknown("cut"), {"queued": 1}),
    ],
)
async def test_whatever_a_plugin_raises_is_its_messages_outcome(
    store: SqliteStore, error: BaseException, wanted: dict[str, int]
) -> None:
    """Neither a worker nor the program ends."""
    await _queue(store, 1)

    async def fail(_message: Message) -> Receipt:
        raise error

    await _deliver_all(store, _Scripted(fail), _Time())
    assert await _states(store) == wanted


@pytest.mark.parametrize(
    ("answer", "wanted", "stored"),
    [
        (PermanentFailure("550 caf\udce9"), "dead", "550 caf\\udce9"),
        (TemporaryFailure(ValueError("greylisted")), "queued", "greylisted"),  # type: ignore[arg-type]
        (TemporaryFailure("x" * 100_000), "queued", "x" * 2_000),
        (TemporaryFailure("no\0"), "queued", "no\ufffd"),
        (Receipt(provider_id=UUID(int=7)), "sent", str(UUID(int=7))),  # type: ignore[arg-type]
        (Receipt(provider_id=_Mute()), "sent", "_Mute, which cannot be shown"),  # type: ignore[arg-type]
        (_Mute(), "queued", "_Mute: _Mute, which cannot be shown"),
        (_HalfMade(), "queued", "no reason given"),
    ],
)
async def test_whatever_a_plugin_says_can_be_stored(
    store: SqliteStore, answer: Exception | Receipt, wanted: str, stored: str
) -> None:
    """Bytes of a far side that are no UTF-8, and values that are no text, are written down and end nothing."""
    await _queue(store, 1)

    async def send(_message: Message) -> Receipt:
        if isinstance(answer, Receipt):
            return answer
        raise answer

    await _deliver_all(store, _Scripted(send), _Time())
    assert await _states(store) == {wanted: 1}
    query = "SELECT COALESCE(provider_id, error) FROM {}"
    for table in ("message", "delivery_attempt"):
        said = await store.read(lambda connection: connection.exec_driver_sql(query.format(table)).scalar())  # noqa: B023
        assert said == stored


async def test_opted_out_customers_do_not_hide_the_others_behind_them(store: SqliteStore) -> None:
    """A claim that is suppressed as a whole is no sign of having nothing to do."""
    gone = Customer(id="gone")
    await store.write(partial(customers.put, customers=[gone], now=NOW))
    await store.write(partial(customers.set_opted_out, customer_id="gone", when=NOW))
    entries = [message(number, customer="gone") for number in range(1, 201)]
    await store.write(partial(outbox.enqueue, entries=[*entries, message(201, customer=None)], now=NOW))
    await _deliver_all(store, _Scripted(_ok), _Time())
    assert await _states(store) == {"suppressed": 200, "sent": 1}


async def test_a_wrong_answer_is_a_bug_of_the_plugin(
    store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
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
    store: SqliteStore, caplog: pytest.LogCaptureFixture
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


async def test_a_send_that_hangs_is_timed_out_and_its_outcome_unknown(store: SqliteStore) -> None:
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


@pytest.mark.parametrize(("on_unknown", "wanted"), [("hold", "held"), ("resend", "queued")])
async def test_a_send_that_swallows_its_cancellation_keeps_no_worker(
    store: SqliteStore, on_unknown: Literal["resend", "hold"], wanted: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is given up, its outcome is unknown, and the only worker sends the others."""
    await _queue(store, 5)

    async def deaf_for_first(given: Message) -> Receipt:
        while given.id == "thanks.1.ledger":
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
        return Receipt()

    notifier = _Scripted(deaf_for_first, on_unknown)
    notifier.timeout = 0.05
    with caplog.at_level(logging.WARNING):
        await _deliver_all(store, notifier, _Time(), workers=1)
    assert await _states(store) == {"sent": 4, wanted: 1}
    (record,) = caplog.records
    assert record.__dict__["outcome"] == "unknown"
    assert record.__dict__["fault"].startswith("Abandoned: did not end within 1 s of being cancelled, at ")
    await asyncio.sleep(0)
    assert not [one for one in asyncio.all_tasks() if one.get_name() == "delivery-email-send"]


async def test_a_send_that_cancels_its_own_task_ends_no_worker(store: SqliteStore) -> None:
    """The task is the send's own."""
    await _queue(store, 5)

    async def cancel_itself(_message: Message) -> Receipt:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        return Receipt()

    one = await _deliver_all(store, _Scripted(cancel_itself), _Time(), workers=1)
    assert one.counts == {"queued": 5}


async def test_a_plugin_that_fails_on_every_message_is_suspended_and_burns_few_attempts(
    store: SqliteStore,
) -> None:
    """Five pay for it, the others wait; when it is mended, a probe opens the channel and all are sent."""
    await _queue(store, 40)
    clock = _Time()
    mended = False

    async def send(_message: Message) -> Receipt:
        if not mended:
            raise KeyError("template")
        return Receipt()

    one = _dispatcher(store, _Scripted(send), clock, workers=2)
    async with _delivering(one):
        for _ in range(30):  # probes, each of another message, and never one that dies of it
            await asyncio.wait_for(one.conveyor.idle(), DEADLINE)
            clock.now += 301_000
            one.conveyor.wake()
        await asyncio.wait_for(one.conveyor.idle(), DEADLINE)
        assert one.providers[0].health.reason.startswith(
            "suspended: 5 failures in a row of plugin scripted: KeyError at "
        )
        assert await _states(store) == {"queued": 40}
        assert sum(await _attempts(store)) == 5
        mended = True
        clock.now += 301_000
        one.conveyor.wake()
        while (await _states(store)) != {"sent": 40}:  # noqa: ASYNC110 - the ledger has no event to wait for
            await asyncio.sleep(0.01)
    assert not one.providers[0].health.down


async def _attempts(store: SqliteStore) -> list[int]:
    query = "SELECT attempts FROM message ORDER BY id"
    return await store.read(lambda connection: list(connection.exec_driver_sql(query).scalars()))


async def test_a_poison_message_ends_as_dead_and_suspends_nothing(store: SqliteStore) -> None:
    """The plugin fails on it each time and sends all others."""
    await _queue(store, 30)
    clock = _Time()

    async def send(given: Message) -> Receipt:
        if given.id == "thanks.7.ledger":
            raise KeyError(given.text)
        return Receipt()

    one = _dispatcher(store, _Scripted(send), clock)
    async with _delivering(one):
        for _ in range(3):
            await asyncio.wait_for(one.conveyor.idle(), DEADLINE)
            assert not one.providers[0].health.down
            clock.now += 3_600_000
            one.conveyor.wake()
        await asyncio.wait_for(one.conveyor.idle(), DEADLINE)
    assert await _states(store) == {"sent": 29, "dead": 1}
    assert (await _attempts(store))[6] == 3


async def test_where_a_double_must_not_be_the_marker_is_committed_before_the_send(store: SqliteStore) -> None:
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


async def test_stopping_hard_gives_back_what_was_not_begun_and_leaves_what_was(store: SqliteStore) -> None:
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


class _Locked(Provider):
    """While it is down, once, the ledger is locked when the marker of a message is to be written."""

    was_locked = False

    async def mark(self, store: Store, claimed: ClaimedMessage) -> bool:
        if self.health.down and not self.was_locked:
            self.was_locked = True
            other = sqlite3.connect(store.name, isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            asyncio.get_running_loop().call_later(0.2, other.close)
        return await super().mark(store, claimed)


async def test_a_probe_that_meets_a_locked_ledger_is_not_the_last_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its marker cannot be written, so it goes back untried and that is said; the next one opens the channel."""
    monkeypatch.setattr("feedback_app.store.sqlite.engines._COMMON", ("PRAGMA busy_timeout = 50",))
    clock = _Time()
    async with SqliteStore(tmp_path / "feedback.db") as store:
        await _queue(store, 2)
        answers: list[Exception] = [ChannelDown("535 wrong password")]

        async def send(_message: Message) -> Receipt:
            if answers:
                raise answers.pop()
            return Receipt()

        one = _dispatcher(store, _Scripted(send, "hold"), clock, kind=_Locked, workers=1)
        async with _delivering(one):
            for _ in range(3):
                await asyncio.wait_for(one.conveyor.idle(), DEADLINE)
                clock.now += 31_000
                one.conveyor.wake()
            await asyncio.wait_for(one.conveyor.idle(), DEADLINE)
        assert await _states(store) == {"sent": 2}
    assert "delivery broke off" in caplog.text
