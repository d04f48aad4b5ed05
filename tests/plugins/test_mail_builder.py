"""Mails are parsed back from their bytes, by a parser that is not ours, and must say what was meant."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from feedback_app import Message, PermanentFailure
from feedback_app.plugins._mail_builder import MailBuilder, check
from feedback_app.plugins._mail_headers import one_line, parse_mailbox, plain_address

NOW = 1_795_000_000.0  # 18 November 2026, 10:26:40 UTC
BUILDER = MailBuilder(parse_mailbox("Café Müller <feedback@shop.example>"))
HEADERS = ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"]

NASTY = [
    "Anna\r\nBcc: evil@example.net",
    "Anna\nBcc: evil@example.net",
    "Anna\rBcc: evil@example.net",
    "Anna\r\n\r\nand this is the body",
    "Anna\x00Bcc: evil@example.net",
    "Anna\x0bBcc: evil@example.net",
    "Anna\x0cBcc: evil@example.net",
    "Anna\x1eBcc: evil@example.net",
    "Anna\x85Bcc: evil@example.net",
    "Anna\u2028Bcc: evil@example.net",
    "Anna\u2029Bcc: evil@example.net",
    "=?utf-8?q?Anna=0D=0ABcc=3A_evil=40example=2Enet?=",
    "=?utf-8?b?QW5uYQ0KQmNjOiBldmlsQGV4YW1wbGUubmV0?=",
    "=?utf-8?q?Anna?=\n =?utf-8?q?=0ABcc=3A_evil?=",
    'Anna" <evil@example.net>, "',
    "Anna <evil@example.net>",
    "evil@example.net,",
    'back\\slash "quote" \\',
    "(comment) Anna",
    "group: evil@example.net;",
    "\u202eannA\u202c \u2066x\u2069 \u200b",
    "\ud800 lone surrogate \udfff",
    "日本語の名前がとても長い場合でも折り返されて正しく読めることを確認します" * 3,
    "x" * 2000,
    "🙂" * 100,
    " \t ",
    "",
]

any_text = st.text(st.characters(exclude_categories=()), max_size=120)
headerish = st.lists(
    st.sampled_from([*NASTY[:22], "=?", "?=", "\r\n", ":", "Anna", " ", "ü", '"']), max_size=6
)
any_header = any_text | headerish.map("".join)


ORDINARY = Message(
    id="0190a1b2-c3d4",
    purpose="thanks",
    channel="email",
    recipient="anna@example.com",
    customer_name="Anna",
    subject="Thank you",
    text="Hello\n",
    html="<p>Hello</p>\n",
)


def message(**changes: str) -> Message:
    """Return an ordinary thank-you with some fields changed."""
    return structs.replace(ORDINARY, **changes)


def built(wanted: Message) -> bytes:
    """Return the bytes of the mail."""
    data: bytes = BUILDER.build(wanted, NOW).data
    return data


def parsed(data: bytes) -> EmailMessage:
    """Read the mail as its recipient's program does."""
    mail = message_from_bytes(data, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    assert not mail.defects
    return mail


def readable(text: str) -> str:
    """Return what a reader sees of a body: whole lines without controls, lone surrogates as question marks."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    shown = "".join(char for char in lines if char in "\t\n" or (char >= " " and char != "\x7f"))
    shown = shown.encode("utf-8", "replace").decode()
    return shown if shown.endswith("\n") else shown + "\n"


def assert_well_formed(data: bytes) -> None:
    """Check the rules that every mail server relies on, on the raw bytes."""
    lines = data.split(b"\r\n")
    assert data.isascii()
    assert lines[-1] == b""
    assert not any(b"\r" in line or b"\n" in line for line in lines)
    assert max(map(len, lines)) <= 998


def part(mail: EmailMessage, subtype: str) -> str:
    """Return one body of the mail, decoded, with plain newlines."""
    body = mail.get_body((subtype,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


@given(name=any_header, subject=any_header, text=any_text, html=any_text)
def test_every_mail_says_exactly_what_was_meant(name: str, subject: str, text: str, html: str) -> None:
    """Whatever name, subject and bodies hold, a parser reads them back, and no header more than intended."""
    data = built(message(customer_name=name, subject=subject, text=text, html=html))
    mail = parsed(data)
    assert_well_formed(data)
    expected = HEADERS if html else [*HEADERS, "Content-Transfer-Encoding"]
    assert mail.keys() == expected
    assert one_line(subject) == mail["Subject"]
    (recipient,) = mail["To"].addresses
    assert recipient.addr_spec == "anna@example.com"
    # Python's parser puts a space between the encoded words of a long name, against RFC 2047, 6.2.
    blank = "" if len(one_line(name).encode()) > 39 else " "
    assert one_line(name).replace(" ", blank) == recipient.display_name.replace(" ", blank)
    assert readable(text) == part(mail, "plain")
    if html:
        assert readable(html) == part(mail, "html")


@pytest.mark.parametrize("value", NASTY, ids=range(len(NASTY)))
@pytest.mark.parametrize("field", ["customer_name", "subject", "text", "html", "id"])
def test_nothing_can_break_out_of_its_field(field: str, value: str) -> None:
    """Each nasty value in each field leaves the header lines, counted in the raw bytes, as they should be."""
    data = built(message(**{field: value}))
    head = data.partition(b"\r\n\r\n")[0]
    names = [line.partition(b":")[0].decode() for line in head.split(b"\r\n") if line[:1] not in b" \t"]
    assert names[: len(HEADERS)] == HEADERS
    assert b"\nBcc" not in head
    assert_well_formed(data)
    assert parsed(data)["To"].addresses[0].addr_spec == "anna@example.com"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Anna  Smith ", "Anna Smith"),
        ("Anna\r\nSmith", "Anna Smith"),
        ("a\x00b\x85c\u2028d", "a b c d"),
        ("\u202eannA\u2069", "annA"),
        ("zero\u200bwidth", "zerowidth"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("🙂 ok", "🙂 ok"),
    ],
)
def test_names_and_subjects_become_one_honest_line(text: str, expected: str) -> None:
    """Line ends and controls become spaces, disguises go, joiners that scripts need stay."""
    assert expected == one_line(text)


def test_fixed_headers_are_as_promised() -> None:
    """Sender, date, a Message-ID made of the message's id, and the mark that keeps autoresponders quiet."""
    mail = parsed(built(message()))
    assert mail["From"].addresses[0].display_name == "Café Müller"
    assert mail["From"].addresses[0].addr_spec == "feedback@shop.example"
    assert mail["Date"].datetime.timestamp() == NOW
    assert mail["Message-ID"] == "<0190a1b2-c3d4@shop.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content_type() == "multipart/alternative"


def test_message_id_is_the_same_at_every_attempt_and_fit_for_its_header() -> None:
    """An id with letters that a Message-ID may not hold becomes a fingerprint, the same each time."""
    first, second = (BUILDER.build(message(id="thanks:7 <ü>"), now).data for now in (NOW, NOW + 3600))
    assert parsed(first)["Message-ID"] == parsed(second)["Message-ID"]
    assert re.fullmatch(r"<[0-9a-f]{64}@shop\.example>", parsed(first)["Message-ID"])


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("plain words\n", "7bit"),
        ("Grüße aus dem Süden, vielen Dank für alles\n", "quoted-printable"),
        ("x" * 999, "quoted-printable"),
        ("--=_feedback-app--\n", "quoted-printable"),
        ("Спасибо за оценку", "base64"),
    ],
)
def test_each_body_gets_the_encoding_that_fits(text: str, encoding: str) -> None:
    """ASCII stays readable, mostly Latin text nearly so, other scripts are packed; no body can end its part."""
    mail = parsed(built(message(text=text, html="")))
    assert encoding == mail["Content-Transfer-Encoding"]
    assert readable(text) == part(mail, "plain")


