"""The shipped analyser that flags ratings against their words."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from feedback_app import Feedback
from feedback_app.plugins.disagreement import Disagreement, Settings
from tests.plugin_host.conftest import info

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.plugin_host.conftest import Place

FILE = Path(__file__).parents[2] / "plugins" / "disagreement.py"


async def flagged(rating: float, comment: str, **settings: object) -> list[str]:
    """Return the words for which it flags a rating."""
    analyser = Disagreement(Settings.model_validate({"languages": ["en", "de"], **settings}))
    facts: Mapping[str, Any] = await analyser.analyse(Feedback(rating=rating, comment=comment))
    assert facts == {} or facts["disagrees"] is True
    return list(facts.get("words", []))


@pytest.mark.parametrize(
    ("rating", "comment", "found"),
    [
        (5, "TERRIBLE, and it broke.", ["broke", "terrible"]),
        (5, "Leider kaputt, ich bin enttäuscht.", ["enttäuscht", "kaputt"]),
        (1, "I love it, perfect!", ["love", "perfect"]),
        (1, "Ich bin begeistert", ["begeistert"]),
        (1, "Großartig", ["grossartig"]),
        (4, "terrible", []),
        (2, "perfect", []),
        (3, "terrible and perfect", []),
        (5, "", []),
        (5, "Not terrible at all", []),
        (5, "it isn’t one bit terrible", []),
        (5, "Nie schlecht", []),
        (5, "I feared it would be terrible, it is wonderful", []),
        (1, "I loved the colour, but it tore", []),
        (1, "Not perfect", []),
        (1, "Schöne Farbe, toll, aber zu klein", []),
        (5, "terrible" * 2, []),
    ],
)
async def test_words_against_the_rating_are_named(rating: float, comment: str, found: list[str]) -> None:
    """Unless something turns them round, or other words speak for the rating."""
    assert await flagged(rating, comment) == found


async def test_scale_and_words_are_the_operators() -> None:
    """Where high and low begin, more words, fewer words, other languages."""
    assert await flagged(9, "terrible", high=9, low=2) == ["terrible"]
    assert await flagged(5, "Sauerei", anger=["Sauerei"]) == ["sauerei"]
    assert await flagged(5, "broke", ignore=["Broke"]) == []
    assert await flagged(5, "terrible", languages=["de"]) == []


@pytest.mark.parametrize("comment", ["terrible " * 120_000, "not " * 250_000, "x" * 1_000_000])
async def test_a_huge_comment_does_not_hold_others_up(comment: str) -> None:
    """A megabyte takes less than 50 ms."""
    started = time.process_time()
    await flagged(5, comment)
    assert time.process_time() - started < 0.05


async def test_few_real_reviews_are_flagged(shared_data: Path) -> None:
    """As the page says: 16 of 5,322 with five stars, 3 of 343 with one."""
    with (shared_data / "womens_clothing_reviews.csv").open(encoding="utf-8", newline="") as file:
        reviews = [(float(row["Rating"]), row["Review Text"]) for row in csv.DictReader(file)]
    analyser = Disagreement(Settings(languages=["en"]))
    found = [
        rating for rating, text in reviews if await analyser.analyse(Feedback(rating=rating, comment=text))
    ]
    assert (found.count(5), found.count(1), len(found)) == (16, 3, 19)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("languages = ['fr']", "languages[0]: "),
        ("languages = []\nanger = ['two words']", "anger[0]: must be one word"),
        ("languages = []\nlow = 5", "low must be below high"),
    ],
)
def test_settings_that_cannot_work_are_refused(place: Place, line: str, problem: str) -> None:
    """With their place; without the table it is idle."""
    place.write("disagreement.py", FILE.read_text("utf-8"))
    assert info(place.load(), "disagreement").state == "idle"

    [found] = place.load(f"[plugins.disagreement]\n{line}\n").problems
    assert problem in found
