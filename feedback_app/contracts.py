"""What a plugin implements. Every promise stands here and is not repeated below."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from feedback_app.model import Customer, Feedback, Message, Receipt


class Notifier(ABC):
    """Takes messages to customers by one channel.

    `open` is called once before the first `send`, `close` once after the last, in the same event loop. `send`
    is called by several workers at once. It is cancelled after `timeout` seconds and has one more to clean up,
    then it is closed by force; a notifier that holds connections throws the one away that was cut in
    mid-conversation.
    """

    channel: str  # the name that customers prefer: lower case, such as "email"
    timeout: float = 60.0  # seconds one `send` may take
    on_unknown: Literal["resend", "hold"] = "hold"  # after OutcomeUnknown, a time-out or a crash in mid-send;
    # "resend" only where the far side tells a second copy by the message's id

    @abstractmethod
    async def send(self, message: Message) -> Receipt:
        """Hand one message over and return when the far side has taken responsibility for it.

        Raises TemporaryFailure (surely not sent), PermanentFailure (never will be), ChannelDown (nothing can be
        sent now) or OutcomeUnknown (may have been sent). Anything else is a bug in the plugin: it is logged with
        the plugin's name, and the message is retried as often as a temporary failure. Five messages that end so,
        and none that leaves between them, suspend the channel: it counts as down.
        """

    def address(self, customer: Customer) -> str | None:
        """Say where this customer is reached, or None when the channel cannot reach them."""
        return customer.addresses.get(self.channel) or customer.id

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
    """A stream of ratings in another system: copied into the ledger, then acknowledged."""

    name: str  # keeps the ids of different systems apart

    async def open(self) -> None:
        """Connect; raising marks the source as down, it is tried again with back-off."""

    @abstractmethod
    def receive(self) -> AsyncIterator[Sequence[tuple[object, Feedback]]]:
        """Yield batches of (handle, rating); an unacknowledged rating may come again."""

    @abstractmethod
    async def acknowledge(self, handles: Sequence[object]) -> None:
        """Tell the far side that these are safe in the ledger; called only after the commit."""

    async def close(self) -> None:
        """Let everything go."""
