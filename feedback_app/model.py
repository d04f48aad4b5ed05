"""The data that travels through the program: frozen, keyword-only, without behaviour.

Structs rather than dataclasses, because a rating makes half a dozen of them on its road and to make a frozen dataclass
takes twenty times as long. `msgspec.structs.replace(one, field=value)` makes a changed copy.

Times are UNIX epoch milliseconds (UTC) as whole numbers, in memory and in the ledger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Milliseconds: TypeAlias = int  # since 1970-01-01T00:00Z

Ended: TypeAlias = Literal[
    "low", "thanked", "no_customer", "unknown_customer", "no_channel", "opted_out", "history"
]  # where the road of a rating ended

Purpose: TypeAlias = Literal["thanks", "apology", "report", "test"]  # why a message is sent

MESSAGE_STATES = ("queued", "sending", "sent", "held", "suppressed", "dead")
FEEDBACK_STATES = ("received", "processed", "dead")
LOW_RATING_STATES = ("open", "acknowledged", "resolved")


class Feedback(Struct, frozen=True, kw_only=True):
    """One customer's rating."""

    rating: float  # on the configured scale, by default a whole number from 1 to 5
    id: str = ""  # the source's own id; with `source` the dedupe key; "" gets a random one
    source: str = "app"  # which system it came from
    customer: str | None = None  # the customer's id; None: nobody to thank
    item: str | None = None  # what was rated
    comment: str = ""  # the customer's words, verbatim
    given_at: Milliseconds | None = None  # when the customer gave it, where the source says so
    thank: bool = True  # False for history that is taken in without thanking anyone
    number: int = 0  # the ledger's number, 0 until stored
    received_at: Milliseconds = 0  # when the ledger took it, 0 until stored


class Customer(Struct, frozen=True, kw_only=True):
    """Whom to thank, and how. A None or empty field is unknown."""

    id: str
    name: str | None = None
    email: str | None = None
    phone: str | None = None  # E.164, such as +4915112345678
    preferred_channels: tuple[str, ...] = ()  # in order; the first that can reach the customer is taken
    addresses: Mapping[str, str] = field(default_factory=dict)  # channel → address, beyond email and phone
    locale: str | None = None  # BCP 47, such as de-AT
    timezone: str | None = None  # IANA, such as Europe/Vienna
    opted_out: bool = False  # never thanked


class Message(Struct, frozen=True, kw_only=True):
    """One message to one recipient by one channel, ready to send."""

    id: str  # globally unique and stable over all attempts: the idempotency key, fit for a Message-ID's left side
    purpose: Purpose
    channel: str
    recipient: str  # the address or number
    text: str
    feedback_id: int | None = None  # the ledger's number of the rating, None for a report
    customer_id: str | None = None
    customer_name: str | None = None
    subject: str = ""
    html: str = ""  # "" where the channel has no HTML form
    locale: str | None = None
    attempt: int = 1  # 1 for the first try


class Receipt(Struct, frozen=True, kw_only=True):
    """What the far side said when it took a message."""

    provider_id: str | None = None  # the far side's own id of the message
    detail: str | None = None  # such as the SMTP reply; shown, so no secrets


class Settled(Struct, frozen=True, kw_only=True):
    """How a message ended; `Message.attempt` says with which try."""

    state: Literal["sent", "suppressed", "dead"]  # suppressed: nothing was to be sent; dead: given up
    at: Milliseconds
    provider: str = ""  # the plugin that was asked last, "" where none was
    provider_id: str | None = None  # the far side's own id of the message
    reason: str | None = None  # why it was not sent


class ReceiptRequest(Struct, frozen=True, kw_only=True):
    """What a far side told of messages later, by HTTP: a request as it came."""

    url: str  # whole, as the far side called it
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)  # by lower-case name
    method: str = "POST"


class DeliveryReceipt(Struct, frozen=True, kw_only=True):
    """What became of a message that the far side had taken."""

    message_id: str  # Message.id
    state: Literal["delivered", "delayed", "failed"]  # failed: it never arrives
    detail: str = ""  # the far side's words; shown, so no secrets
    bad_address: bool = False  # nobody is reached there: nothing more is sent to it
    # The far side's id of the copy, or of its notice: what failed a message once is known by it.
    provider_id: str | None = None


class Outcome(Struct, frozen=True, kw_only=True):
    """What the pipeline decided for one rating; committed as a whole or not at all."""

    feedback: Feedback
    ended: Ended
    analysis: Mapping[str, object]  # JSON-able facts by analyser
    keep_low: bool  # keep as a low rating
    messages: tuple[Message, ...] = ()


class Received(Struct, frozen=True, kw_only=True):
    """One payload as a source handed it over."""

    payload: bytes  # a JSON object, as it came
    id: str = ""  # the far side's own id, taken where the payload names none
    handle: object = None  # whatever the source needs to acknowledge it
    reason: str = (
        ""  # why it is no rating: said by a source that can tell, or found before it is acknowledged
    )


class Batch(Struct, frozen=True, kw_only=True):
    """What a source received at once."""

    received: Sequence[Received] = ()
    position: str | None = (
        None  # where to go on after a new start, for sources that cannot remember it; None: as before
    )


class Section(Struct, frozen=True, kw_only=True):
    """A plugin's part of the daily report."""

    title: str
    text: str  # plain lines
    html: str = ""  # trusted markup of the plugin; "" shows the text
