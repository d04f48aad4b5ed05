"""Messages, customers and comments as they really come: unusual ones above all.

Recipients are reserved for such use: example.com (RFC 2606) and +1 202 555 01xx belong to nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from feedback_app.model import Customer, Feedback, Message

if TYPE_CHECKING:
    from feedback_app.contracts import Notifier

EMAIL = "test@example.com"
PHONE = "+12025550123"
TESTER = Customer(
    id=EMAIL,  # where a channel takes the customer's id for an address, it is nobody's either
    name="Test Customer",
    email=EMAIL,
    phone=PHONE,
    locale="en",
    timezone="Europe/Vienna",
)

ODD_TEXTS = (
    ("one letter", "x"),
    ("emoji", "Thank you 👩‍👩‍👧‍👦🏳️‍🌈 ❤️"),
    ("many scripts", "Grüße, 谢谢, Ευχαριστώ, धन्यवाद, شكرا"),
    ("combining marks", "Z͑ͫ̓ͪ̂ͫ̽a̴̵̞l̷̨g̸o e\u0301"),
    ("a text that turns the direction", "abc \u202etxt.exe\u202c def"),
    ("markup", "<script>alert('x')</script> & <b>thanks</b> {name} %s %(name)s {{ name }}"),
    ("line ends of all kinds", "one\ntwo\r\nthree\rfour\n.\n..\nfrom five"),
    ("control characters", "bell \x07, escape \x1b[31m, null \x00"),
    ("10,000 letters", "Thank you very much. " * 500),
    ("a line of 5,000 letters", "x" * 5000),
)


def reachable(channel: str, address: str | None = None) -> Customer:
    """Return the test customer, with an address stored for the channel."""
    return msgspec.structs.replace(TESTER, addresses={channel: address or EMAIL})


def plain(notifier: Notifier, number: int = 1, **fields: Any) -> Message:
    """Return a message to the test customer, with an id of its own for each number."""
    facts: dict[str, Any] = {
        "id": f"kit.{number}.test",
        "purpose": "thanks",
        "channel": notifier.channel,
        "recipient": notifier.address(reachable(notifier.channel)) or EMAIL,
        "customer_id": TESTER.id,
        "customer_name": TESTER.name,
        "subject": "Thank you",
        "text": "Thank you for your rating.",
        "html": "<p>Thank you for your rating.</p>",
        "locale": "en",
    }
    return Message(**facts | fields)


def odd_messages(notifier: Notifier, **fields: Any) -> list[tuple[str, Message]]:
    """Return unusual messages, each with what is unusual about it; `fields` are the same in all."""
    odd = [
        (what, plain(notifier, number, text=text, html="", **fields))
        for number, (what, text) in enumerate(ODD_TEXTS, start=100)
    ]
    empty = {"subject": "", "html": "", "customer_id": None, "customer_name": None, "locale": None}
    return [
        *odd,
        ("empty optional fields", plain(notifier, 200, **empty, **fields)),
        (
            "a subject with a line end",
            plain(notifier, 201, subject="Thank you\r\nBcc: all@example.com", **fields),
        ),
        (
            "a name with a line end",
            plain(notifier, 202, customer_name="Eve\r\nBcc: all@example.com", **fields),
        ),
        ("a report", plain(notifier, 203, purpose="report", customer_id=None, customer_name=None, **fields)),
    ]


def odd_customers(channel: str) -> list[tuple[str, Customer]]:
    """Return unusual customers, each with what is unusual about it."""
    return [
        ("a customer of whom only the id is known", Customer(id="c1")),
        (
            "a customer with empty fields",
            Customer(id="c1", name="", email="", phone="", addresses={channel: ""}),
        ),
        ("a customer with an emoji for an id", Customer(id="👋", name="👋")),
        (
            "a customer with an address for the channel",
            Customer(id="c1", addresses={channel: "somewhere"}),
        ),
        (
            "a customer with contacts that are none",
            Customer(id="c1", email="not an address", phone="call me", locale="??", timezone="Mars/Base"),
        ),
        ("a customer with an id of 10,000 letters", Customer(id="c" * 10_000, name="n" * 10_000)),
        ("a customer who opted out", Customer(id="c1", email=EMAIL, phone=PHONE, opted_out=True)),
    ]


def rating(comment: str = "Shipping was slow, but the lamp is lovely.", **fields: Any) -> Feedback:
    """Return a stored rating."""
    facts = {"rating": 4.0, "id": "r1", "customer": "c1", "item": "lamp", "number": 1}
    return Feedback(comment=comment, received_at=1_800_000_000_000, **{**facts, **fields})


def odd_ratings() -> list[tuple[str, Feedback]]:
    """Return unusual ratings, each with what is unusual about it."""
    odd = [(what, rating(text)) for what, text in ODD_TEXTS]
    return [
        *odd,
        ("no comment", rating("")),
        ("blanks only", rating(" \n\t ")),
        ("nothing but the rating", Feedback(rating=1)),
        ("half a point", rating(rating=0.5)),
        ("a million letters", rating("never again " * 85_000)),
    ]
