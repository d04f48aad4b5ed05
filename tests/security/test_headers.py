"""No value makes a header, a line or a command (S1): the bytes that a server got are parsed again.

Runs on Python 3.11.7 too, whose own `EmailMessage` makes a header of an encoded line end (CVE-2024-6923).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from feedback_app.model import Customer, Feedback
from feedback_app.plugins._mail_builder import MailBuilder
from feedback_app.plugins._mail_headers import parse_mailbox
from tests.security.road import ADDRESS, SENDER, message, sent
from tests.security.wire import undotted

HEADERS = ("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type")

_ENDS = {
    "CR LF": "\r\n",
    "LF": "\n",
    "CR": "\r",
    "LF CR": "\n\r",
    "NUL": "\0",
    "VT": "\v",
    "FF": "\f",
    "FS": "\x1c",
    "RS": "\x1e",
    "NEL": "\x85",
    "LS": "\u2028",
    "PS": "\u2029",
    "folded": "\r\n ",
    "folded by tab": "\n\t",
    "tab": "\t",
    "end of headers": "\r\n\r\n",
    "end of mail": "\r\n.\r\nMAIL FROM:<evil@example.net>\r\n",
    "full-width": "\uff0d\uff0a",  # a careless decoder takes the low byte of such letters
    "low byte": "\u560d\u560a",
    "surrogate": "\udc0d\udc0a",
}
PAYLOADS = {
    **{name: f"Anna{end}Bcc: evil@example.net" for name, end in _ENDS.items()},
    "encoded words": "=?utf-8?q?Anna=0D=0ABcc=3A_evil=40example=2Enet?=",
    "encoded words in base64": "=?utf-8?b?QW5uYQ0KQmNjOiBldmlsQGV4YW1wbGUubmV0?=",
    "encoded words, folded": "=?utf-8?q?Anna?=\n =?utf-8?q?=0ABcc=3A_evil?=",
    "other headers": "\r\nTo: evil@example.net\r\nSubject: won\r\nContent-Type: text/html\r\n\r\n<b>",
    "a boundary": "\r\n--=_feedback-app\r\nContent-Type: text/html\r\n\r\n<b>",
    "another recipient": 'Anna" <evil@example.net>, "Anna',
    "long": "\r\nBcc: evil@example.net" * 200,
}
FIELDS = ("name", "item", "comment", "customer", "id", "business", "subject template", "sender")


def test_the_table_is_large_enough() -> None:
    """200 cases were promised."""
    assert len(FIELDS) * len(PAYLOADS) >= 200


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
@pytest.mark.parametrize("field", FIELDS)
async def test_no_value_adds_a_header_or_a_command(field: str, payload: str, tmp_path: Path) -> None:
    """One mail leaves, by four commands, with the eight headers that were meant."""
    _write_templates(tmp_path, payload if field == "subject template" else "")
    sender = SENDER
    if field == "sender":
        try:
            parse_mailbox(sender := f"{payload} <shop@example.com>")
        except ValueError:
            return  # refused before the start
    values = {name: payload if field == name else "x" for name in ("id", "item", "comment", "customer")}
    formed = await message(
        structs.replace(Feedback(rating=5, number=1), **values),
        Customer(
            id=payload if field == "customer" else "x",
            name=payload if field == "name" else "Anna",
            email=ADDRESS,
        ),
        templates=tmp_path,
        business=payload if field == "business" else "Shop",
    )

    talk = await sent(formed, sender)

    assert [verb for verb in talk.verbs if verb != b"QUIT"] == [b"EHLO", b"MAIL", b"RCPT", b"DATA"]
    assert talk.commands[2] == f"RCPT TO:<{ADDRESS}>".encode()
    (mail,) = talk.mails
    _assert_only_meant_headers(undotted(mail))


def _write_templates(folder: Path, literal: str) -> None:
    """Write a subject that holds every value, as an operator may."""
    (folder / "thanks.subject.txt").write_text(
        literal + "{{ name }} {{ item }} {{ comment }} {{ business }}", encoding="utf-8", errors="replace"
    )


def _assert_only_meant_headers(mail: bytes) -> None:
    head = mail.partition(b"\r\n\r\n")[0]
    names = [line.partition(b":")[0].decode() for line in head.split(b"\r\n") if line[:1] not in b" \t"]
    assert Counter(HEADERS) == Counter(names)
    assert head.isascii()
    assert not any(byte in head.replace(b"\r\n", b"") for byte in b"\r\n\0\t\v\f\x1c\x1e")
    parsed = message_from_bytes(mail, policy=policy.default)
    assert not parsed.defects
    assert list(HEADERS) == parsed.keys()
    assert len(str(parsed["Subject"]).splitlines()) == 1
    assert [one.addr_spec for one in parsed["To"].addresses] == [ADDRESS]
    assert [part.get_content_type() for part in parsed.iter_parts()] == ["text/plain", "text/html"]
    assert [part.keys() for part in parsed.iter_parts()] == [
        ["Content-Type", "Content-Transfer-Encoding"]
    ] * 2


_pieces = st.lists(
    st.sampled_from([*_ENDS.values(), *PAYLOADS.values(), "=?", "?=", ":", "Bcc", "ü", '"', "<", ">"])
    | st.text(st.characters(exclude_categories=()), max_size=20),
    max_size=6,
).map("".join)


@given(name=_pieces, item=_pieces, comment=_pieces, business=_pieces, key=_pieces)
def test_no_mixture_of_values_does(name: str, item: str, comment: str, business: str, key: str) -> None:
    """The same for whatever hypothesis makes of the pieces, looked at before the wire."""
    formed = asyncio.run(
        message(
            Feedback(id=key, rating=4, number=1, customer=key, item=item, comment=comment),
            Customer(id=key, name=name, email=ADDRESS),
            business=business,
        )
    )

    _assert_only_meant_headers(MailBuilder(parse_mailbox(SENDER)).build(formed, 1_795_000_000.0).data)


async def test_the_marks_that_keep_machines_from_answering() -> None:
    """RFC 3834 asks autoresponders to be silent then (S25); each header once, the same in every mail."""
    formed = await message(
        Feedback(id="r", rating=5, number=1, customer="c"), Customer(id="c", email=ADDRESS)
    )

    (mail,) = (await sent(formed)).mails

    assert mail.count(b"\r\nAuto-Submitted: auto-generated\r\n") == 1
    assert mail.count(b"\r\nMessage-ID: <thanks.1.ledger@example.com>\r\n") == 1
