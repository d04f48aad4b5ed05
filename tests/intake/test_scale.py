"""What is a rating on a scale, and what is a scale."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_app.errors import UsageError
from feedback_app.intake.scale import Scale


@pytest.mark.parametrize("value", ["5", "5.0", "5.00", " 5 ", "+5", "05", "5.", 5, 5.0])
def test_one_rating_may_be_written_in_many_ways(value: object) -> None:
    """All of these are five."""
    rating = Scale().parse(value)
    assert rating == 5.0
    assert type(rating) is float


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("0", "'0'"),
        (6, "6"),
        (-1, "-1"),
        (3.5, "3.5"),
        ("3.5", "'3.5'"),
        (2.9999, "2.9999"),
        (True, "true"),
        (False, "false"),
        (float("nan"), "NaN"),
        (float("inf"), "Infinity"),
        ("NaN", "'NaN'"),
        (1e308, "1e+308"),
        ("1e0", "'1e0'"),
        pytest.param(10**5000, "a number of more than 38 digits", id="huge"),
        ("9" * 5000, repr("9" * 40 + "…")),
        ("\uff14", "'\uff14' (use the digits 0 to 9)"),
        ("4,5", "'4,5' (use a point, not a comma)"),
        ("five", "'five'"),
        ("3.0000000000000000000000000000001", "'3.0000000000000000000000000000001'"),
        ("5\n", "'5\\n'"),
        ("5\0", "'5\\x00'"),
        ([5], "an array"),
        ({"a": 5}, "an object"),
    ],
)
def test_what_is_not_on_the_scale_is_refused_in_one_sentence(value: object, shown: str) -> None:
    """The sentence says what is allowed and what came, the second time as well."""
    scale = Scale()
    for _ in range(2):
        with pytest.raises(ValueError, match="rating") as caught:
            scale.parse(value)
        assert str(caught.value) == f"rating must be a whole number from 1 to 5, got {shown}"


@pytest.mark.parametrize("value", ["", "  ", None])
def test_a_blank_rating_is_missing(value: object) -> None:
    """Blank is not a wrong number."""
    with pytest.raises(ValueError, match=r"^rating is missing$"):
        Scale().parse(value)


def test_true_is_refused_even_after_one_was_seen() -> None:
    """True equals 1 in Python, and must not be found among remembered ratings."""
    scale = Scale()
    assert scale.parse(1) == 1.0
    with pytest.raises(ValueError, match="got true"):
        scale.parse(True)


def test_half_stars_are_exact() -> None:
    """A scale of tenths takes 4.1, which no binary float is."""
    assert Scale.from_text("0.5..5/0.5").parse("3.5") == 3.5
    assert Scale.from_text("0..5/0.1").parse(4.1) == 4.1
    with pytest.raises(ValueError, match=r"a number from 0\.5 to 5 in steps of 0\.5, got '0'"):
        Scale.from_text("0.5..5/0.5").parse("0")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "MIN..MAX"),
        ("1-5", "MIN..MAX"),
        ("1..", "MIN..MAX"),
        ("1..5/", "MIN..MAX"),
        ("a..b", "MIN..MAX"),
        ("nan..5", "MIN..MAX"),
        ("1..5/0.5/2", "MIN..MAX"),
        ("5..1", "a scale rises"),
        ("3..3", "a scale rises"),
        ("1..5/0", "at least 0.001, not 0"),
        ("1..5/-1", "at least 0.001, not -1"),
        ("1..5/3", "5 cannot be reached from 1 in steps of 3"),
        ("1..5/0.000000000000000001", "at least 0.001"),
        ("1..99999999", "numbers up to 1,000,000"),
    ],
)
def test_a_scale_that_makes_no_sense_is_a_usage_error(text: str, reason: str) -> None:
    """Each is refused in one line."""
    with pytest.raises(UsageError) as caught:
        Scale.from_text(text)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_memory_of_a_scale_is_bounded() -> None:
    """A file of a million different ratings does not fill the memory."""
    scale = Scale()
    for number in range(3000):
        with pytest.raises(ValueError, match="rating must"):
            scale.parse(f"{number}x")
    assert len(scale._judged) <= 1000


@given(st.integers(0, 20), st.sampled_from([Decimal("0.5"), Decimal("0.1"), Decimal("0.25"), Decimal(1)]))
def test_every_step_of_a_scale_is_a_rating_in_every_form(count: int, step: Decimal) -> None:
    """Text, padded text and number are the same rating."""
    value = count * step
    scale = Scale(minimum=0, maximum=float(20 * step), step=float(step))
    forms: list[object] = [str(value), f" {value}00" if "." in str(value) else f" {value}.00", float(value)]
    assert {scale.parse(form) for form in forms} == {float(value)}
