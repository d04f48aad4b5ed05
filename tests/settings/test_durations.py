"""Durations are written with a unit and mean seconds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_app.settings.durations import LONGEST, format_duration, parse_duration


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("500ms", 0.5),
        ("30s", 30),
        ("5m", 300),
        ("1h", 3600),
        ("1.5h", 5400),
        ("1d", 86_400),
        ("1h30m", 5400),
        ("1d2h3m4s5ms", 93_784.005),
        ("0s", 0),
        ("366d", LONGEST),
    ],
)
def test_a_duration_is_read_as_seconds(written: str, seconds: float) -> None:
    """Every unit, parts of a unit, and units in a row."""
    assert seconds == parse_duration(written)


@pytest.mark.parametrize(
    "written",
    [
        "",
        " ",
        "s",
        "5",
        "5 m",
        "5 minuts",
        "-5s",
        "+5s",
        "1m1h",
        "1h1h",
        "5S",
        "1e3s",
        "\u0665s",
        ".5s",
        "1.s",
        "5s\n",
        "367d",
    ],
)
def test_what_is_no_duration_is_refused(written: str) -> None:
    """No guessing: no spaces, signs, exponents, foreign digits, disorder or repetition."""
    with pytest.raises(ValueError, match=r"^must be"):
        parse_duration(written)


@pytest.mark.parametrize("bare", [30, 1.5, "30"])
def test_a_bare_number_is_shown_its_unit(bare: object) -> None:
    """The message spells out what was probably meant."""
    with pytest.raises(ValueError, match=rf'such as "{bare}s"$'):
        parse_duration(bare)


@pytest.mark.parametrize("value", [None, True, ["1s"], {"s": 1}, 10**400])
def test_other_types_are_refused(value: object) -> None:
    """Whatever TOML can hold ends in ValueError and no other error."""
    with pytest.raises(ValueError, match=r"such as"):
        parse_duration(value)


@given(st.integers(min_value=0, max_value=int(LONGEST) * 1000))
def test_what_is_written_is_read_back(milliseconds: int) -> None:
    """Writing and reading agree to the millisecond over the whole range."""
    assert milliseconds / 1000 == pytest.approx(
        parse_duration(format_duration(milliseconds / 1000)), abs=1e-6
    )


@pytest.mark.parametrize("written", ["0s", "250ms", "1s", "25s", "1m30s", "1h", "30d"])
def test_durations_are_shown_as_people_write_them(written: str) -> None:
    """What `config show` prints is the shortest form in whole units."""
    assert written == format_duration(parse_duration(written))
