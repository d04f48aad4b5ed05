"""Forms messages from templates: the operator's own where there are some, else the shipped ones.

For a purpose such as `thanks` and a channel such as `sms` these files are looked for, each also with the
customer's language in front of its ending (`thanks.sms.de.txt`):

    subject   thanks.CHANNEL.subject.txt, thanks.subject.txt
    text      thanks.CHANNEL.txt, thanks.txt
    html      thanks.CHANNEL.html (none: the channel has no HTML form)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from feedback_app.errors import BadConfig
from feedback_app.model import Customer, Feedback
from feedback_app.templating import Templates

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from feedback_app.templating import Render

_LONGEST = 256 * 1024  # characters of one part
PURPOSES = ("thanks", "apology")


class Form(NamedTuple):
    """The rendered parts of one message."""

    subject: str
    text: str
    html: str


class _Parts(NamedTuple):
    subject: Render
    text: Render
    html: Render | None


class Composer:
    """Renders messages; each template is read and compiled once, when it is first needed or by `check`."""

    def __init__(self, folder: Path, *, business: str, lowest: float = 1, highest: float = 5) -> None:
        self._templates = Templates(folder, longest=_LONGEST)
        self._constant = {"business": business, "lowest": number(lowest), "highest": number(highest)}
        self._ratings = (lowest, highest)
        self._parts: dict[tuple[str, str, str | None], _Parts] = {}

    def compose(self, purpose: str, channel: str, feedback: Feedback, customer: Customer) -> Form:
        """Render the message for one rating.

        Raises BadConfig naming the template and its line; `check` finds that before the start.
        """
        key = (purpose, channel, customer.locale)
        parts = self._parts.get(key)
        if parts is None:
            parts = self._parts[key] = self._load(*key)
        values = {
            **self._constant,
            "name": customer.name or "",
            "item": feedback.item or "",
            "rating": number(feedback.rating),
            "comment": feedback.comment,
        }
        html = parts.html
        return Form(
            subject=" ".join(parts.subject(values).split()),  # a subject is one line
            text=parts.text(values).strip() + "\n",
            html=html(values) if html is not None else "",
        )

    def check(self, channels: Iterable[str]) -> None:
        """Render everything once with sample data, in every language there is a template for.

        Raises BadConfig with a line for each problem.
        """
        problems = []
        for channel in channels:
            for purpose in PURPOSES:
                for locale in (None, *self._locales()):
                    problems += self._problems(purpose, channel, locale)
        if problems:
            raise BadConfig(*dict.fromkeys(problems))

    def _problems(self, purpose: str, channel: str, locale: str | None) -> list[str]:
        for rating in self._ratings:
            feedback = Feedback(rating=rating, item="Blue umbrella", comment="Sample comment", customer="c1")
            for name in ("Ada Lovelace", None):
                customer = Customer(id="c1", name=name, locale=locale)
                try:
                    form = self.compose(purpose, channel, feedback, customer)
                except BadConfig as error:
                    return list(error.problems)
                if not form.text.strip():
                    return [f"template {purpose}.txt for channel {channel!r}: the message is empty"]
        return []

    def _locales(self) -> list[str]:
        """Return the languages that template files exist for."""
        endings = set()
        for folder in self._templates.folders:
            for file in folder.glob("*.*.*") if folder.is_dir() else ():
                tag = file.suffixes[-2].removeprefix(".")
                if len(tag.split("-")[0]) == 2 and tag.split("-")[0].isalpha():  # noqa: PLR2004 - ISO 639-1
                    endings.add(tag)
        return sorted(endings)

    def _load(self, purpose: str, channel: str, locale: str | None) -> _Parts:
        def first(*stems: str, ending: str) -> Render | None:
            for stem in stems:
                for language in _languages(locale):
                    found = self._templates.find(f"{stem}{language}.{ending}")
                    if found is not None:
                        return found
            return None

        subject = first(f"{purpose}.{channel}.subject", f"{purpose}.subject", ending="txt")
        text = first(f"{purpose}.{channel}", purpose, ending="txt")
        assert subject is not None  # shipped
        assert text is not None
        return _Parts(subject, text, first(f"{purpose}.{channel}", ending="html"))


def _languages(locale: str | None) -> tuple[str, ...]:
    """Return the endings to look for: de-AT gives .de-AT, .de and none."""
    if not locale:
        return ("",)
    language = locale.split("-")[0]
    return (f".{locale}", f".{language}", "") if language != locale else (f".{locale}", "")


def number(value: float) -> str:
    """Write a rating as people do: 4 and 4.5, never 4.0."""
    return f"{value:g}"
