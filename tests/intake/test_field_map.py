"""Which column is which field: --map, --set and the header."""

from __future__ import annotations

import pytest

from feedback_app.errors import UsageError
from feedback_app.intake.field_map import assignments
from tests.intake.reading import customers, good, ratings


def test_map_and_set_say_where_fields_come_from() -> None:
    """A constant may hold an equals sign, a column may have no name."""
    maps = assignments("--map", ["id=", "rating=Stars", "comment=Review Text"])
    sets = assignments("--set", ["item=a=b", "given_at=2026-11-01"])
    (one,) = good(ratings(",Stars,Review Text\n7,5,fine\n", maps=maps, sets=sets))
    assert (one.feedback.id, one.feedback.comment, one.feedback.item) == ("7", "fine", "a=b")
    assert one.feedback.given_at == 1_793_491_200_000


def test_set_wins_over_a_column_of_the_same_name() -> None:
    """The one who imports knows better than the file."""
    (one,) = good(ratings("rating,item\n5,a\n", sets={"item": "b"}))
    assert one.feedback.item == "b"


def test_an_exact_name_wins_over_one_in_capitals() -> None:
    """Only names that are alike but for capitals are ambiguous."""
    (one,) = good(ratings("RATING,rating\n1,5\n"))
    assert one.feedback.rating == 5.0


def test_one_column_may_serve_two_fields() -> None:
    """An address may be the customer's id as well."""
    (one,) = good(ratings("rating,Mail\n5,a@x.org\n", maps={"customer": "Mail", "email": "Mail"}))
    assert one.contact is not None
    assert (one.feedback.customer, one.contact.email) == ("a@x.org", "a@x.org")


@pytest.mark.parametrize(
    ("maps", "sets", "reason"),
    [
        ({"ratng": "a"}, {}, "--map ratng: there is no such field (did you mean 'rating'?); fields are id,"),
        ({}, {"colour": "a"}, "--set colour: there is no such field; fields are id, customer,"),
        ({"rating": "Starz"}, {}, "--map rating: r.csv has no column 'Starz' (did you mean 'Stars'?)"),
        ({"rating": "Stars"}, {"rating": "5"}, "--map rating and --set rating: give one of them"),
        ({"rating": "Stars"}, {"id": "5"}, "--set id: every row would get the same id"),
        ({}, {"rating": "9"}, "--set rating: rating must be a whole number from 1 to 5, got '9'"),
        ({"rating": "Stars"}, {"email": "me"}, "--set email: email must be one plain address"),
    ],
)  # fmt: skip
def test_a_map_or_set_that_cannot_be_is_a_usage_error(
    maps: dict[str, str], sets: dict[str, str], reason: str
) -> None:
    """Before the first row, in one line."""
    with pytest.raises(UsageError) as caught:
        ratings("Stars,customer\n5,c\n", maps=maps, sets=sets)
    assert str(caught.value).startswith(reason)
    assert "\n" not in str(caught.value)


def test_all_wrong_maps_are_named_at_once() -> None:
    """A line for each."""
    with pytest.raises(UsageError) as caught:
        ratings("Stars\n5\n", maps={"a": "b", "rating": "c"}, sets={"d": "e"})
    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize("texts", [["rating"], ["=x"], ["item=a", "item=b"]])
def test_assignments_are_field_equals_value(texts: list[str]) -> None:
    """Once for each field."""
    with pytest.raises(UsageError, match=r"^--map"):
        assignments("--map", texts)


def test_customers_have_fields_of_their_own() -> None:
    """A customer has no rating."""
    with pytest.raises(
        UsageError, match=r"^--map rating: there is no such field; fields are id, name, email"
    ):
        customers("id\n1\n", maps={"rating": "id"})
