"""What a customer's contact data may be."""

from __future__ import annotations

import time

import pytest

from feedback_app.intake.contact import CONTACT_FIELDS, contact, contact_value
from feedback_app.model import Customer


@pytest.mark.parametrize(
    ("field", "value", "kept"),
    [
        ("email", "ann@example.org", "ann@example.org"),
        ("email", "Ann.O'Hara+x@Shop.EXAMPLE.com", "Ann.O'Hara+x@shop.example.com"),
        ("email", "info@bücher.example", "info@xn--bcher-kva.example"),
        ("email", "a@xn--bcher-kva.example", "a@xn--bcher-kva.example"),
        ("email", "a@shop.test", "a@shop.test"),
        ("phone", "+4915112345678", "+4915112345678"),
        ("phone", "+1 (415) 555-2671", "+14155552671"),
        ("phone", "+49.151.12345678", "+4915112345678"),
        ("preferred_channel", "SMS, email sms", ("sms", "email")),
        ("preferred_channel", "fax", ("fax",)),
        ("preferred_channel", ["email", "sms"], ("email", "sms")),
        ("locale", "de_at", "de-AT"),
        ("locale", "zh-hant-TW", "zh-Hant-TW"),
        ("locale", "es-419", "es-419"),
        ("timezone", "Europe/Vienna", "Europe/Vienna"),
        ("name", "Zoë 李", "Zoë 李"),
        ("email", "  ", None),
        ("phone", None, None),
    ],
)
def test_good_contact_data_is_kept_in_one_form(field: str, value: object, kept: object) -> None:
    """Addresses, numbers, channels, tags and zones have one form each."""
    assert contact_value(field, value) == kept


@pytest.mark.parametrize(
    "value",
    [
        "a@x.org,b@y.org",
        "a@x.org\r\nBcc: b@y.org",
        '"a b"@x.org',
        "a..b@x.org",
        ".a@x.org",
        "a.@x.org",
        "a@localhost",
        "a@x.org.",
        "a@x.org ",
        " a@x.org",
        "Ann <a@x.org>",
        "jörg@x.org",
        "a@[127.0.0.1]",
        "a@-x.org",
        "a@x-.org",
        "a@x..org",
        "a@.org",
        "@x.org",
        "a",
        "a@b@x.org",
        "a@x.org\n",
        "x" * 65 + "@x.org",
    ],
)
def test_what_is_not_one_plain_address_is_refused_without_quoting_it(value: str) -> None:
    """Lists, display names, header injection and half addresses; the sentence holds no personal data."""
    with pytest.raises(ValueError, match=r"^email must be one plain address such as ann@example.org$"):
        contact_value("email", value)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("email", "a@" + "x" * 250 + ".org", "email must be at most 254 characters, got 256"),
        ("email", 5, "email must be one plain address"),
        ("email", True, "email must be text, got true"),
        ("phone", "+49 (0)151 12345678", "leave out the (0)"),
        ("phone", "004915112345678", "write + instead of 00"),
        ("phone", "0151 12345678", "phone must be E.164"),
        ("phone", "+12345678901234567890", "phone must be E.164"),
        ("phone", "+49151CALLNOW", "phone must be E.164"),
        ("phone", "+49\uff11\uff15112345678", "phone must be E.164"),
        ("preferred_channel", "e-mail; fax!", "names of channels"),
        ("preferred_channel", [["sms"]], "names of channels"),
        ("locale", "german!", "BCP 47"),
        ("timezone", "Berlin", "IANA name such as Europe/Vienna"),
        ("timezone", "../../etc/passwd", "IANA name"),
        ("timezone", "Europe", "IANA name"),
        ("timezone", "__init__/x", "IANA name"),
        ("timezone", "Europe.__init__/x", "IANA name"),
        ("name", "Ann\r\nBcc: x", "name must be one line"),
        ("name", "x" * 201, "at most 200 characters"),
        ("name", {"first": "Ann"}, "name must be text, got an object"),
    ],
)
def test_bad_contact_data_is_refused_with_a_hint(field: str, value: object, reason: str) -> None:
    """The sentence names the field and the mend."""
    with pytest.raises(ValueError, match=f"^{field}") as caught:
        contact_value(field, value)
    assert reason in str(caught.value)


def test_bad_contact_data_is_left_out_and_the_rest_kept() -> None:
    """One bad field costs that field and a warning."""
    values = ["Ann", "not an address", "+4915112345678", "", None, " "]
    made, warnings = contact("c1", values)
    assert made == Customer(id="c1", name="Ann", phone="+4915112345678")
    assert warnings == ("email must be one plain address such as ann@example.org; left out",)


def test_nothing_known_makes_no_customer() -> None:
    """Blanks never overwrite what is known."""
    assert contact("c1", [""] * len(CONTACT_FIELDS)) == (None, ())


@pytest.mark.parametrize(
    "value", ["a" * 1_000_000 + "@", "a@" + "a." * 500_000, "+" + "1-" * 500_000, "a-" * 500_000], ids="@.+-"
)
def test_a_crafted_megabyte_costs_no_time(value: str) -> None:
    """No rule backtracks (S20); each rule has less than 50 ms."""
    contact_value("email", "info@bücher.example")  # the library behind the full check is imported once
    for field in CONTACT_FIELDS:
        start = time.perf_counter()
        contact("c", [value if name == field else "" for name in CONTACT_FIELDS])
        assert time.perf_counter() - start < 0.05, field
