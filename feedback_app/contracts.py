"""What a plugin implements. Every promise stands here and is not repeated below."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Literal

from feedback_app.errors import ForgedReceipt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from feedback_app.model import (
        Batch,
        Customer,
        DeliveryReceipt,
        Feedback,
        Message,
        Receipt,
        ReceiptRequest,
        Received,
    )


class Notifier(ABC):
    """Takes messages to customers by one channel.

    `open` is called once before the first `send`, `close` once after the last, in the same event loop. `send`
    is called by several workers at once. It is cancelled after `timeout` seconds and has one more to clean up,
    then it is closed by force; a notifier that holds connections throws the one away that was cut in
    mid-conversation.
    """

    channel: str  # the name that customers prefer: lower case, such as "email"
    timeout: float = 60.0  # seconds one `send` may take
    # After OutcomeUnknown, a bug, a time-out or a crash in mid-send; "resend" only where the far side tells a second
    # copy by the message's id.
    on_unknown: Literal["resend", "hold"] = "hold"

    @abstractmethod
    async def send(self, message: Message) -> Receipt:
        """Hand one message over and return when the far side has taken responsibility for it.

        Raises TemporaryFailure (surely not sent), PermanentFailure (never will be), ChannelDown (nothing can be
        sent now) or OutcomeUnknown (may have been sent). Anything else is a bug in the plugin: it is logged with
        the plugin's name, and as nobody knows whether it came up before the message left, `on_unknown` decides. Five
        messages that end so or take longer than `timeout`, and none that leaves between them, suspend the channel: it
        counts as down. So do five sends that block the event loop.
        """

    def address(self, customer: Customer) -> str | None:
        """Say where this customer is reached, or None when the channel cannot reach them."""
        return customer.addresses.get(self.channel) or customer.id

    def read_receipts(self, request: ReceiptRequest) -> Sequence[DeliveryReceipt]:
        """Say what a far side's later request tells of messages; nothing where it tells nothing of any.

        Raises ForgedReceipt when it does not prove whose it is, ValueError with a sentence for one that is malformed.
        """
        raise ForgedReceipt("this channel takes no receipts")

    async def check(self) -> str | None:
        """Reach the far side, log in and leave, without sending anything; say what was reached, or None: nothing to.

        For `feedback-app doctor`, on a notifier that was not opened, also while the daemon runs; `close` follows.
        Raises as `send` does. What it returns is shown: no secrets in it.
        """
        return None

    async def open(self) -> None:
        """Get ready; raising fails the start and names the plugin."""

    async def close(self) -> None:
        """Let everything go; called also after a failed `open`. It has 10 seconds."""


class Analyser(ABC):
    """Adds facts to a rating before it is routed.

    One that fails five times in a row is suspended: asked again once a minute, for one rating, until it answers.
    """

    name: str  # the key of its facts
    timeout: float = 10.0  # seconds; a late analysis is left out, the rating goes on

    @abstractmethod
    async def analyse(self, feedback: Feedback) -> Mapping[str, object]:
        """Return JSON-able facts about the rating; an exception leaves them out and is logged."""


class Source(ABC):
    """A stream of ratings in another system: copied into the ledger, committed, and only then acknowledged.

    One call at a time, all in one event loop: `open`, then `receive` and `acknowledge` in turn, `lag` between them, at
    the end `close`; after that it may be opened again. SourceDown, or whatever else one of them raises, marks the
    source as down with that reason, which is shown, so no secrets and no customers' data in it: it is closed and
    opened again after a while, ever longer; other sources go on. A call that takes longer than `open` 30 s, `receive`
    60 s, `acknowledge` 30 s, `lag` and `close` 10 s is cancelled.

    A payload is a JSON object, whose keys become fields by `map` and `set` as in `feedback import`; one that is no
    rating is kept as a dead letter with its bytes, and acknowledged. What is not acknowledged may come again: the
    rating's id tells it for a duplicate, so ids must be the far side's own and stable.

    Where many daemons share a ledger, each of them runs the source: the far side gives each payload to one of them, or
    each reads all and the ids tell the doubles.
    """

    name: str  # the `source` of its ratings: keeps the ids of different systems apart
    map: Mapping[str, str] = {}  # field → key of the payload; a key with a field's name is that field
    set: Mapping[str, str] = {}  # field → the value of every rating

    async def check(self) -> str | None:
        """Reach the far side without taking or changing anything; say what was reached, or None: nothing to.

        For `feedback-app doctor`, on a source that was not opened, also while the daemon runs; `close` follows.
        Raises as `open` does. What it returns is shown: no secrets in it.
        """
        return None

    async def open(self, position: str | None) -> None:
        """Connect and go on behind `position`, what the last committed `Batch` said, None at the very beginning."""

    @abstractmethod
    async def receive(self, limit: int) -> Batch:
        """Wait for the next payloads and return at most `limit`; return an empty batch after a few seconds of none.

        Cancelled when the daemon stops or the source is paused: what was under way may be lost to this call, not to
        the far side.
        """

    @abstractmethod
    async def acknowledge(self, received: Sequence[Received]) -> None:
        """Tell the far side that these are safe in the ledger; called only after the commit.

        They are what one `receive` returned, in its order; those that became dead letters have a `reason`.
        """

    async def lag(self) -> int | None:
        """Return how many payloads wait on the far side, None where it does not tell; raising means None."""
        return None

    async def close(self) -> None:
        """Let everything go; called also after a failed `open`. It has 10 seconds."""
