"""A channel's delivery against a real ledger, with notifiers that fail in every way."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from functools import partial
from typing import Any, Literal
from uuid import UUID

import pytest

from feedback_app import Customer, Message, OutcomeUnknown, PermanentFailure, Receipt, TemporaryFailure
from feedback_app.store import customers, outbox
from feedback_app.store.sqlite.store import SqliteStore
from tests.delivery.delivering import Clock, queue
from tests.delivery.scripted import Scripted, deliver_all, dispatcher, ok, states_in
from tests.making import NOW, message
from tests.running import DEADLINE


class _Mute(Exception):
    def __str__(self) -> str:
        raise ValueError("nothing to say")


class _HalfMade(TemporaryFailure):
    def __init__(self) -> None:  # as plugins do it who forget the base class
        pass


async def test_every_message_is_sent_once(store: SqliteStore) -> None:
    """Many messages over few workers: each exactly once, each recorded."""
    await queue(store, 300)
    notifier = Scripted(ok)
    one = await deliver_all(store, notifier, Clock())
    assert await states_in(store) == {"sent": 300}
    assert sorted(notifier.given) == sorted(f"thanks.{number}.ledger" for number in range(1, 301))
    assert one.counts == {"sent": 300}


async def test_failures_come_again_until_they_are_dead(store: SqliteStore) -> None:
    """Three attempts with waits between them, then a dead letter with its reason."""
    await queue(store, 1)
    clock = Clock()

    async def fail(_message: Message) -> Receipt:
        raise TemporaryFailure("450 greylisted")

    notifier = Scripted(fail)
    states = []
    for _ in range(4):
        await deliver_all(store, notifier, clock)
        states.append(await states_in(store))
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
    await queue(store, 1)

    async def fail(_message: Message) -> Receipt:
        raise error

    await deliver_all(store, Scripted(fail), Clock())
    assert await states_in(store) == wanted


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
    await queue(store, 1)

    async def send(_message: Message) -> Receipt:
        if isinstance(answer, Receipt):
            return answer
        raise answer

    await deliver_all(store, Scripted(send), Clock())
    assert await states_in(store) == {wanted: 1}
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
    await deliver_all(store, Scripted(ok), Clock())
    assert await states_in(store) == {"suppressed": 200, "sent": 1}


async def test_a_wrong_answer_is_a_bug_of_the_plugin(
    store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    """`send` that returns no Receipt is logged with the plugin's name, without the customer's address."""
    await queue(store, 1)

    async def lie(_message: Message) -> Any:
        return "sent"

    with caplog.at_level(logging.WARNING):
        await deliver_all(store, Scripted(lie), Clock())
    (record,) = caplog.records
    assert record.__dict__["provider"] == "scripted"
    assert record.__dict__["outcome"] == "bug"
    assert "ada@example.com" not in str(record.__dict__)


async def test_a_send_that_hangs_is_timed_out_and_its_outcome_unknown(store: SqliteStore) -> None:
    """Held where it must not double; the others went meanwhile."""
    await queue(store, 5)

    async def hang_on_first(given: Message) -> Receipt:
        if given.id == "thanks.1.ledger":
            await asyncio.Event().wait()
        return Receipt()

    notifier = Scripted(hang_on_first, "hold")
    notifier.timeout = 0.05
    await deliver_all(store, notifier, Clock())
    assert await states_in(store) == {"sent": 4, "held": 1}


@pytest.mark.parametrize(("on_unknown", "wanted"), [("hold", "held"), ("resend", "queued")])
async def test_a_send_that_swallows_its_cancellation_keeps_no_worker(
    store: SqliteStore, on_unknown: Literal["resend", "hold"], wanted: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is given up, its outcome is unknown, and the only worker sends the others."""
    await queue(store, 5)

    async def deaf_for_first(given: Message) -> Receipt:
        while given.id == "thanks.1.ledger":
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
        return Receipt()

    notifier = Scripted(deaf_for_first, on_unknown)
    notifier.timeout = 0.05
    with caplog.at_level(logging.WARNING):
        await deliver_all(store, notifier, Clock(), workers=1)
    assert await states_in(store) == {"sent": 4, wanted: 1}
    (record,) = caplog.records
    assert record.__dict__["outcome"] == "unknown"
    assert record.__dict__["fault"].startswith("Abandoned: did not end within 1 s of being cancelled, at ")
    await asyncio.sleep(0)
    assert not [one for one in asyncio.all_tasks() if one.get_name() == "delivery-email-send"]


async def test_a_send_that_cancels_its_own_task_ends_no_worker(store: SqliteStore) -> None:
    """The task is the send's own."""
    await queue(store, 5)

    async def cancel_itself(_message: Message) -> Receipt:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        return Receipt()

    one = await deliver_all(store, Scripted(cancel_itself), Clock(), workers=1)
    assert one.counts == {"queued": 5}


async def test_where_a_double_must_not_be_the_marker_is_committed_before_the_send(store: SqliteStore) -> None:
    """When `send` begins, the ledger says already that the message may leave."""
    await queue(store, 1)
    seen: list[object] = []

    async def look(_message: Message) -> Receipt:
        seen.append(
            await store.read(
                lambda connection: connection.exec_driver_sql("SELECT may_leave_at FROM message").scalar_one()
            )
        )
        return Receipt()

    await deliver_all(store, Scripted(look, "hold"), Clock())
    assert seen == [NOW]


async def test_stopping_hard_gives_back_what_was_not_begun_and_leaves_what_was(store: SqliteStore) -> None:
    """Messages that no worker had taken are queued as before; those in mid-send stay to be decided."""
    await queue(store, 20)
    begun = asyncio.Event()

    async def hang(_message: Message) -> Receipt:
        begun.set()
        await asyncio.Event().wait()
        return Receipt()

    one = dispatcher(store, Scripted(hang), Clock(), workers=2)
    task = asyncio.create_task(one.conveyor.run())
    await asyncio.wait_for(begun.wait(), DEADLINE)
    one.conveyor.abort()
    await asyncio.wait_for(task, DEADLINE)
    states = await states_in(store)
    assert states["sending"] <= 2
    assert states["queued"] == 20 - states["sending"]
