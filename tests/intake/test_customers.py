"""Customers from files, and contact data beside a rating."""

from __future__ import annotations

from feedback_app.intake.records import Reject
from feedback_app.model import Customer
from tests.intake.reading import customers, good, ratings


def test_customers_are_read_with_their_contact_data() -> None:
    """Blank fields are unknown."""
    content = (
        "id,name,email,phone,preferred_channel,locale,timezone\n"
        'c1,Ann,ann@x.org,+49 151 12345678,"SMS, email",de_AT,Europe/Vienna\n'
        "c2,,,,,,\n"
    )
    assert [one.customer for one in customers(content) if not isinstance(one, Reject)] == [
        Customer(
            id="c1",
            name="Ann",
            email="ann@x.org",
            phone="+4915112345678",
            preferred_channels=("sms", "email"),
            locale="de-AT",
            timezone="Europe/Vienna",
        ),
        Customer(id="c2"),
    ]


def test_a_customer_without_an_id_is_refused_and_one_with_a_bad_address_kept() -> None:
    """The warning says what was left out."""
    refusal, kept = customers(
        '{"id": null, "name": "x"}\n{"id": 7, "email": "no", "name": "B"}\n', name="c.jsonl"
    )
    assert refusal == Reject(1, "id is missing", '{"id": null, "name": "x"}')
    assert not isinstance(kept, Reject)
    assert kept.customer == Customer(id="7", name="B")
    assert kept.warnings == ("email must be one plain address such as ann@example.org; left out",)


def test_a_rating_may_bring_its_customers_contact_data() -> None:
    """Bad contact data costs itself and a warning, never the rating."""
    content = (
        "rating,customer,email,phone\n5,c1,ann@x.org,\n1,c2,no,+4915112345678\n4,c3,,\n3,,b@x.org,\n3,,,\n"
    )
    found = [(one.contact, one.warnings) for one in good(ratings(content))]
    assert found == [
        (Customer(id="c1", email="ann@x.org"), ()),
        (
            Customer(id="c2", phone="+4915112345678"),
            ("email must be one plain address such as ann@example.org; left out",),
        ),
        (None, ()),
        (None, ("contact data without a customer; left out",)),
        (None, ()),
    ]


def test_a_file_without_customers_gives_no_contact_data() -> None:
    """A product's name is nobody's name."""
    (one,) = good(ratings("rating,name\n5,Lamp\n"))
    assert (one.contact, one.warnings) == (None, ())
