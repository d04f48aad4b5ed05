"""A message that may have left by one provider, and another one that cannot tell a second copy."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Literal

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
from feedback_app.delivery.dispatcher import Dispatcher
from feedback_app.delivery.lease import Alone
from feedback_app.delivery.provider import DeliveryPolicy, Provider
from feedback_app.delivery.retry import Backoff
from feedback_app.store import message_queries, outbox, recovery
from feedback_app.store.limits import Limit
from feedback_app.store.sqlite.store import SqliteStore
from feedback_app.tally import Tally, Try
from tests.delivery.test_recording import ask
from tests.making import NOW, message
from tests.running import DEADLINE

_POLICY = DeliveryPolicy(workers=1, max_attempts=9, backoff=Backoff(30, 3600, draw=lambda: 0.0))
_LATER = 4_000_000  # milliseconds, more than any back-off


class _Fake(Notifier):
    channel = "email"

    def __init__(self, on_unknown: Literal["resend", "hold"], answer: Exception | None = None) -> None:
        self.on_unknown = on_unknown
        self.answer = answer
        self.given: list[str] = []

    async def send(self, message: Message) -> Receipt:
        self.given.append(message.id)
        if self.answer is not None:
            raise self.answer
        return Receipt()


class _Shop:
    """A channel with the providers a, b, …, and time that passes when it is told to."""

    def __init__(self, store: SqliteStore, *notifiers: _Fake) -> None:
        self.store = store
        self.now = NOW
        self.tally = Tally()
        self.providers = [
            Provider(
                one,
                limit=Limit(provider=name, channel="email"),
                policy=_POLICY,
                clock=lambda: self.now,
                is_sole=False,
            )
            for name, one in zip("abc", notifiers, strict=False)
        ]

    async def queue(self, count: int = 1) -> None:
        entries = [message(number, customer=None) for number in range(1, count + 1)]
        await self.store.write(partial(outbox.enqueue, entries=entries, now=self.now))

    async def deliver(self) -> None:
        """Deliver what is due."""
        lease = Alone("boot")
        one = Dispatcher(
            self.store,
            "email",
            self.providers,
            policy=_POLICY,
            lease=lease,
            clock=lambda: self.now,
            tally=self.tally,
        )
        task = asyncio.create_task(one.conveyor.run())
        await asyncio.wait_for(one.conveyor.idle(), DEADLINE)
        one.conveyor.stop()
        await asyncio.wait_for(task, DEADLINE)

    async def deliver_later(self) -> None:
        """Deliver what is due after a back-off."""
        self.now += _LATER
        await self.deliver()

    async def is_wanted(self) -> None:
        """Say `messages retry 1`, as a person does."""
        await self.store.write(partial(message_queries.retry, number=1, now=self.now))

    def states(self) -> list[str]:
        return [state for (state,) in ask(self.store.path, "SELECT state FROM message ORDER BY id")]


async def test_what_may_have_left_by_a_suspended_provider_is_held(store: SqliteStore) -> None:
    """Five faults suspend the first. The next cannot tell a second copy of those five, and sends what is new."""
    first, second = _Fake("resend", RuntimeError("misread")), _Fake("hold")
    shop = _Shop(store, first, second)
    await shop.queue(7)
    await shop.deliver()
    assert shop.states() == ["queued"] * 5 + ["sent"] * 2
    await shop.deliver_later()
    assert shop.states() == ["held"] * 5 + ["sent"] * 2
    assert len(first.given) == 6  # one has probed it
    assert second.given == ["thanks.6.ledger", "thanks.7.ledger"]
    assert shop.tally.tries[Try("email", "", "held", "held")] == 5
    assert ask(store.path, "SELECT count(*) FROM delivery_attempt WHERE provider = 'b'") == [(2,)]


async def test_messages_in_doubt_do_not_use_up_the_probes_of_a_provider(store: SqliteStore) -> None:
    """Both are down; of what waits for the second, the first message that it may be given probes it at once."""
    first, second = _Fake("resend", RuntimeError("misread")), _Fake("hold", ChannelDown("away"))
    shop = _Shop(store, first, second)
    await shop.queue(6)
    await shop.deliver()
    second.answer = None
    first.answer = ChannelDown("away")
    await shop.deliver_later()
    assert shop.states() == ["held"] * 5 + ["sent"]
    assert second.given == ["thanks.6.ledger"] * 2


async def test_what_may_have_left_goes_past_a_provider_that_holds(store: SqliteStore) -> None:
    """To one behind it that may be given a second copy."""
    first, second, third = _Fake("resend", OutcomeUnknown("broke off")), _Fake("hold"), _Fake("resend")
    shop = _Shop(store, first, second, third)
    await shop.queue()
    await shop.deliver()
    first.answer = PermanentFailure("550")
    await shop.deliver_later()
    assert (shop.states(), second.given, len(third.given)) == (["sent"], [], 1)


async def test_what_may_have_left_and_is_refused_later_is_held(store: SqliteStore) -> None:
    """It is not handed on in the same turn; why stands with the refusal, and the address is not suppressed."""
    first, second = _Fake("resend", OutcomeUnknown("broke off")), _Fake("hold")
    shop = _Shop(store, first, second)
    await shop.queue()
    await shop.deliver()
    first.answer = PermanentFailure("550", bad_address=True)
    await shop.deliver_later()
    assert (shop.states(), second.given) == (["held"], [])
    why = "550; not given to b, which cannot tell a second copy: one may have left before (broke off)"
    assert ask(store.path, "SELECT error FROM message") == [(why,)]
    assert ask(store.path, "SELECT count(*) FROM suppressed_address") == [(0,)]


async def test_what_a_crash_cut_off_is_held_when_another_is_to_send_it(store: SqliteStore) -> None:
    """The first is down at the next start; the row says by whom it may have left."""
    first, second = _Fake("resend", ChannelDown("away")), _Fake("hold")
    shop = _Shop(store, first, second)
    await shop.queue()
    lease = outbox.Lease("dead", NOW, "a")
    await store.write(partial(outbox.claim, channel="email", lease=lease, now=NOW, limit=1))
    await store.write(partial(recovery.recover, now=NOW))
    crashed = "the program ended while sending by a: it may have left"
    assert ask(store.path, "SELECT state, error FROM message") == [("queued", crashed)]
    await shop.deliver()
    assert (shop.states(), first.given, second.given) == (["held"], ["thanks.1.ledger"], [])


@pytest.mark.parametrize("first_holds", [True, False])
async def test_what_a_person_wants_sent_is_sent_until_it_may_have_left_once_more(
    store: SqliteStore, *, first_holds: bool
) -> None:
    """Whatever the providers say meanwhile, as long as it is surely not left; once told is enough."""
    first = _Fake("hold" if first_holds else "resend", OutcomeUnknown("broke off"))
    second = _Fake("hold", TemporaryFailure("450"))
    shop = _Shop(store, first, second)
    await shop.queue()
    await shop.deliver()
    first.answer = PermanentFailure("550")
    await shop.deliver_later()
    assert (shop.states(), second.given) == (["held"], [])
    await shop.is_wanted()
    await shop.deliver()
    first.answer = ChannelDown("away")
    await shop.deliver_later()
    second.answer = ChannelDown("away, too")
    await shop.deliver_later()
    assert (shop.states(), len(second.given)) == (["queued"], 3)
    second.answer = OutcomeUnknown("broke off, too")
    await shop.deliver_later()
    assert (shop.states(), len(second.given)) == (["held"], 4)
    await shop.is_wanted()
    second.answer = None
    await shop.deliver_later()
    assert (shop.states(), len(second.given)) == (["sent"], 5)


async def test_a_persons_word_is_about_the_copies_that_were(store: SqliteStore) -> None:
    """One that may have left since is another doubt."""
    first, second = _Fake("resend", OutcomeUnknown("broke off")), _Fake("hold")
    shop = _Shop(store, first, second)
    await shop.queue()
    await shop.deliver()
    await shop.is_wanted()
    await shop.deliver()
    first.answer = PermanentFailure("550")
    await shop.deliver_later()
    assert (shop.states(), second.given) == (["held"], [])


async def test_a_provider_that_may_resend_takes_what_may_have_left(store: SqliteStore) -> None:
    """As documented: sent, and marked."""
    first, second = _Fake("resend", OutcomeUnknown("broke off")), _Fake("resend")
    shop = _Shop(store, first, second)
    await shop.queue()
    await shop.deliver()
    first.answer = PermanentFailure("550")
    await shop.deliver_later()
    assert ask(store.path, "SELECT state, provider, maybe_sent_at FROM message") == [("sent", "b", NOW)]


async def test_a_plugin_that_must_hold_since_a_change_of_its_gateway_holds_what_may_have_left(
    store: SqliteStore,
) -> None:
    """Its name is the same, and the new gateway knows nothing of what the old one was given."""
    shop = _Shop(store, _Fake("resend", OutcomeUnknown("broke off")))
    await shop.queue()
    await shop.deliver()
    exchanged = _Fake("hold")
    changed = _Shop(store, exchanged)
    changed.now += _LATER
    await changed.deliver()
    assert (changed.states(), exchanged.given) == (["held"], [])
