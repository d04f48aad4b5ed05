"""Ids of rows that bring none, and hashes of contents."""

from __future__ import annotations

import sys
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from feedback_app.intake.identity import RowIds, content_hash
from feedback_app.intake.scale import Scale
from feedback_app.model import Feedback
from tests.intake.reading import good, ratings

ROWS = st.lists(st.tuples(st.sampled_from("1234569"), st.sampled_from(["", "a", "b"])), max_size=20)


def ids(rows: list[tuple[str, str]], *, name: str = "r.csv", end: str = "\n", **options: Any) -> list[str]:
    """Read the rows as a file and return the ids that the good ones got."""
    content = "".join(f"{','.join(row)}{end}" for row in [("rating", "item"), *rows])
    return [one.feedback.id for one in good(ratings(content, name=name, **options))]


@given(ROWS)
def test_ids_are_unique_and_the_same_again(rows: list[tuple[str, str]]) -> None:
    """Equal rows too, whatever the line ends and the --map."""
    first = ids(rows)
    assert len(set(first)) == len(first)
    assert ids(rows) == first
    assert ids(rows, end="\r\n") == first
    assert ids(rows, maps={"comment": "item"}) == first


@given(ROWS, ROWS)
def test_a_file_that_has_grown_keeps_the_ids_of_its_rows(
    rows: list[tuple[str, str]], more: list[tuple[str, str]]
) -> None:
    """New rows get new ids."""
    first, grown = ids(rows), ids(rows + more)
    assert grown[: len(first)] == first
    assert len(set(grown)) == len(grown)


@given(ROWS)
def test_another_scale_keeps_the_ids(rows: list[tuple[str, str]]) -> None:
    """Rows that were refused at first come in later beside those that came in before."""
    assert set(ids(rows)) <= set(ids(rows, scale=Scale(minimum=1, maximum=10)))


def test_an_id_is_made_of_name_content_and_ordinal() -> None:
    """The same row of another file is another rating; the order of the digits is fixed for ever."""
    assert ids([("5", "a"), ("5", "a"), ("5", "b"), ("5", "a")]) == [
        "r.csv#8a98878782ee197a243a96ba",
        "r.csv#8a98878782ee197a243a96ba-2",
        "r.csv#df3f66c7514460ee5f5ce942",
        "r.csv#8a98878782ee197a243a96ba-3",
    ]
    assert ids([("5", "a")], name="s.csv") == ["s.csv#8a98878782ee197a243a96ba"]
    assert ids([("5", "a")], name="") == ["#8a98878782ee197a243a96ba"]


def test_an_id_of_its_own_is_taken_as_it_is() -> None:
    """And only where it is blank one is made."""
    first, second = good(ratings("id,rating\n a1 ,5\n,5\n"))
    assert first.feedback.id == "a1"
    assert second.feedback.id.startswith("r.csv#")


def test_columns_that_run_together_are_different_rows() -> None:
    """`ab,c` is not `a,bc`."""
    first, second = (one.feedback.id for one in good(ratings("rating,x,y\n5,ab,c\n5,a,bc\n")))
    assert first != second


def test_a_file_name_that_is_no_text_makes_a_storable_id() -> None:
    """Its odd bytes are written out."""
    assert RowIds("caf\udce9.csv").next_id("x").startswith("caf\\udce9.csv#")


def test_the_memory_is_small() -> None:
    """About 80 bytes a row, however long the rows are."""
    seen = RowIds("r.csv")
    for number in range(80_000):
        seen.next_id(str(number))
    size = sys.getsizeof(seen._seen) + sum(sys.getsizeof(key) for key in seen._seen)
    assert size < 100 * 80_000


def test_the_hash_tells_contents_apart() -> None:
    """It covers customer, item, rating, comment and given_at, and nothing else."""
    one = Feedback(rating=5.0, customer="c", item="i", comment="words", given_at=1)
    others = [
        replace(one, rating=4.0),
        replace(one, customer="ci", item=""),
        replace(one, customer=None),
        replace(one, item="j"),
        replace(one, comment="word"),
        replace(one, given_at=None),
        replace(one, given_at=0),
    ]
    assert len({content_hash(each) for each in [one, *others]}) == 8
    assert content_hash(replace(one, id="x", source="y", thank=False, number=7)) == content_hash(one)
    assert content_hash(replace(one, rating=5)) == content_hash(one)
    assert content_hash(one).hex() == "b8b1441ea0bcc34a96a2a2f6"
