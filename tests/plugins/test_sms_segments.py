"""Segments are counted as networks count them: what is shown is what is paid."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_app.plugins._sms_segments import Segments, segments

BASIC = "@£$¥èéùìòÇ\nØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ÄÖÑÜ§¿äöñüàazAZ"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Segments("GSM-7", 0, 1)),
        ("a" * 160, Segments("GSM-7", 160, 1)),
        ("a" * 161, Segments("GSM-7", 161, 2)),
        ("a" * 306, Segments("GSM-7", 306, 2)),
        ("a" * 307, Segments("GSM-7", 307, 3)),
        ("a" * 459, Segments("GSM-7", 459, 3)),
        ("a" * 460, Segments("GSM-7", 460, 4)),
        (BASIC, Segments("GSM-7", len(BASIC), 1)),
        ("^{}\\[~]|€", Segments("GSM-7", 18, 1)),
        ("€" * 80, Segments("GSM-7", 160, 1)),
        ("€" * 81, Segments("GSM-7", 162, 2)),
        (
            "a" * 152 + "€" + "a" * 152,
            Segments("GSM-7", 306, 3),
        ),  # the € would be torn: it opens the second segment
        ("ç", Segments("UCS-2", 1, 1)),
        ("`", Segments("UCS-2", 1, 1)),
        ("д" * 70, Segments("UCS-2", 70, 1)),
        ("д" * 71, Segments("UCS-2", 71, 2)),
        ("д" * 134, Segments("UCS-2", 134, 2)),
        ("д" * 135, Segments("UCS-2", 135, 3)),
        ("д" * 201, Segments("UCS-2", 201, 3)),
        ("д" * 202, Segments("UCS-2", 202, 4)),
        ("🙂" * 35, Segments("UCS-2", 70, 1)),
        ("🙂" * 36, Segments("UCS-2", 72, 2)),
        ("д" * 66 + "🙂" + "д" * 66, Segments("UCS-2", 134, 3)),  # nor is a surrogate pair torn
        ("a" * 159 + "🙂", Segments("UCS-2", 161, 3)),
    ],
)
def test_segments_are_counted_to_the_unit(text: str, expected: Segments) -> None:
    """At each limit and one beyond it, in both alphabets, letters of two units included."""
    assert expected == segments(text)


@given(st.text(max_size=300))
def test_segments_hold_the_text_and_hardly_more(text: str) -> None:
    """The parts have room for all units, and at most one unit of each is wasted."""
    size = segments(text)
    single, part = (160, 153) if size.encoding == "GSM-7" else (70, 67)
    if size.units <= single:
        assert size.parts == 1
    else:
        assert size.units <= size.parts * part
        assert size.units > (size.parts - 1) * (part - 1)
