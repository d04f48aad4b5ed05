"""What a customer's contact data may be, one function a field: a value as it came → as it is kept.

Each raises ValueError with a sentence that begins with the field's name. The sentences never quote the value:
they are personal data and may end in a log.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from feedback_app.intake import fields
from feedback_app.model import Customer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CONTACT_FIELDS = ("name", "email", "phone", "preferred_channel", "locale", "timezone")

_NAME_LIMIT = 200  # characters
_EMAIL_LIMIT = 254  # RFC 5321 §4.5.3.1.3, less the angle brackets
_CHANNELS_LIMIT = 20

# The shape of nearly every address (RFC 5322 dot-atom), and what sends one to the full check all the same.
_PLAIN_EMAIL = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@(?P<domain>[A-Za-z0-9.-]{1,60}\.[A-Za-z]{2,24})", re.ASCII
)
_ODD_EMAIL = re.compile(r"^\.|\.\.|\.@|@[.-]|-\.|\.-|--")
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
_PHONE_FILLING = str.maketrans("", "", " .-()")
_CHANNEL = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_LOCALE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}")


def email(text: str) -> str:
    """Return one plain address, its domain in lower case and in ASCII form (RFC 5891)."""
    plain = _PLAIN_EMAIL.fullmatch(text)
    if plain and not _ODD_EMAIL.search(text):
        start = plain.start("domain")
        return text[:start] + text[start:].lower()
    if len(text) > _EMAIL_LIMIT:
        raise ValueError(f"email must be at most {_EMAIL_LIMIT} characters, got {len(text)}")
    from email_validator import EmailNotValidError, validate_email

    try:
        # Names under .test are for trying out; whether mail arrives there is not checked at all.
        found = validate_email(
            text, check_deliverability=False, allow_smtputf8=False, strict=True, test_environment=True
        )
    except EmailNotValidError:
        raise ValueError("email must be one plain address such as ann@example.org") from None
    return found.ascii_email or found.normalized


def phone(text: str) -> str:
    """Return the number in E.164 form; blanks, points, hyphens and brackets in it are left out."""
    if _PHONE.fullmatch(text):
        return text
    hint = ""
    if "(0)" in text:
        hint = ": leave out the (0)"
    elif text.startswith("00"):
        hint = ": write + instead of 00"
    elif _PHONE.fullmatch(number := text.translate(_PHONE_FILLING)):
        return number
    raise ValueError(f"phone must be E.164 such as +4915112345678, + and 7 to 15 digits{hint}")


def preferred_channels(text: str) -> tuple[str, ...]:
    """Return the channels in the customer's order, in lower case; whether they are installed is not asked."""
    names = tuple(dict.fromkeys(text.lower().replace(",", " ").split()))
    if len(names) > _CHANNELS_LIMIT or not all(_CHANNEL.fullmatch(name) for name in names):
        raise ValueError("preferred_channel must be names of channels in order, such as email, sms")
    return names


@lru_cache(maxsize=1000)
def locale(text: str) -> str:
    """Return a BCP 47 tag such as de-AT; de_AT and de-at are taken as that."""
    tag = text.replace("_", "-")
    if not _LOCALE.fullmatch(tag):
        raise ValueError("locale must be a BCP 47 tag such as de-AT")
    language, *rest = tag.lower().split("-")
    return "-".join([language, *(_subtag(part) for part in rest)])


def _subtag(part: str) -> str:
    """Write a region in capitals and a script with a capital, as RFC 5646 §2.1.1 recommends."""
    return part.upper() if len(part) == 2 else part.title() if len(part) == 4 and part.isalpha() else part  # noqa: PLR2004


@lru_cache(maxsize=1000)
def timezone(text: str) -> str:
    """Return the IANA name of a time zone."""
    try:
        return ZoneInfo(text).key
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError):  # "__init__/x" names a module of tzdata's
        raise ValueError("timezone must be an IANA name such as Europe/Vienna") from None


def name(text: str) -> str:
    """Return a person's name on one line."""
    if len(text) > _NAME_LIMIT:
        raise ValueError(f"name must be at most {_NAME_LIMIT} characters, got {len(text)}")
    fields.refuse_controls("name", text)
    return text


_RULES: dict[str, Callable[[str], object]] = {
    "name": name,
    "email": email,
    "phone": phone,
    "preferred_channel": preferred_channels,
    "locale": locale,
    "timezone": timezone,
}


def contact_value(field: str, value: object) -> object:
    """Return what is kept of a contact field, None for a blank one. Raises ValueError."""
    if isinstance(value, list) and field == "preferred_channel":
        value = " ".join(part if isinstance(part, str) else "?" for part in value)
    text = value if isinstance(value, str) else fields.scalar(field, value)
    return _RULES[field](text) if text.strip() else None


def contact(customer: str, values: Sequence[object]) -> tuple[Customer | None, tuple[str, ...]]:
    """Return the customer made of `values`, in the order of CONTACT_FIELDS, and a warning for each left out.

    The customer is None when nothing about them is known.
    """
    known: dict[str, object] = {}
    warnings = []
    for field, value in zip(CONTACT_FIELDS, values, strict=True):
        if value is None or value == "":
            continue
        try:
            kept = contact_value(field, value)
        except ValueError as problem:
            warnings.append(f"{problem}; left out")
            continue
        if kept is not None:
            known["preferred_channels" if field == "preferred_channel" else field] = kept
    made = Customer(id=customer, **known) if known else None  # type: ignore[arg-type]
    return made, tuple(warnings)
