"""What people type: names and numbers that cannot be one are usage errors, never bugs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from feedback_app.cli.typed import number_in, plain

if TYPE_CHECKING:
    from tests.cli.conftest import Cli

NO_TEXT = b"\xff:1.2".decode("utf-8", "surrogateescape")  # how Python hands over such an argument


@pytest.mark.parametrize(
    "arguments",
    [
        ("customers", "show", NO_TEXT),
        ("customers", "opt-out", NO_TEXT),
        ("customers", "opt-in", NO_TEXT),
        ("feedback", "explain", NO_TEXT),
        ("feedback", "list", "--customer", NO_TEXT),
        ("feedback", "list", "--source", NO_TEXT),
        ("messages", "list", "--channel", NO_TEXT),
        ("messages", "show", NO_TEXT),
        ("messages", "retry", NO_TEXT),
        ("messages", "cancel", NO_TEXT),
    ],
)
def test_bytes_that_are_no_text_name_nothing(cli: Cli, arguments: tuple[str, ...]) -> None:
    """The ledger holds text only."""
    result = cli(*arguments)

    assert result.code == 2
    assert result.said[0].endswith(r"'\udcff:1.2' is not UTF-8")


@pytest.mark.parametrize(
    "arguments",
    [
        ("customers", "add", "--id", NO_TEXT),
        ("customers", "add", "--id", "c", "--name", NO_TEXT),
        ("feedback", "add", "--rating", "5", "--comment", NO_TEXT),
        ("feedback", "add", "--rating", "5", "--item", NO_TEXT),
        ("low-ratings", "note", "1", NO_TEXT),
        ("low-ratings", "assign", "1", NO_TEXT),
    ],
)
def test_bytes_that_are_no_text_are_not_stored(cli: Cli, arguments: tuple[str, ...]) -> None:
    """They are bad data like any other."""
    result = cli(*arguments)

    assert result.code == 65
    assert result.said[0].endswith(r"holds half a character (\udcff, a lone surrogate)")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", None),
        ("0", None),
        ("-1", None),
        ("1.0", None),
        ("٣", None),
        ("9" * 5000, None),
        ("", None),
    ],
)
def test_numbers_are_those_that_the_ledger_can_have(text: str, number: int | None) -> None:
    """Eight bytes, from 1; digits of other scripts are none."""
    assert number_in(text) == number


@pytest.mark.parametrize(("rating", "text"), [(2.0, "2"), (2.5, "2.5"), (0.1, "0.1")])
def test_ratings_are_shown_as_people_write_them(rating: float, text: str) -> None:
    """A whole one has no point."""
    assert str(plain(rating)) == text
