"""What gateways' answers mean, whatever stands in them."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from feedback_app.plugins._http_gateway import retry_after

NOW = 1_795_348_800.0  # 2026-11-22T12:00:00Z
_NUMBERS = st.integers().map(str) | st.floats().map(str) | st.from_regex(r"[+-]?[0-9]{1,400}", fullmatch=True)
_DATES = st.builds(
    "{}, {} {} {} {}:{}:{} {}".format,
    st.sampled_from(["Wed", "Someday", ""]),
    _NUMBERS,
    st.sampled_from(["Jan", "Feb", "Dec", "Foo"]),
    _NUMBERS,
    _NUMBERS,
    _NUMBERS,
    _NUMBERS,
    st.sampled_from(["GMT", "", "-0000"]) | _NUMBERS,
)


@given(value=st.none() | st.text() | _NUMBERS | _DATES)
@example(value="Wed, 03 Apr 99999999999999999999 12:34:56 GMT")
@example(value="Fri, 31 Dec 9999 23:59:59 -2359")
@example(value="Mon, 01 Jan 0001 00:00:00 +2359")
@example(value="nan")
@example(value="1e999")
def test_whatever_a_far_side_asks_for_it_is_asked_again_within_the_hour(value: str | None) -> None:
    """Neither nonsense nor a year that no clock knows raises: that would be laid to the plugin."""
    seconds = retry_after(value, NOW)
    assert seconds is None or 1.0 <= seconds <= 3600.0


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("120", 120.0),
        ("0", 1.0),
        ("86400", 3600.0),
        ("Sun, 22 Nov 2026 12:02:00 GMT", 120.0),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 1.0),
        ("soon", None),
        ("", None),
    ],
)
def test_a_time_or_a_date_is_obeyed_within_reason(value: str, wanted: float | None) -> None:
    """RFC 9110, 10.2.3."""
    assert retry_after(value, NOW) == wanted
