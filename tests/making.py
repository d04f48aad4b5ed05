"""Makes the data that tests need, with everything that does not matter filled in."""

from __future__ import annotations

from feedback_app.intake.identity import content_hash
from feedback_app.intake.records import Incoming
from feedback_app.model import Customer, Feedback, Message

NOW = 1_800_000_000_000  # milliseconds: 2027-01-15T08:00:00Z


def incoming(
    id: str = "r1",  # noqa: A002 - the field's name
    *,
    rating: float = 5,
    customer: str | None = "c1",
    source: str = "test",
    comment: str = "",
    contact: Customer | None = None,
    thank: bool = True,
) -> Incoming:
    """Return a rating on its way in."""
    feedback = Feedback(
        id=id, rating=rating, customer=customer, source=source, comment=comment, item="umbrella", thank=thank
    )
    return Incoming(feedback, contact, content_hash(feedback), 1, ())


def message(
    number: int = 1,
    *,
    channel: str = "email",
    customer: str | None = "c1",
    feedback: int | None = None,
    recipient: str = "ada@example.com",
) -> tuple[str, Message]:
    """Return (dedupe key, message) for the outbox."""
    made = Message(
        id=f"thanks.{number}.ledger",
        purpose="thanks",
        channel=channel,
        recipient=recipient,
        text="Thank you.",
        feedback_id=feedback,
        customer_id=customer,
    )
    return f"thanks:{number}", made
