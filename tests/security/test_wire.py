"""What a server is told is what was checked: addresses byte for byte (S2), and one mail out of one (S3)."""

from __future__ import annotations

from email import message_from_bytes, policy

import pytest
from msgspec import structs

from feedback_app import Message, PermanentFailure
from feedback_app.intake import contact
from tests.security.road import notifier, sent
from tests.security.wire import WireSink, undotted

ORDINARY = Message(
    id="thanks.1.ledger",
    purpose="thanks",
    channel="email",
    recipient="anna@example.com",
    subject="Thank you",
    text="Hello\n",
)

ODD = [
    "a@b.example",
    "0@1.example",
    "a.b.c.d@sub.domain.example.com",
    "anna+tag+tag@example.com",
    "anna-@example.com",
    "-anna@example.com",
    "_@example.com",
    "!#$%&'*+/=?^_`{|}~@example.com",
    "o'brien@example.com",
    "anna=example.net@lists.example.com",  # as bounce addresses are made
    "anna%example.net@example.com",
    "UPPER.Case@example.com",
    "a" * 64 + "@example.com",
    "anna@" + ".".join(["x" * 61, "y" * 61, "z" * 50, "example"]),
    "anna@xn--strae-oqa.example",
    "anna@1and1.example",
    "anna@a--b.example",
    "anna@example.museum",
]
REFUSED = [
    "anna@example.com> SIZE=1",
    "anna@example.com>\r\nRCPT TO:<evil@example.net",
    "anna@example.com\nDATA",
    "anna@example.com\0",
    "anna@example.com,evil@example.net",
    "anna@example.com evil@example.net",
    "<anna@example.com>",
    "Anna <anna@example.com>",
    "@relay.example:anna@example.com",
    "anna@[127.0.0.1]",
    "anna@[IPv6:::1]",
    '"an na"@example.com',
    '"anna@example.net"@example.com',
    "anna@example.net@example.com",
    "anna..smith@example.com",
    ".anna@example.com",
    "anna.@example.com",
    "anna@example..com",
    "anna@.example.com",
    "anna@-example.com",
    "anna(comment)@example.com",
    "anna\\@example.com",
    "jörg@example.com",
    "anna@example.com\u2028",
    "anna\uff20example.com",
    "anna@example\u3002com\r\n",
    "",
]


@pytest.mark.parametrize("address", ODD)
async def test_odd_addresses_pass_byte_for_byte(address: str) -> None:
    """The server hears exactly what the intake has found valid; nobody in between quotes or folds it."""
    valid = contact.email(address)

    talk = await sent(structs.replace(ORDINARY, recipient=valid))

    assert talk.commands[2] == b"RCPT TO:<%s>" % valid.encode("ascii")
    assert valid.rpartition("@")[0] == address.rpartition("@")[0]
    assert b"\r\nTo: %s\r\n" % valid.encode() in talk.mails[0].replace(b"To:\r\n ", b"To: ")


@pytest.mark.parametrize("address", REFUSED)
async def test_what_could_be_read_in_another_way_never_reaches_the_server(address: str) -> None:
    """Neither as a command nor in a mail, whoever has put it into the ledger."""
    async with WireSink() as sink:
        channel = notifier(sink.port)
        await channel.open()
        with pytest.raises(PermanentFailure):
            await channel.send(structs.replace(ORDINARY, recipient=address))
        await channel.send(ORDINARY)
        await channel.close()
        talk = await sink.talk()
    assert [one for one in talk.commands if one.startswith(b"RCPT")] == [b"RCPT TO:<anna@example.com>"]
    assert len(talk.mails) == 1


ENDS = [
    "\n.\n",
    "\n.\r\n",
    "\r.\r",
    "\r.\n",
    "\r\n.\r\n",
    "\r\n.\r",
    "\r\n.\n",
    "\n.\r",
    "\r\n\0.\r\n",
    "\x85.\x85",
]
SMUGGLED = "MAIL FROM:<evil@example.net>\r\nRCPT TO:<evil@example.net>\r\nDATA\r\nSubject: won\r\n\r\nhi"


@pytest.mark.parametrize("letters", ["", "é" * 40, "Ж" * 40], ids=["7bit", "quoted-printable", "base64"])
@pytest.mark.parametrize("end", ENDS, ids=ascii)
async def test_no_body_ends_its_mail(end: str, letters: str) -> None:
    """Servers differ in what ends a mail (CVE-2023-51764 and kin): no lone CR, no lone LF, no lone dot."""
    text = f"{letters}before{end}{SMUGGLED}{end}.{end}behind"

    talk = await sent(structs.replace(ORDINARY, text=text))

    (mail,) = talk.mails
    assert mail.count(b"\r") == mail.count(b"\n") == mail.count(b"\r\n")
    assert all(line.startswith(b"..") for line in mail.split(b"\r\n") if line.startswith(b"."))
    assert [verb for verb in talk.verbs if verb not in (b"EHLO", b"QUIT")] == [b"MAIL", b"RCPT", b"DATA"]
    parsed = message_from_bytes(undotted(mail), policy=policy.default)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    assert lines + "\n" == parsed.get_content().replace("\r\n", "\n")
