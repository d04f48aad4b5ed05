"""Applies what far sides say of messages later, whoever brings it: a mail, a file, a request."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from feedback_app.errors import storable
from feedback_app.model import DeliveryReceipt
from feedback_app.store import message_queries, receipts
from feedback_app.store.receipts import Noted
from feedback_app.store.suppressions import normal

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from feedback_app.clock import Clock
    from feedback_app.delivery.bounces import Bounce
    from feedback_app.delivery.fallback import FallBack
    from feedback_app.store.store import Store


class Receipts:
    """Notes receipts; what will not arrive goes by the customer's next channel, as far as `fall_back` finds one."""

    def __init__(self, store: Store, fall_back: FallBack, *, clock: Clock) -> None:
        self._store = store
        self._fall_back = fall_back
        self._clock = clock
        self.counts: Counter[str] = (
            Counter()
        )  # "delivered", "delayed", "failed", and what changed nothing, by `Noted`

    async def bounced(self, bounce: Bounce) -> Noted:
        """Note what a mail says. One about another address than the message's is strange: anybody can write mails."""
        receipt = DeliveryReceipt(
            message_id=bounce.message_id,
            state=bounce.state,
            detail=bounce.detail,
            bad_address=bounce.bad_address,
            provider_id=bounce.id,
        )
        return await self.note(receipt, recipient=bounce.recipient)

    async def note(
        self, receipt: DeliveryReceipt, *, channel: str | None = None, recipient: str | None = None
    ) -> Noted:
        """Note one receipt; `channel` and `recipient` are what it has to be about, where that is known."""
        noted = await self._note(receipt, channel, recipient)
        self.counts[receipt.state if noted is Noted.NEW else noted.value] += 1
        return noted

    async def _note(self, receipt: DeliveryReceipt, channel: str | None, recipient: str | None) -> Noted:
        number = await self._store.read(partial(message_queries.find, name=storable(receipt.message_id)))
        found = None if number is None else await self._store.read(partial(receipts.addressed, number=number))
        if found is None:
            return Noted.STRANGE
        is_meant = channel in (None, found.message.channel)
        if recipient is not None:
            is_meant = normal(found.message.recipient) == normal(recipient)
        if not is_meant:
            return Noted.KNOWN if found.has_bounced else Noted.STRANGE
        instead = await self._fall_back.instead_of(found.message) if receipt.state == "failed" else None
        told = DeliveryReceipt(
            message_id=receipt.message_id,
            state=receipt.state,
            detail=storable(receipt.detail),
            bad_address=receipt.bad_address,
            provider_id=storable(receipt.provider_id) if receipt.provider_id else None,
        )
        # A mail that was noted without its id is known by its words; those of a gateway are the same for every copy.
        words = told.detail if recipient is not None else None

        def unit(connection: Connection) -> Noted:
            now = receipts.addressed(connection, found.number)
            if now is None or now.message != found.message:  # it moved on meanwhile
                return Noted.KNOWN
            return receipts.note(connection, now, told, self._clock(), instead, words)

        return await self._store.write(unit)
