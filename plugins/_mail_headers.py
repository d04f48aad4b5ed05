"""Header values that cannot break out of their line, whatever a customer calls themselves.

Sources: RFC 5322 (headers), RFC 2047 (encoded words). The standard library's `Header` does the same at twenty
times the cost, and its `EmailMessage` makes a header of an encoded line end in Python 3.11.7 (CVE-2024-6923).
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass

# Controls, line and paragraph separators, lone surrogates: what some reader might take for the end of a line.
_BREAKS = re.compile("[\x00-\x20\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
# Direction marks, overrides and isolates, characters without width: they make a name look like another one.
_DISGUISES = re.compile("[\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")

_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")  # RFC 5322, 3.2.3; needs no quotes
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_LOCAL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ADDRESS = re.compile(rf"(?P<local>{_LOCAL}(?:\.{_LOCAL})*)@(?P<domain>{_LABEL}(?:\.{_LABEL})*)")
_LONGEST_ADDRESS = 254  # RFC 5321, 4.5.3.1.3 without the angle brackets
_LONGEST_LOCAL = 64

_PLAIN_WIDTH = 64  # characters of an ASCII value that fit into one line behind the longest header name
_WORD_BYTES = 39  # bytes in an encoded word: 64 characters, so "Subject: " and one word stay below 76


@dataclass(frozen=True, kw_only=True, slots=True)
class Mailbox:
    """A sender as the configuration gives it."""

    name: str  # "" when there is none
    address: str  # plain ASCII
    domain: str  # the part behind the @


def one_line(text: str) -> str:
    """Return `text` without line ends, controls and disguises, and with single spaces."""
    if text.isprintable() and "  " not in text:
        return text.strip()
    return " ".join(_BREAKS.sub(" ", _DISGUISES.sub("", text)).split())


def subject_value(text: str) -> str:
    """Return the value of a Subject header, folded where it is long."""
    line = one_line(text)
    if line.isascii() and len(line) <= _PLAIN_WIDTH and "=?" not in line:
        return line
    return _encoded_words(line)


def mailbox_value(name: str, address: str) -> str:
    """Return the value of a From or To header; `address` must have passed `plain_address`."""
    phrase = _phrase(one_line(name))
    if not phrase:
        return address
    fold = " " if len(phrase) <= _PLAIN_WIDTH and len(address) <= _PLAIN_WIDTH else "\r\n "
    return f"{phrase}{fold}<{address}>"


def plain_address(text: str) -> str:
    """Return the one address that `text` is, in ASCII; a domain with other letters becomes its xn-- form.

    Raises ValueError for anything that a mail server could read in another way: display names, lists, quotes,
    comments, or letters beyond ASCII before the @.
    """
    address = text if text.isascii() else _with_ascii_domain(text)
    match = _ADDRESS.fullmatch(address) if len(address) <= _LONGEST_ADDRESS else None
    if match is None or len(match["local"]) > _LONGEST_LOCAL:
        raise ValueError("not one plain address")
    return address


def parse_mailbox(text: str) -> Mailbox:
    """Read `address` or `Name <address>`. Raises ValueError for anything else."""
    name, bracket, rest = text.strip().rpartition("<")
    if bracket and not rest.endswith(">"):
        raise ValueError("not one plain address")
    address = plain_address(rest.removesuffix(">") if bracket else rest)
    name = name.strip()
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = re.sub(r"\\(.)", r"\1", name[1:-1])
    elif re.search(r'[@<>,;:"]', name):
        raise ValueError("not one plain address")
    return Mailbox(name=one_line(name), address=address, domain=address.rpartition("@")[2])


def _phrase(name: str) -> str:
    if len(name) > _PLAIN_WIDTH or not name.isascii() or "=?" in name:
        return _encoded_words(name)
    if not name or _ATOMS.fullmatch(name):
        return name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _encoded_words(text: str) -> str:
    """Return `text` as base64 encoded words, one to a line, none splitting a character."""
    words: list[bytes] = []
    room = 0
    for char in text:
        encoded = char.encode()
        if len(encoded) > room:
            words.append(b"")
            room = _WORD_BYTES
        words[-1] += encoded
        room -= len(encoded)
    return "\r\n ".join(f"=?utf-8?b?{binascii.b2a_base64(word, newline=False).decode()}?=" for word in words)


def _with_ascii_domain(text: str) -> str:
    from email_validator import EmailNotValidError, validate_email  # only the rare address needs it

    try:
        checked = validate_email(text, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError:
        raise ValueError("not one plain address") from None
    if checked.ascii_email is None:
        raise ValueError("letters beyond ASCII stand before the @, which needs SMTPUTF8")
    return checked.ascii_email
