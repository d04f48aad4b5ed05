"""The work that every side does: ratings with 120-character comments, of 10,000 customers, the same ones each time."""

from __future__ import annotations

import csv
import random
from typing import TYPE_CHECKING

from feedback_app.model import Customer, Feedback

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CUSTOMERS = 10_000
_WEIGHTS = (25, 25, 15, 15, 20)  # of 1 to 5 stars
_WORDS = (
    "the box was late but colour and fit are just what we hoped for thank you again we will come back soon"
)


def customer(number: int) -> Customer:
    """Return one of the customers, 0 to CUSTOMERS - 1."""
    return Customer(
        id=f"c{number}",
        name=f"Customer {number}",
        email=f"c{number}@example.com",
        preferred_channels=("count",),
    )


def ratings(count: int) -> Iterator[Feedback]:
    """Yield the ratings."""
    chance = random.Random(20261122)
    words = _WORDS.split()
    for number in range(count):
        yield Feedback(
            id=f"r{number}",
            source="bench",
            customer=f"c{chance.randrange(CUSTOMERS)}",
            item=f"item {number % 500}",
            rating=chance.choices((1, 2, 3, 4, 5), _WEIGHTS)[0],
            comment=" ".join(chance.choices(words, k=30))[:120].ljust(120, "."),
        )


def write_csv(folder: Path, count: int) -> Path:
    """Write ratings.csv; returns its path."""
    path = folder / "ratings.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "customer", "item", "rating", "comment"))
        writer.writerows((one.id, one.customer, one.item, one.rating, one.comment) for one in ratings(count))
    return path