@pytest.mark.parametrize(
    "address",
    [
        "",
        "anna",
        "anna@",
        "@example.com",
        "a@x.com,b@x.com",
        "a@x.com b@x.com",
        "Anna <a@x.com>",
        "<a@x.com>",
        "a@x.com\r\nBcc: b@x.com",
        "a@x.com\n",
        '"a b"@x.com',
        "a..b@x.com",
        ".a@x.com",
        "a.@x.com",
        "a@x..com",
        "a@-x.com",
        "a@x.com.",
        "a@[127.0.0.1]",
        "a@x.com> SIZE=1",
        "a(comment)@x.com",
        "jörg@example.com",
        "a@x.com\u2028",
        "a" * 65 + "@example.com",
        "a@" + ".".join(["x" * 60] * 5),
    ],
)
def test_what_is_not_one_plain_address_is_never_mailed(address: str) -> None:
    """A mail server could read these in another way than we do; the error does not repeat the address."""
    with pytest.raises(PermanentFailure) as failure:
        built(message(recipient=address))
    assert "address cannot be used" in failure.value.reason
    assert not address or address not in failure.value.reason


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("anna@example.com", "anna@example.com"),
        ("a.b+tag_1!#$%&'*/=?^`{|}~-@localhost", "a.b+tag_1!#$%&'*/=?^`{|}~-@localhost"),
        ("anna@straße.example", "anna@xn--strae-oqa.example"),
    ],
)
def test_plain_addresses_pass_byte_for_byte(address: str, expected: str) -> None:
    """Only a domain with letters beyond ASCII is rewritten, by the rules of 2008 that keep ß apart from ss."""
    assert expected == plain_address(address)
    assert expected == parsed(built(message(recipient=address)))["To"].addresses[0].addr_spec


@pytest.mark.parametrize(
    ("head", "mail"),
    [
        (b"From: a\r\nBcc: b\r\nTo: c\r\n", b"\r\n"),
        (b"From: a\r\n", b"\r\n"),
        (b"To: a\r\nFrom: c\r\n", b"\r\n"),
        (b"From: a\r\nTo: c\r\n", b"x\ny\r\n"),
        (b"From: a\r\nTo: c\r\n", b"x\ry\r\n"),
        (b"From: a\r\nTo: c\r\n", b"x" * 999 + b"\r\n"),
        (b"From: a\r\nTo: c", b"\r\n"),
    ],
)
def test_the_last_look_at_the_bytes_stops_what_slipped_through(head: bytes, mail: bytes) -> None:
    """An extra, missing or swapped header, a bare line end, a long line: such bytes are not sent."""
    with pytest.raises(PermanentFailure, match="was not sent"):
        check(head, (b"From", b"To"), head + mail)
