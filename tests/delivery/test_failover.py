"""A channel with several providers: who gets a message when the first is down, or refuses it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Connection

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
from feedback_app.delivery.fallback import FallBack
from feedback_app.delivery.lease import Alone
from feedback_app.delivery.provider import DeliveryPolicy, Provider
from feedback_app.delivery.retry import Backoff
from feedback_app.errors import Busy
from feedback_app.pipeline import Composer, Pipeline, Policy
from feedback_app.store import customers, outbox, ratings, suppressions
from feedback_app.store.limits import Limit
from feedback_app.store.sqlite.store import SqliteStore
from feedback_app.tally import Tally, Try
from tests.making import NOW, incoming, message
from tests.running import DEADLINE

Value = TypeVar("Value")


class _Fake(Notifier):
    channel = "email"
    timeout = 5.0
    on_unknown = "resend"

    def __init__(self, answer: Exception | None = None) -> None:
        self.answer = answer
        self.given: list[str] = []

    async def send(self, message: Message) -> Receipt:
        self.given.append(message.id)
        if self.answer is not None:
            raise self.answer
        return Receipt(provider_id="p")


class _Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


def _dispatcher(
    store: SqliteStore, *notifiers: _Fake, clock: Callable[[], int] | None = None, per_day: int = 0
) -> Dispatcher:
    """Return one with providers a, b, …; `per_day` limits the last."""
    clock = clock or _Clock()
    policy = DeliveryPolicy(workers=1, max_attempts=3, backoff=Backoff(30, 3600, draw=lambda: 0.0))
    providers = [
        Provider(
            notifier,
            limit=Limit(provider=name, channel="email", per_day=per_day if notifier is notifiers[-1] else 0),
            policy=policy,
            clock=clock,
            is_sole=False,
        )
        for name, notifier in zip("abc", notifiers, strict=False)
    ]
    return Dispatcher(store, "email", providers, policy=policy, lease=Alone("boot"), clock=clock)


@contextlib.asynccontextmanager
async def _delivering(one: Dispatcher) -> AsyncIterator[None]:
    task = asyncio.create_task(one.conveyor.run())
    try:
        yield
    finally:
        one.conveyor.stop()
        await asyncio.wait_for(task, DEADLINE)


async def _deliver(one: Dispatcher) -> None:
    async with _delivering(one):
        await _idle(one)


async def _idle(one: Dispatcher) -> None:
    one.conveyor.wake()
    await asyncio.wait_for(one.conveyor.idle(), DEADLINE)


async def _queue(store: SqliteStore, count: int) -> None:
    entries = [message(number, customer=None) for number in range(1, count + 1)]
    await store.write(partial(outbox.enqueue, entries=entries, now=NOW))


async def _tries(store: SqliteStore) -> list[tuple[int, str, str]]:
    """Return (message, provider, outcome) of each try, in order."""
    found = await store.read(
        lambda connection: connection.exec_driver_sql(
            "SELECT message_number, provider, outcome FROM delivery_attempt ORDER BY id"
        ).all()
    )
    return [tuple(one) for one in found]


async def _rows(store: SqliteStore) -> list[tuple[str, str | None, int]]:
    """Return (state, provider, attempts) of each message."""
    found = await store.read(
        lambda connection: connection.exec_driver_sql(
            "SELECT state, provider, attempts FROM message ORDER BY id"
        ).all()
    )
    return [tuple(one) for one in found]


async def _suppressed(store: SqliteStore) -> list[str]:
    """Return the addresses that nothing is sent to."""
    return [one.address for one in await store.read(partial(suppressions.page, after=None, limit=9))]


async def test_while_the_first_provider_is_down_the_next_one_serves(
    store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    """One message finds it down and costs no attempt; all leave by the second, and nothing waits."""
    await _queue(store, 20)
    first, second = _Fake(ChannelDown("535 wrong password")), _Fake()
    one = _dispatcher(store, first, second)
    with caplog.at_level(logging.INFO):
        await _deliver(one)
    assert await _rows(store) == [("sent", "b", 1)] * 20
    assert len(first.given) == 1
    assert sorted(second.given) == sorted(message(number)[1].id for number in range(1, 21))
    assert [record.message for record in caplog.records] == ["provider down"]
    assert caplog.records[0].__dict__["provider"] == "a"
    assert (one.reason, list(one.down)) == ("", ["a"])


async def test_the_first_provider_is_probed_and_used_again(store: SqliteStore) -> None:
    """After the pause one message asks; once that left, all go by it."""
    clock = _Clock()
    first, second = _Fake(ChannelDown("454")), _Fake()
    one = _dispatcher(store, first, second, clock=clock)
    await _queue(store, 2)
    async with _delivering(one):
        await _idle(one)
        first.answer = None
        clock.now += 400_000
        entries = [message(number, customer=None) for number in range(3, 9)]
        await store.write(partial(outbox.enqueue, entries=entries, now=clock.now))
        await _idle(one)
        providers = {number: provider for number, provider, _ in await _tries(store)}
        assert providers[3] == "a"  # the probe
        assert not one.down
        await store.write(partial(outbox.enqueue, entries=[message(9, customer=None)], now=clock.now))
        await _idle(one)
    assert (await _tries(store))[-1] == (9, "a", "sent")


async def test_what_one_refuses_for_good_the_next_is_given(store: SqliteStore) -> None:
    """At once, in the same turn; both tries are recorded, one attempt is counted."""
    await _queue(store, 1)
    await _deliver(_dispatcher(store, _Fake(PermanentFailure("not our country")), _Fake()))
    assert await _tries(store) == [(1, "a", "permanent"), (1, "b", "sent")]
    assert await _rows(store) == [("sent", "b", 1)]


async def test_what_all_refuse_is_dead(store: SqliteStore) -> None:
    """Each was asked once."""
    await _queue(store, 1)
    await _deliver(_dispatcher(store, _Fake(PermanentFailure("no")), _Fake(PermanentFailure("no, too"))))
    assert await _tries(store) == [(1, "a", "permanent"), (1, "b", "permanent")]
    assert [state for state, *_ in await _rows(store)] == ["dead"]


async def test_a_refused_message_waits_for_a_provider_that_is_down(store: SqliteStore) -> None:
    """It is not given up while somebody has not been asked."""
    clock = _Clock()
    await _queue(store, 1)
    spare = _Fake(ChannelDown("away"))
    one = _dispatcher(store, _Fake(PermanentFailure("no")), spare, clock=clock)
    async with _delivering(one):
        await _idle(one)
        assert await _tries(store) == [(1, "a", "permanent"), (1, "b", "channel_down")]
        assert await _rows(store) == [("queued", "b", 0)]
        spare.answer = None
        clock.now += 15_000
        await _idle(one)
    assert [(state, provider) for state, provider, _ in await _rows(store)] == [("sent", "b")]


async def test_an_address_that_one_provider_calls_bad_is_not_suppressed_while_another_is_waited_for(
    store: SqliteStore,
) -> None:
    """The one that is waited for may reach it, and is given the message when it is up. What nobody reaches is bad."""
    clock = _Clock()
    first, spare = _Fake(PermanentFailure("no such number", bad_address=True)), _Fake(ChannelDown("away"))
    one = _dispatcher(store, first, spare, clock=clock)
    async with _delivering(one):
        await _queue(store, 2)  # the second one is refused when the spare is known to be down
        await _idle(one)
        assert [state for state, *_ in await _rows(store)] == ["queued"] * 2
        assert await _suppressed(store) == []
        spare.answer = None
        clock.now += 90_000
        await _idle(one)
    assert [state for state, *_ in await _rows(store)] == ["sent"] * 2
    await store.write(partial(outbox.enqueue, entries=[message(3, customer=None)], now=NOW))
    await _deliver(_dispatcher(store, first))
    assert len(await _suppressed(store)) == 1


async def test_a_temporary_failure_stays_with_its_provider(store: SqliteStore) -> None:
    """The next try is later, by the same one: it may have its reasons, and the others are not asked in vain."""
    await _queue(store, 1)
    spare = _Fake()
    await _deliver(_dispatcher(store, _Fake(TemporaryFailure("450")), spare))
    assert spare.given == []
    assert [state for state, *_ in await _rows(store)] == ["queued"]


async def test_a_spare_provider_is_given_no_more_than_its_limit(store: SqliteStore) -> None:
    """Of five refused messages two may go by it today, the others wait."""
    await _queue(store, 5)
    spare = _Fake()
    await _deliver(_dispatcher(store, _Fake(PermanentFailure("no")), spare, per_day=2))
    assert len(spare.given) == 2
    assert sorted(state for state, *_ in await _rows(store)) == ["queued"] * 3 + ["sent"] * 2


async def test_a_channel_is_down_when_all_its_providers_are(store: SqliteStore) -> None:
    """The reason names each."""
    await _queue(store, 3)
    one = _dispatcher(store, _Fake(ChannelDown("535")), _Fake(ChannelDown("no route")))
    await _deliver(one)
    assert one.reason == "a: 535; b: no route"
    assert one.down_since == NOW
    assert [state for state, *_ in await _rows(store)] == ["queued"] * 3


def _pipeline(*notifiers: Notifier) -> Pipeline:
    return Pipeline(
        policy=Policy(),
        composer=Composer(Path("nowhere"), business="Shop"),
        notifiers={one.channel: one for one in notifiers},
        ledger_id="ledger",
    )


class _Phone(_Fake):
    channel = "sms"

    def address(self, customer: Customer) -> str | None:
        return customer.phone


async def _thanked(
    store: SqliteStore, preferred: tuple[str, ...], phone: str | None = "+4915112345678"
) -> None:
    """Store a rating, and its message by e-mail in the outbox."""
    ada = Customer(id="c1", email="ada@example.com", phone=phone, preferred_channels=preferred)
    await store.write(partial(customers.put, customers=[ada], now=NOW))
    await store.write(partial(ratings.take_in, arrivals=[incoming("r1")], now=NOW))
    await store.write(partial(outbox.enqueue, entries=[message(1, feedback=1)], now=NOW))


async def _route(store: SqliteStore) -> tuple[str, str, str]:
    """Return (state, channel, recipient) of the one message."""
    (row,) = await store.read(
        lambda connection: connection.exec_driver_sql("SELECT state, channel, recipient FROM message").all()
    )
    return row[0], row[1], row[2]


async def _deliver_email(
    store: SqliteStore, answer: Exception, tally: Tally | None = None, **policy: int
) -> list[str]:
    """Let e-mail give the message up; returns the calls of `on_queued`."""
    clock = _Clock()
    email, calls = _Fake(answer), list[str]()
    how = DeliveryPolicy(workers=1, max_attempts=policy.get("max_attempts", 3), backoff=Backoff(30, 3600))
    fall_back = FallBack(store, _pipeline(email, _Phone()), on_queued=lambda: calls.append("queued"))
    provider = Provider(email, limit=Limit(provider="mail", channel="email"), policy=how, clock=clock)
    lease = Alone("boot")
    one = Dispatcher(
        store, "email", [provider], policy=how, lease=lease, clock=clock, fall_back=fall_back, tally=tally
    )
    await _deliver(one)
    return calls


async def test_the_customers_next_channel_takes_what_the_first_gives_up(store: SqliteStore) -> None:
    """One message, under its id, with the next channel's address and words; its first try stays on record."""
    await _thanked(store, ("email", "sms"))
    assert await _deliver_email(store, PermanentFailure("550 no such user")) == ["queued"]
    assert await _route(store) == ("queued", "sms", "+4915112345678")
    phone = _Phone()
    how = DeliveryPolicy(workers=1, max_attempts=3, backoff=Backoff(30, 3600))
    provider = Provider(phone, limit=Limit(provider="sms", channel="sms"), policy=how, clock=_Clock())
    await _deliver(Dispatcher(store, "sms", [provider], policy=how, lease=Alone("boot"), clock=_Clock()))
    assert phone.given == ["thanks.1.ledger"]
    assert await _route(store) == ("sent", "sms", "+4915112345678")
    assert await _tries(store) == [(1, "mail", "permanent"), (1, "sms", "sent")]


