"""JSON lines: a broken line is a reject with its number, the others go on."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_app.errors import BadData
from feedback_app.intake.records import Reject
from tests.intake.reading import good, ratings, refused

GOOD = '{"rating": 5}'


def test_plain_lines_are_read() -> None:
    """Missing keys and null are blank; numbers serve as ids."""
    first, second = good(
        ratings('{"rating": 5.0, "customer": 42, "item": null}\n{"rating": "4"}\n', name="r")
    )
    assert (first.feedback.rating, first.feedback.customer, first.feedback.item) == (5.0, "42", None)
    assert (second.feedback.rating, second.line) == (4.0, 2)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"rating": 5, "comment": "cut o', "invalid JSON: the line ends in the middle (cut off?)"),
        (b'{"rating": 5,', "invalid JSON: the line ends in the middle (cut off?)"),
        (b"{rating: 5}", "invalid JSON at column 2: expecting property name enclosed in double quotes"),
        (b'{"rating": 5} {"rating": 4}', "more than one JSON value in the line, from column 15"),
        (b'{"rating": 5}{"rating": 4}', "more than one JSON value in the line, from column 14"),
        (b'[{"rating": 5}]', "a JSON object is wanted, got an array"),
        (b'"5"', "a JSON object is wanted, got '5'"),
        (b"null", "a JSON object is wanted, got null"),
        (b'{"rating": 5, "rating": 4}', "the key 'rating' stands twice in an object"),
        (b'{"rating": 5, "x": {"a": 1, "a": 2}}', "the key 'a' stands twice in an object"),
        (b'{"rating": NaN}', "invalid JSON: NaN is not a JSON value"),
        (b'{"rating": -Infinity}', "invalid JSON: -Infinity is not a JSON value"),
        (b'{"rating": 1e999}', "rating must be a whole number from 1 to 5, got Infinity"),
        (b'{"rating": ' + b"9" * 5000 + b"}", "invalid JSON: a number has too many digits"),
        (b'{"rating": ' + b"9" * 4000 + b"}",
         "rating must be a whole number from 1 to 5, got a number of more than 38 digits"),
        (b'{"rating": true}', "rating must be a whole number from 1 to 5, got true"),
        (b'{"rating": [5]}', "rating must be a whole number from 1 to 5, got an array"),
        (b'{"rating": null}', "rating is missing"),
        (b'{"ratng": 5}', "rating is missing"),
        (b"{}", "rating is missing"),
        (b'{"rating": 5, "item": {"name": "x"}}', "item must be text, got an object"),
        (b'{"rating": 5, "comment": "\\ud800"}',
         "comment holds half a character (\\ud800, a lone surrogate)"),
        (b'{"rating": 5, "comment": "a\\u0000"}', "comment holds a NUL character"),
        (b'{"rating": 5, "comment": "a\x00"}', "invalid JSON at column 28: invalid control character at"),
        (b'{"rating": 5, "comment": "caf\xe9"}',
         "not UTF-8 at byte 30 of the row; give --encoding, such as cp1252 or latin-1"),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "invalid JSON: nested too deeply"),
        (b"[" * 100_000, "invalid JSON: nested too deeply"),
        (b"\x00", "invalid JSON at column 1: expecting value"),
        (b'{"rating": 5, "comment": "' + b"x" * 100_001 + b'"}',
         "comment must be at most 100,000 characters, got 100,001"),
        (b'{"rating": 5, "x": "' + b"x" * 11_000_000 + b'"}', "the line exceeds 10,485,760 characters"),
    ],
    ids=range(30),
)  # fmt: skip
def test_a_bad_line_is_refused_and_the_others_go_on(line: bytes, reason: str) -> None:
    """With the line's number and everything that is wrong."""
    good_line = GOOD.encode()
    results = ratings(b"\n".join([good_line, b"", line, good_line]), name="r.jsonl")
    assert refused(results) == [(3, reason)]
    assert [one.line for one in good(results)] == [1, 4]


def test_a_last_line_that_was_cut_off_is_a_reject() -> None:
    """The producer crashed; what stands before it is kept."""
    results = ratings(f'\ufeff{GOOD}\r\n\r\n{{"rating": 4, "com', name="r.jsonl")
    assert [one.line for one in good(results)] == [1]
    assert refused(results) == [(3, "invalid JSON: the line ends in the middle (cut off?)")]
    assert [result.raw for result in results if isinstance(result, Reject)] == ['{"rating": 4, "com']


@pytest.mark.parametrize("content", [f"[{GOOD}]", f"[{GOOD},\n{GOOD}]", f"[\n{GOOD},\n{GOOD}\n]\n", " [1]"])
@pytest.mark.parametrize("name", ["r.jsonl", "r.json", ""])
def test_a_file_that_is_one_array_says_how_to_turn_it_into_lines(content: str, name: str) -> None:
    """Instead of a reject for each line."""
    with pytest.raises(BadData, match=r"is a JSON array; one object a line is wanted: jq -c '.\[\]' "):
        ratings(content, name=name)


def test_a_key_that_no_row_has_is_found_out_at_once() -> None:
    """A mistyped --map of the rating, or none where one is needed, is one error and not a reject a row."""
    with pytest.raises(BadData, match=r"has no 'Overal' .did you mean 'overall'..; its keys are 'overall'"):
        ratings('{"overall": 5}\n', name="r.jsonl", maps={"rating": "Overal"})
    with pytest.raises(BadData, match=r"has no 'rating'; its keys are 'overall': .* --map rating=KEY"):
        ratings('{"overall": 5}\n', name="r.jsonl")


def test_keys_are_mapped_like_columns() -> None:
    """By --map, by --set, by a field's name but for capitals, and also where the first rows lack the key."""
    lines = '{"Rating": 5, "x": "c1"}\n{"Rating": 4, "comment": "later"}\n'
    first, second = good(ratings(lines, name="r.jsonl", maps={"customer": "x"}, sets={"item": "shop"}))
    assert (first.feedback.customer, first.feedback.item, first.feedback.rating) == ("c1", "shop", 5.0)
    assert (second.feedback.customer, second.feedback.comment) == (None, "later")


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60), st.booleans())
def test_any_comment_comes_back_verbatim(comment: str, plain: bool) -> None:
    """Written with or without escapes."""
    line = json.dumps({"rating": 3, "comment": comment}, ensure_ascii=plain)
    assert [one.feedback.comment for one in good(ratings(line, name="r.jsonl"))] == [comment]
