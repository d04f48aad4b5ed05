"""Delivery status notifications, as mail servers write them, and what is none."""

from __future__ import annotations

import contextlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_app.delivery import bounces
from feedback_app.delivery.bounces import Bounce
from tests.bounces import notification

ID = "thanks.7.0123abcd"


@pytest.mark.parametrize("whole", [True, False])
def test_it_names_the_mail_the_address_and_the_reason(*, whole: bool) -> None:
    """Whether the whole mail is quoted or its headers alone."""
    (found,) = bounces.read(notification(ID, "ada@example.com", whole=whole))
    said = "5.1.1 550 5.1.1 no such user"
    assert found == Bounce(ID, "ada@example.com", "failed", said, bad_address=True, id="<1@mail.example.com>")


@pytest.mark.parametrize(
    ("action", "status", "state", "bad_address"),
    [
        ("failed", "5.1.1", "failed", True),
        ("failed", "5.1.2", "failed", True),
        ("failed", "5.1.10", "failed", True),
        ("failed", "5.2.1", "failed", True),
        ("failed", "5.2.2", "failed", False),  # the mailbox is full: another time it may not be
        ("failed", "5.7.1", "failed", False),  # a policy; the mailbox may be there
        ("failed", "4.4.7", "failed", False),  # the server gave up after days
        ("FAILED", "5.0.0", "failed", False),
        ("delayed", "4.4.1", "delayed", False),
        ("delivered", "2.0.0", "delivered", False),
        ("relayed", "2.1.9", "delivered", False),
    ],
)
def test_what_is_hard_and_what_is_soft(action: str, status: str, state: str, *, bad_address: bool) -> None:
    """Only an address that nobody is reached at is bad for ever."""
    (found,) = bounces.read(notification(ID, "ada@example.com", action=action, status=status))
    assert (found.state, found.bad_address) == (state, bad_address)


@pytest.mark.parametrize("own", [b"<>", b"<", b""])
def test_a_notification_whose_own_id_is_none_is_read(own: bytes) -> None:
    """Python's parser stumbles over some."""
    mail = notification(ID, "ada@example.com").replace(b"<1@mail.example.com>", own)
    (found,) = bounces.read(mail)
    assert (found.message_id, found.state) == (ID, "failed")


def test_other_mails_are_none() -> None:
    """An answer of a person, a report of another kind, nothing at all."""
    assert bounces.read(b"Subject: Thank you!\r\n\r\nGlad to hear.\r\n") == []
    assert bounces.read(b"") == []


def test_one_that_names_no_mail_is_refused() -> None:
    """It cannot be told what it is about."""
    mail = notification(ID, "ada@example.com").replace(b"Message-ID", b"X-Nothing")
    with pytest.raises(ValueError, match="no Message-ID"):
        bounces.read(mail)


def test_a_huge_mail_is_refused() -> None:
    """Before it is taken apart."""
    with pytest.raises(ValueError, match="larger than 10 MiB"):
        bounces.read(b"x" * (bounces.LARGEST + 1))


@given(st.binary(max_size=400))
def test_no_bytes_are_too_much(mail: bytes) -> None:
    """Whatever it is, it is read, or refused in a sentence."""
    with contextlib.suppress(ValueError):
        bounces.read(mail)


@given(seed=st.integers(0, 100_000), count=st.integers(1, 12))
def test_a_broken_notification_is_read_or_refused(seed: int, count: int) -> None:
    """Bytes of a real one changed, doubled and left out."""
    chance = random.Random(seed)
    mail = bytearray(notification(ID, "ada@example.com"))
    for _ in range(count):
        at = chance.randrange(len(mail))
        mail[at : at + chance.choice((0, 1, 5, 60))] = bytes(
            chance.choices(range(256), k=chance.choice((0, 1, 9)))
        )
    with contextlib.suppress(ValueError):
        for one in bounces.read(bytes(mail)):
            assert one.message_id
