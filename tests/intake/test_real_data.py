"""Three public data sets, where they are at hand."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from feedback_app.intake.scale import Scale
from tests.intake.reading import good, ratings, refused


@pytest.fixture(scope="module")
def data() -> Path:
    """Return the folder of the data sets, which may not be copied into the project."""
    folder = Path(__file__).parents[3] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"the public data sets are not at {folder}")
    return folder


def test_clothing_reviews_keep_their_line_breaks_and_quotes(data: Path) -> None:
    """All 10,000, 1,020 of them below 3, every comment verbatim."""
    path = data / "womens_clothing_reviews.csv"
    maps = {"rating": "Rating", "item": "Clothing ID", "comment": "Review Text"}
    read = good(ratings(path.read_bytes(), name=path.name, maps=maps))
    assert Counter(one.feedback.rating for one in read) == {5: 5569, 4: 2187, 3: 1224, 2: 669, 1: 351}
    with path.open(newline="", encoding="utf-8") as file:
        expected = [row["Review Text"] for row in csv.DictReader(file)]
    assert [one.feedback.comment for one in read] == expected
    assert len({one.feedback.id for one in read}) == 10_000


def test_fashion_ratings_are_read_with_their_times(data: Path) -> None:
    """1,000, of them 86 below 3; reviewer and item come more than once."""
    path = data / "amazon_fashion.jsonl"
    maps = {
        "customer": "reviewerID", "item": "asin", "rating": "overall", "comment": "reviewText",
        "given_at": "unixReviewTime",
    }  # fmt: skip
    read = good(ratings(path.read_bytes(), name=path.name, maps=maps))
    assert (len(read), sum(one.feedback.rating < 3 for one in read)) == (1000, 86)
    assert read[0].feedback.given_at == 1_441_324_800_000
    assert len({one.feedback.id for one in read}) == 1000


def test_half_stars_need_their_own_scale(data: Path) -> None:
    """30,398 of 100,836 are refused on whole stars, none on half stars."""
    path = data / "movielens" / "ratings.csv"
    content, maps = path.read_bytes(), {"customer": "userId", "item": "itemId", "rating": "rating"}
    whole = ratings(content, name=path.name, maps=maps)
    assert (len(good(whole)), len(refused(whole))) == (70_438, 30_398)
    assert refused(whole)[0][1].startswith("rating must be a whole number from 1 to 5, got '")
    half = good(ratings(content, name=path.name, maps=maps, scale=Scale.from_text("0.5..5/0.5")))
    assert (len(half), sum(one.feedback.rating < 3 for one in half)) == (100_836, 19_073)
    assert {one.feedback.id for one in good(whole)} <= {one.feedback.id for one in half}
