"""The work that every side does: ratings with 120-character comments, of 10,000 customers."""

from __future__ import annotations

import csv
import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

CUSTOMERS = 10_000
_WEIGHTS = (25, 25, 15, 15, 20)  # of 1 to 5 stars
_WORDS = [
    "the",
    "box",
    "was",
    "late",
    "but",
    "colour",
    "and",
    "fit",
    "are",
    "just",
    "what",
    "we",
    "hoped",
    "for",
    "thank",
    "you",
    "again",
    "we",
    "will",
    "come",
    "back",
    "soon",
]


def write_files(folder: Path, ratings: int) -> tuple[Path, Path]:
    """Write customers.csv and ratings.csv, the same ones each time; returns their paths."""
    chance = random.Random(20261122)
    customers, rows = folder / "customers.csv", folder / "ratings.csv"
    with customers.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "name", "email", "preferred_channel"))
        writer.writerows(
            (f"c{number}", f"Customer {number}", f"c{number}@example.com", "count")
            for number in range(CUSTOMERS)
        )
    with rows.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "customer", "item", "rating", "comment"))
        for number in range(ratings):
            comment = " ".join(chance.choices(_WORDS, k=30))[:120].ljust(120, ".")
            stars = chance.choices((1, 2, 3, 4, 5), _WEIGHTS)[0]
            customer = f"c{chance.randrange(CUSTOMERS)}"
            writer.writerow((f"r{number}", customer, f"item {number % 500}", stars, comment))
    return customers, rows