class _BusyOnce(SqliteStore):
    """The ledger is locked when it is first asked `what`."""

    what: object = None

    async def read(self, query: Callable[[Connection], Value]) -> Value:
        if self.what is not None and getattr(query, "func", None) is self.what:
            self.what = None
            raise Busy("the ledger is locked")
        return await super().read(query)


@pytest.mark.parametrize("what", [ratings.with_customer, outbox.next_due])
async def test_a_ledger_that_is_busy_loses_neither_the_try_nor_the_next_channel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, what: object
) -> None:
    """It is asked until it answers; the refusal stands once, and is not asked for again."""
    monkeypatch.setattr("feedback_app.delivery.dispatcher._STORE_PAUSE", 0)
    async with _BusyOnce(tmp_path / "busy.db") as store:
        await _thanked(store, ("email", "sms"))
        store.what = what
        await _deliver_email(store, PermanentFailure("550"))
        assert store.what is None
        assert await _route(store) == ("queued", "sms", "+4915112345678")
        assert await _tries(store) == [(1, "mail", "permanent")]
    assert [one.message for one in caplog.records] == ["message not sent"]  # nothing broke off


async def test_attempts_that_are_used_up_are_a_reason_too(store: SqliteStore) -> None:
    """They surely did not leave."""
    await _thanked(store, ("email", "sms"))
    await _deliver_email(store, TemporaryFailure("450"), max_attempts=1)
    assert await _route(store) == ("queued", "sms", "+4915112345678")


