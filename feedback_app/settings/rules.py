"""What single values must look like, beyond their type. Each rule raises RuleError with its own sentence."""

from __future__ import annotations

import difflib
import re
import zoneinfo
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from feedback_app.settings.durations import parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import ValidationInfo

SQLITE = "sqlite:///"
POSTGRESQL = "postgresql+psycopg://"


class RuleError(ValueError):
    """A value breaks a rule; `hint` says what to do and stands behind the value."""

    def __init__(self, rule: str, *, hint: str = "", private: bool = False) -> None:
        super().__init__(rule)
        self.hint = hint
        self.private = private  # personal data: the value stays out of the message


def name(text: str) -> str:
    """Return the name of a plugin, channel or report; it also stands in keys of the ledger and in logs."""
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", text):
        raise RuleError("must be a name: a small letter, then small letters, digits, _ or -")
    return text


def one_line(text: str) -> str:
    """Return text that may stand in a mail header: no line breaks, no other control characters."""
    if not text.strip() or not text.isprintable():
        raise RuleError("must be one line of text, not empty")
    return text


def path_text(text: str) -> str:
    """Return a path that a file system could hold; whether it does is seen when it is used."""
    if not text or "\0" in text:
        raise RuleError("must be a path, not empty")
    return text


def clock_time(text: str) -> str:
    """Return a time of day, as it is written: "08:00"."""
    if not re.fullmatch(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]", text):
        raise RuleError('must be a time from "00:00" to "23:59"')
    return text


def time_zone(text: str) -> str:
    """Return a key of the IANA time zone database, in its own spelling."""
    try:
        zoneinfo.ZoneInfo(text)
    except (KeyError, ValueError, OSError):  # OSError: the name of a folder, such as "Europe"
        raise RuleError("must be a time zone", hint=_zone_hint(text)) from None
    return text


def _zone_hint(text: str) -> str:
    wanted = text[:64].strip().replace(" ", "_").lower()
    known = {zone.lower(): zone for zone in sorted(zoneinfo.available_timezones())}
    cities = {lower.rpartition("/")[2]: zone for lower, zone in known.items()}
    for spellings in (known, cities):
        close = difflib.get_close_matches(wanted, spellings, n=1, cutoff=0.8)
        if close:
            return f"did you mean '{spellings[close[0]]}'?"
    return 'write the name of a region and city, such as "Europe/Berlin"'


def recipient(text: str, info: ValidationInfo) -> str:
    """Return one plain e-mail address, or what the notifier of another channel may take."""
    if info.data.get("channel") != "email":
        return one_line(text)
    from email_validator import EmailNotValidError, validate_email

    try:
        checked = validate_email(text, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError as error:
        raise RuleError(
            f"must be one plain e-mail address ({str(error).rstrip('.')})", private=True
        ) from None
    return checked.ascii_email or checked.normalized


def store_url(text: str) -> str:
    """Return the URL of an SQLite file or of a PostgreSQL database."""
    hint = 'write "sqlite:///feedback.db", or "sqlite:////var/lib/feedback.db" for an absolute path'
    if re.match(r"postgres(ql)?(\+\w+)?:", text):
        return _postgresql_url(text)
    file = text.removeprefix(SQLITE)
    if file == text or "?" in file or not file.isprintable() or file == ":memory:" or file[-1:] in ("", "/"):
        raise RuleError("must be sqlite:/// and the path of a file", hint=hint)
    return text


def _postgresql_url(text: str) -> str:
    hint = f'write "{POSTGRESQL}user@host/database"'
    if not text.startswith(POSTGRESQL):
        raise RuleError(f"must begin with {POSTGRESQL}", hint=hint)
    try:
        parts = urlsplit(text)
        whole = bool(parts.path.strip("/")) and (parts.port is None or parts.port > 0) and text.isprintable()
    except ValueError:
        whole = False
    if not whole:
        raise RuleError("must name a host and a database", hint=hint)
    return text


def password_file(text: str, info: ValidationInfo) -> str:
    """Return the path of a file for the password of the database's user, where there is one and no other password."""
    url = info.data.get("url", "")
    if text and url.startswith(SQLITE):
        raise RuleError("is for a database on a server, and url names a file; delete it")
    if text and re.match(rf"{re.escape(POSTGRESQL)}[^/?#]*:[^/?#]*@", url):
        raise RuleError("is given beside a password in url; keep one")
    return text


def unique(values: tuple[str, ...]) -> tuple[str, ...]:
    """Return a list without repetitions."""
    for index, value in enumerate(values):
        if value in values[:index]:
            raise RuleError(f"must not repeat itself: entry {index} is entry {values.index(value)} again")
    return values


def between(lowest: str, highest: str) -> Callable[[float], float]:
    """Return the rule that keeps a duration within bounds, both included."""

    def check(seconds: float) -> float:
        if not parse_duration(lowest) <= seconds <= parse_duration(highest):
            raise RuleError(f"must be from {lowest} to {highest}")
        return seconds

    return check
