"""What a channel gives up the customer's next channel takes, unless it may have left."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Connection

from feedback_app import Customer, Notifier, OutcomeUnknown, PermanentFailure, TemporaryFailure
from feedback_app.delivery.dispatcher import Dispatcher
from feedback_app.delivery.fallback import FallBack
from feedback_app.delivery.lease import Alone
from feedback_app.delivery.provider import DeliveryPolicy, Provider
from feedback_app.delivery.retry import Backoff
from feedback_app.errors import Busy
from feedback_app.pipeline import Composer, Pipeline, Policy
from feedback_app.store import customers, outbox, ratings
from feedback_app.store.limits import Limit
from feedback_app.store.sqlite.store import SqliteStore
from feedback_app.tally import Tally, Try
from tests.delivery.delivering import Clock
from tests.delivery.providers import Fake, deliver, tries_of
from tests.making import NOW, incoming, message

Value = TypeVar("Value")


def _pipeline(*notifiers: Notifier) -> Pipeline:
    return Pipeline(
        policy=Policy(),
        composer=Composer(Path("nowhere"), business="Shop"),
        notifiers={one.channel: one for one in notifiers},
        ledger_id="ledger",
    )


class _Phone(Fake):
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
    clock = Clock()
    email, calls = Fake(answer), list[str]()
    how = DeliveryPolicy(workers=1, max_attempts=policy.get("max_attempts", 3), backoff=Backoff(30, 3600))
    fall_back = FallBack(store, _pipeline(email, _Phone()), on_queued=lambda: calls.append("queued"))
    provider = Provider(email, limit=Limit(provider="mail", channel="email"), policy=how, clock=clock)
    lease = Alone("boot")
    one = Dispatcher(
        store, "email", [provider], policy=how, lease=lease, clock=clock, fall_back=fall_back, tally=tally
    )
    await deliver(one)
    return calls


async def test_the_customers_next_channel_takes_what_the_first_gives_up(store: SqliteStore) -> None:
    """One message, under its id, with the next channel's address and words; its first try stays on record."""
    await _thanked(store, ("email", "sms"))
    assert await _deliver_email(store, PermanentFailure("550 no such user")) == ["queued"]
    assert await _route(store) == ("queued", "sms", "+4915112345678")
    phone = _Phone()
    how = DeliveryPolicy(workers=1, max_attempts=3, backoff=Backoff(30, 3600))
    provider = Provider(phone, limit=Limit(provider="sms", channel="sms"), policy=how, clock=Clock())
    await deliver(Dispatcher(store, "sms", [provider], policy=how, lease=Alone("boot"), clock=Clock()))
    assert phone.given == ["thanks.1.ledger"]
    assert await _route(store) == ("sent", "sms", "+4915112345678")
    assert await tries_of(store) == [(1, "mail", "permanent"), (1, "sms", "sent")]


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
        assert await tries_of(store) == [(1, "mail", "permanent")]
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
    fall_back = FallBack(store, _pipeline(Fake(), _Phone()), on_queued=lambda: None)
    assert await fall_back.instead_of(claimed[0].message) is None