@pytest.mark.parametrize(
    ("preferred", "phone"),
    [(("email",), "+4915112345678"), (("email", "sms"), None), (("sms", "email"), "+49")],
)
async def test_without_a_next_channel_it_is_dead(
    store: SqliteStore, preferred: tuple[str, ...], phone: str | None
) -> None:
    """There is none, it does not reach the customer, or it stands before the one that failed."""
    await _thanked(store, preferred, phone)
    assert await _deliver_email(store, PermanentFailure("550")) == []
    assert (await _route(store))[:2] == ("dead", "email")


async def test_what_may_have_left_goes_by_no_other_channel(store: SqliteStore) -> None:
    """Neither after an unknown end, nor later when a resent copy is refused."""
    await _thanked(store, ("email", "sms"))
    await _deliver_email(store, OutcomeUnknown("broke off"), max_attempts=1)
    assert (await _route(store))[:2] == ("dead", "email")
    await store.write(
        lambda connection: connection.exec_driver_sql("UPDATE message SET state = 'queued', attempts = 0")
    )
    await _deliver_email(store, PermanentFailure("550"))
    assert (await _route(store))[:2] == ("dead", "email")


async def test_what_may_have_left_and_is_dead_is_said_and_counted_as_dead(
    store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    """The next channel does not get it, so no line and no figure says that it did."""
    await _thanked(store, ("email", "sms"))
    await _deliver_email(store, OutcomeUnknown("broke off"))
    await store.write(lambda connection: connection.exec_driver_sql("UPDATE message SET next_attempt_at = 1"))
    tally = Tally()
    assert await _deliver_email(store, PermanentFailure("550"), tally=tally) == []
    assert (await _route(store))[:2] == ("dead", "email")
    assert dict(tally.tries) == {Try("email", "mail", "permanent", "dead"): 1}
    said = caplog.records[-1].__dict__
    assert (said["message"], said["state"], said["next_channel"]) == ("message not sent", "dead", None)


async def test_who_has_opted_out_meanwhile_is_not_written_to(store: SqliteStore) -> None:
    """The customer is looked at as they are now."""
    await _thanked(store, ("email", "sms"))
    claimed = await store.write(
        partial(outbox.claim, channel="email", lease=outbox.Lease("boot", NOW), now=NOW, limit=1)
    )
    await store.write(lambda connection: connection.exec_driver_sql("UPDATE customer SET opted_out_at = 1"))
    fall_back = FallBack(store, _pipeline(_Fake(), _Phone()), on_queued=lambda: None)
    assert await fall_back.instead_of(claimed[0].message) is None
