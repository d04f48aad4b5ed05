"""Forms messages from templates: the operator's own where there are some, else the shipped ones.

For a purpose such as `thanks` and a channel such as `sms` these files are looked for, each also with the
customer's language in front of its ending (`thanks.sms.de.txt`):

    subject   thanks.CHANNEL.subject.txt, thanks.subject.txt
    text      thanks.CHANNEL.txt, thanks.txt
    html      thanks.CHANNEL.html (none: the channel has no HTML form)
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from feedback_app.templating import Templates

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from feedback_app.model import Customer, Feedback
    from feedback_app.templating import Render

Role: TypeAlias = Literal["subject", "text", "html"]

LONGEST = 256 * 1024  # characters of one part
PURPOSES = ("thanks", "apology")
ROLES: tuple[Role, ...] = ("subject", "text", "html")


class Form(NamedTuple):
    """The rendered parts of one message."""

    subject: str
    text: str
    html: str


class Part(NamedTuple):
    """What one part of a message is rendered by."""

    file: str  # the template's name
    render: Render


class TemplateName(NamedTuple):
    """What a template's name says."""

    purpose: str
    channel: str | None  # None: for every channel without one of its own
    role: Role
    language: str | None  # None: for every language without one of its own


_REMEMBERED = 1_000  # of purposes, channels and locales
_DECIMALS = 5  # of a rating, a mean of others perhaps


class _Parts(NamedTuple):
    subject: Part
    text: Part
    html: Part | None


class Composer:
    """Renders messages; each template is read and compiled once, when it is first needed or by a rehearsal."""

    def __init__(self, folder: Path, *, business: str, lowest: float = 1, highest: float = 5) -> None:
        self.templates = Templates(folder, longest=LONGEST)
        self._constant = {"business": business, "lowest": number(lowest), "highest": number(highest)}
        self.scale = (lowest, highest)
        self._parts: dict[tuple[str, str, str | None], _Parts] = {}

    def compose(self, purpose: str, channel: str, feedback: Feedback, customer: Customer) -> Form:
        """Render the message for one rating.

        Raises BadConfig naming the template and its line; `rehearsal.check` finds that before the start.
        """
        key = (purpose, channel, customer.locale)
        parts = self._parts.get(key)
        if parts is None:
            # Locales come with the ratings, and any well-formed tag is one.
            if len(self._parts) >= _REMEMBERED:
                self._parts.clear()
            parts = self._parts[key] = self._load(*key)
        values = self.values(feedback, customer)
        html = parts.html
        return Form(
            subject=" ".join(parts.subject.render(values).split()),  # a subject is one line
            text=parts.text.render(values).strip() + "\n",
            html=html.render(values) if html is not None else "",
        )

    def values(self, feedback: Feedback, customer: Customer) -> dict[str, object]:
        """Return every name that a template may use."""
        return {
            **self._constant,
            "name": customer.name or "",
            "item": feedback.item or "",
            "rating": number(feedback.rating),
            "comment": feedback.comment,
        }

    def strays(self, channels: Iterable[str]) -> list[str]:
        """Return a line for each file that looks like a template for messages and that no message uses."""
        languages = ("", *(f".{tag}" for tag in self.languages()))
        used = {
            f"{stem}{language}.{ending}"
            for channel in channels
            for purpose in PURPOSES
            for stems, ending in _templates_of(purpose, channel)
            for stem in stems
            for language in languages
        }
        return [
            f"template {file.name}: no message uses it{_did_you_mean(file.name, used)}"
            for file in self.templates.own_files()
            if file.name not in used and difflib.get_close_matches(file.name.split(".")[0], PURPOSES)
        ]

    def languages(self) -> list[str]:
        """Return the languages that template files exist for."""
        tags = (named.language for name in self.templates.names() if (named := name_of(name)))
        return sorted({tag for tag in tags if tag})

    def part(self, role: Role, purpose: str, channel: str, locale: str | None) -> Part | None:
        """Return what renders a part, None for an HTML form that there is none of. Raises BadConfig as `find` does."""
        return self._first(*_templates_of(purpose, channel)[ROLES.index(role)], locale)

    def _load(self, purpose: str, channel: str, locale: str | None) -> _Parts:
        subject, text, html = (self.part(role, purpose, channel, locale) for role in ROLES)
        assert subject is not None  # shipped
        assert text is not None
        return _Parts(subject, text, html)

    def _first(self, stems: tuple[str, ...], ending: str, locale: str | None) -> Part | None:
        """Return the nearest template that there is: channel before none, language before none."""
        for stem in stems:
            for language in _languages(locale):
                file = f"{stem}{language}.{ending}"
                render = self.templates.find(file)
                if render is not None:
                    return Part(file, render)
        return None


def _templates_of(purpose: str, channel: str) -> tuple[tuple[tuple[str, ...], str], ...]:
    """Return (names without language and ending, the first that exists is taken; ending) of each part."""
    return (
        ((f"{purpose}.{channel}.subject", f"{purpose}.subject"), "txt"),
        ((f"{purpose}.{channel}", purpose), "txt"),
        ((f"{purpose}.{channel}",), "html"),
    )


_NAME = re.compile(
    rf"(?P<purpose>{'|'.join(PURPOSES)})(?:\.(?!subject\.)(?P<channel>[a-z][a-z0-9_-]{{2,31}}))?(?P<subject>\.subject)?"
    r"(?:\.(?P<language>[A-Za-z]{2}(?:-[A-Za-z0-9]{2,8}){0,3}))?\.(?P<ending>txt|html)"
)  # a word of two letters is a language (ISO 639-1), whatever is longer a channel


def name_of(file: str) -> TemplateName | None:
    """Return what a template's name says, None for one that makes no part of a message to a customer."""
    found = _NAME.fullmatch(file)
    if found is None or (found["subject"] and found["ending"] == "html"):
        return None
    role: Role = "html" if found["ending"] == "html" else "subject" if found["subject"] else "text"
    return TemplateName(found["purpose"], found["channel"], role, found["language"])


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f", did you mean {near[0]}?" if near else ""


def _languages(locale: str | None) -> tuple[str, ...]:
    """Return the endings to look for: de-AT gives .de-AT, .de and none."""
    if not locale:
        return ("",)
    language = locale.split("-")[0]
    return (f".{locale}", f".{language}", "") if language != locale else (f".{locale}", "")


def number(value: float) -> float:
    """Return a rating that a template can compare, and that is written as people do: 4 and 4.5, never 4.0."""
    short = round(float(value), _DECIMALS)
    return int(short) if short.is_integer() else short
