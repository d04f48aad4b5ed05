"""What the values of a rating may be."""

from __future__ import annotations

import time

import pytest

from feedback_app.intake import fields
from tests.intake.reading import NOW


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2026-11-22T12:00:00Z", NOW),
        ("2026-11-22T13:00:00+01:00", NOW),
        ("2026-11-22 12:00", NOW),
        ("2026-11-22T12:00:00.250", NOW + 250),
        ("2026-11-22", NOW - 12 * 3_600_000),
        ("1969-12-31", -86_400_000),
        (NOW // 1000, NOW),
        (str(NOW // 1000), NOW),
        (NOW / 1000 + 0.5, NOW + 500),
        (1441324800, 1_441_324_800_000),
        ("", None),
        (None, None),
    ],
)
def test_given_at_is_iso_8601_or_epoch_seconds(value: object, moment: int | None) -> None:
    """Without a zone a time is UTC."""
    assert fields.given_at(value, now=NOW) == moment


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("2026-02-30", "(day is out of range for month)"),
        ("2026-11-22T10:00:60Z", "(second must be in 0..59)"),
        ("0000-01-01", "got '0000-01-01' (year 0 is out of range)"),
        ("0001-01-01T00:00:00+14:00", "(before 1900)"),
        ("1899-12-31", "(before 1900)"),
        ("09 4, 2015", "epoch seconds, got '09 4, 2015'"),
        ("yesterday", "got 'yesterday'"),
        ("9" * 5000, "is no moment"),
        ("2026-11-24T00:00:00Z", "lies in the future"),
        ("9999-12-31T23:59:59-14:00", "lies in the future"),
        ("20151104", "is no moment: write 2026-01-31"),
        ("2015", "is no moment"),
        (0, "is no moment"),
        (1441324800000, "these look like milliseconds"),
        (-1441324800, "got '-1441324800'"),
        (True, "given_at must be text, got true"),
        (float("inf"), "given_at must be text, got Infinity"),
        ({"$date": 1}, "given_at must be text, got an object"),
    ],
)
def test_a_time_that_cannot_be_is_refused(value: object, reason: str) -> None:
    """Dates that do not exist, the future, milliseconds, and what may be a year."""
    with pytest.raises(ValueError, match=r"^given_at") as caught:
        fields.given_at(value, now=NOW)
    assert reason in str(caught.value)


def test_a_comment_is_kept_verbatim() -> None:
    """Blanks, line breaks, formulas and odd characters are the customer's words."""
    words = '  =SUM(A1)\r\n"good" \u202e 😀\t\x07 '
    assert fields.comment(words) == words


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("a\0b", "comment holds a NUL character"),
        ("\ud800", "comment holds half a character (\\ud800, a lone surrogate)"),
        ("x" * 100_001, "comment must be at most 100,000 characters, got 100,001"),
        (["x"], "comment must be text, got an array"),
        (True, "comment must be text, got true"),
    ],
)
def test_a_comment_that_cannot_be_kept_is_refused(value: object, reason: str) -> None:
    """The limit is named."""
    with pytest.raises(ValueError, match=r"^comment") as caught:
        fields.comment(value)
    assert str(caught.value) == reason


@pytest.mark.parametrize(("value", "kept"), [(" 42 ", "42"), (42, "42"), (0, "0"), ("", None), (None, None)])
def test_an_id_is_text_or_a_number_without_blanks_around(value: object, kept: str | None) -> None:
    """JSON numbers serve as ids, zero included."""
    assert fields.identifier("customer", value) == kept


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("x" * 201, "customer must be at most 200 characters, got 201"),
        ("a\nb", "customer must be one line without control characters"),
        ("a\u2028b", "customer must be one line without control characters"),
        ("a\0b", "customer holds a NUL character"),
        ("\udcff", "customer holds half a character (\\udcff, a lone surrogate)"),
        pytest.param(10**5000, "customer must be text, got a number of more than 38 digits", id="huge"),
        (float("nan"), "customer must be text, got NaN"),
    ],
)
def test_an_id_that_cannot_be_one_is_refused(value: object, reason: str) -> None:
    """Ids are short and on one line."""
    with pytest.raises(ValueError, match=r"^customer") as caught:
        fields.identifier("customer", value)
    assert str(caught.value) == reason


def test_an_item_may_be_a_long_title() -> None:
    """Up to 500 characters, line breaks included."""
    assert fields.item(" a\nb ") == "a\nb"
    with pytest.raises(ValueError, match="item must be at most 500 characters, got 501"):
        fields.item("x" * 501)


@pytest.mark.parametrize(
    "value", ["9" * 1_000_000, "1." * 500_000, " " * 1_000_000, "T" * 1_000_000], ids="9.bT"
)
def test_a_crafted_megabyte_costs_no_time(value: str) -> None:
    """No rule backtracks (S20)."""
    start = time.perf_counter()
    for rule in (fields.item, fields.comment, lambda text: fields.given_at(text, now=NOW)):
        try:
            rule(value)
        except ValueError:
            continue
    assert time.perf_counter() - start < 0.05
