"""Ratings and customers as they could be, to render templates with before the first real ones come."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from feedback_app.model import Customer, Feedback

if TYPE_CHECKING:
    from collections.abc import Iterator

_STARS = 11  # ratings of a wide scale that are tried

ODD = '<i>O\'Neill & "Söhne"</i> 李小龍 {{ 7 * 7 }}'  # what must come out of HTML escaped
_LONG = "Wolfeschlegelsteinhausenbergerdorff " * 5


class Sample(NamedTuple):
    """One rating by one customer."""

    feedback: Feedback
    customer: Customer
    label: str  # what is special about it, "" for nothing


def feedback(rating: float) -> Feedback:
    """Return a rating in which nothing is empty."""
    return Feedback(rating=rating, item="Blue umbrella", comment="Sample comment")


def customer(locale: str | None = None) -> Customer:
    """Return a customer with a name."""
    return Customer(id="c1", name="Ada Lovelace", locale=locale)


def samples(lowest: float, highest: float) -> Iterator[Sample]:
    """Yield an ordinary rating, then one for each star, then those that templates forget or are surprised by."""
    full, ada, nobody = feedback(highest), customer(), Customer(id="c1")
    yield Sample(full, ada, "")
    for star in stars(lowest, highest):
        yield Sample(feedback(star), ada, f"rating {star:g}")
    yield Sample(full, nobody, "customer without a name")
    yield Sample(replace(full, item=None), ada, "rating without an item")
    yield Sample(replace(full, comment=""), ada, "rating without a comment")
    yield Sample(Feedback(rating=lowest), nobody, "rating alone")
    yield Sample(replace(full, item=ODD, comment=ODD), Customer(id="c1", name=ODD), "unusual words")
    yield Sample(replace(full, item=_LONG, comment=_LONG * 20), Customer(id="c1", name=_LONG), "long words")


def stars(lowest: float, highest: float) -> list[float]:
    """Return ratings from the one end of the scale to the other: each whole step of one that is short."""
    width = highest - lowest
    count = int(width) + 1 if width == int(width) and width < _STARS else _STARS
    return [lowest + width * step / (count - 1) for step in range(count)]
