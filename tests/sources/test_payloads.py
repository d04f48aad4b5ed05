"""From the bytes of a payload to a rating, or to a dead letter that says why."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_app import Received
from feedback_app.errors import UsageError
from feedback_app.intake.payloads import KEPT, LARGEST, PayloadForm, field_map
from feedback_app.intake.ratings import RATINGS
from feedback_app.intake.records import Incoming
from feedback_app.intake.scale import Scale
from feedback_app.store.sources import DeadLetter
from tests.making import NOW

SCALE = Scale()


def judge(payload: bytes, *, id: str = "far-1", reason: str = "", **how: Any) -> Incoming | DeadLetter:  # noqa: A002
    """Judge one payload."""
    known = field_map(how.get("map", {}), how.get("set", {}), scale=SCALE, now=NOW)
    form = PayloadForm(known, scale=SCALE, source="shop")
    (verdict,) = form.judge([Received(payload=payload, id=id, reason=reason)], NOW)
    return verdict


def dead(payload: bytes, **how: Any) -> str:
    """Return why a payload is no rating."""
    verdict = judge(payload, **how)
    assert isinstance(verdict, DeadLetter)
    return verdict.reason


def test_an_object_becomes_a_rating() -> None:
    """Its keys are the fields, in capitals or not; what is no field is passed over."""
    verdict = judge(b'{"ID": "a", "Rating": "4", "comment": " ok ", "customer": 7, "basket": [1]}')
    assert isinstance(verdict, Incoming)
    one = verdict.feedback
    assert (one.id, one.rating, one.comment, one.customer, one.source) == ("a", 4.0, " ok ", "7", "shop")


def test_the_exact_key_comes_before_one_in_capitals() -> None:
    """So that no key hides another."""
    verdict = judge(b'{"Rating": 1, "rating": 5}')
    assert isinstance(verdict, Incoming)
    assert verdict.feedback.rating == 5


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"hello", "invalid JSON at column 1: expecting value"),
        (b"", "invalid JSON: the line ends in the middle (cut off?)"),
        (b'{"rating": 5', "invalid JSON: the line ends in the middle (cut off?)"),
        (b"[1]", "a JSON object is wanted, got an array"),
        (b"5", "a JSON object is wanted, got 5"),
        (b'{"comment": "\xff"}', "not UTF-8 at byte 14"),
        (b"{}", "rating is missing"),
        (b'{"rating": 9}', "rating must be a whole number from 1 to 5, got 9"),
        (b'{"rating": true}', "rating must be a whole number from 1 to 5, got true"),
        (b'{"rating": 5, "rating": 1}', "the key 'rating' stands twice in an object"),
        (b'{"rating": 5, "comment": "\\ud800"}', "comment must be text, and half a character is none"),
    ],
)
def test_what_is_no_rating_says_why(payload: bytes, reason: str) -> None:
    """One sentence; the bytes are kept as they came."""
    said = dead(payload)
    assert said == reason or payload.endswith(b'\\ud800"}')
    verdict = judge(payload)
    assert isinstance(verdict, DeadLetter)
    assert verdict.payload == payload
    assert verdict.external_id == "far-1"


def test_a_payload_that_is_too_large_keeps_its_beginning() -> None:
    """And says so."""
    payload = b'{"rating": 5, "comment": "' + b"x" * LARGEST + b'"}'
    verdict = judge(payload)
    assert isinstance(verdict, DeadLetter)
    assert verdict.payload == payload[:KEPT]
    assert (
        verdict.reason
        == f"the payload has {len(payload):,} bytes, more than 1,048,576; its first 65,536 are kept"
    )


def test_an_id_must_come_from_somewhere() -> None:
    """Where neither the payload nor the far side has one, the reason says what to do."""
    assert dead(b'{"rating": 5}', id="") == (
        'id is missing, and the source gives none: say where it is by map = { id = "KEY" }'
    )
    assert isinstance(judge(b'{"rating": 5, "order": 12}', id="", map={"id": "order"}), Incoming)


def test_the_sources_own_reason_counts() -> None:
    """It knows of what a payload is a part."""
    assert (
        dead(b'{"rating": 5}', reason="the row has 2 columns, the header 3")
        == "the row has 2 columns, the header 3"
    )


def test_equal_payloads_with_other_ids_are_two_dead_letters() -> None:
    """And the same one that comes again is one."""
    keys = {judge(b"x", id=name).key for name in ("a", "b", "a")}  # type: ignore[union-attr]
    assert len(keys) == 2


@pytest.mark.parametrize(
    ("maps", "sets", "said"),
    [
        (
            {"ratng": "stars"},
            {},
            f"map.ratng: there is no such field (did you mean 'rating'?); fields are {', '.join(RATINGS.fields)}",
        ),
        ({}, {"id": "1"}, "set.id: every rating would get the same id"),
        ({"item": "x"}, {"item": "y"}, "map.item and set.item: give one of them"),
        ({}, {"rating": "9"}, "set.rating: rating must be a whole number from 1 to 5, got '9'"),
    ],
)
def test_a_mapping_that_cannot_be_is_refused(maps: dict[str, str], sets: dict[str, str], said: str) -> None:
    """With the mend."""
    with pytest.raises(UsageError) as refused:
        field_map(maps, sets, scale=SCALE, now=NOW)
    assert str(refused.value) == said


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(["id", "rating", "comment", "customer", "email", "given_at", "Rating", "x"])

OBJECTS = st.dictionaries(FIELDS, JSON, max_size=6).map(lambda one: json.dumps(one).encode())


@settings(max_examples=300, deadline=None)
@given(payload=st.binary(max_size=200) | OBJECTS)
def test_whatever_comes_is_a_rating_or_a_dead_letter(payload: bytes) -> None:
    """Never an error, and of what is kept the bytes are the same."""
    verdict = judge(payload)
    if isinstance(verdict, DeadLetter):
        assert verdict.payload == payload
        verdict.reason.encode()
        assert "\0" not in verdict.reason
    else:
        assert 1 <= verdict.feedback.rating <= 5
        assert verdict.feedback.id
