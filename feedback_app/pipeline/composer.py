"""Forms messages from templates: the operator's own where there are some, else the shipped ones.

For a purpose such as `thanks` and a channel such as `sms` these files are looked for, each also with the
customer's language in front of its ending (`thanks.sms.de.txt`):

    subject   thanks.CHANNEL.subject.txt, thanks.subject.txt
    text      thanks.CHANNEL.txt, thanks.txt
    html      thanks.CHANNEL.html (none: the channel has no HTML form)
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, NamedTuple

from feedback_app.errors import BadConfig
from feedback_app.model import Customer, Feedback
from feedback_app.templating import NOTHING, Templates

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from feedback_app.templating import Render

_LONGEST = 256 * 1024  # characters of one part
_ANY = "*"  # stands for a channel without templates of its own, which may come to be used any time
PURPOSES = ("thanks", "apology")


class Form(NamedTuple):
    """The rendered parts of one message."""

    subject: str
    text: str
    html: str


class _Part(NamedTuple):
    file: str  # the template's name
    render: Render


class _Parts(NamedTuple):
    subject: _Part
    text: _Part
    html: _Part | None


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
        values = self._values(feedback, customer)
        html = parts.html
        return Form(
            subject=" ".join(parts.subject.render(values).split()),  # a subject is one line
            text=parts.text.render(values).strip() + "\n",
            html=html.render(values) if html is not None else "",
        )

    def _values(self, feedback: Feedback, customer: Customer) -> dict[str, object]:
        """Return every name that a template may use."""
        return {
            **self._constant,
            "name": customer.name or "",
            "item": feedback.item or "",
            "rating": number(feedback.rating),
            "comment": feedback.comment,
        }

    def check(self, channels: Iterable[str]) -> None:
        """Render everything once with sample data, in every language there is a template for.

        Raises BadConfig with a line for each problem.
        """
        problems = self._templates.unreadable()
        for channel in (*channels, _ANY):
            for purpose in PURPOSES:
                for locale in (None, *self._locales()):
                    for stems, ending in _templates_of(purpose, channel):
                        problems += self._problems(stems, ending, locale)
        if problems:
            raise BadConfig(*dict.fromkeys(problems))

    def strays(self, channels: Iterable[str]) -> list[str]:
        """Return a line for each file that looks like a template for messages and that no message uses."""
        languages = ("", *(f".{tag}" for tag in self._locales()))
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
            for file in self._templates.own_files()
            if file.name not in used and difflib.get_close_matches(file.name.split(".")[0], PURPOSES)
        ]

    def _problems(self, stems: tuple[str, ...], ending: str, locale: str | None) -> tuple[str, ...]:
        """Say what is wrong with one part, in the words of the first sample that shows it."""
        try:
            part = self._first(stems, ending, locale)
            texts = [part.render(values) for values in self._samples()] if part else []
        except BadConfig as error:
            return error.problems
        if part and ending == "txt" and not all(text.strip() for text in texts):
            return (f"template {part.file}: {NOTHING}",)
        return ()

    def _samples(self) -> Iterable[dict[str, object]]:
        """Yield the values of a lowest and a highest rating, by somebody with a name and somebody without."""
        for rating in self._ratings:
            feedback = Feedback(rating=rating, item="Blue umbrella", comment="Sample comment")
            yield self._values(feedback, Customer(id="c1", name="Ada Lovelace"))
            yield self._values(feedback, Customer(id="c1"))

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
        found = [self._first(*one, locale) for one in _templates_of(purpose, channel)]
        subject, text, html = found
        assert subject is not None  # shipped
        assert text is not None
        return _Parts(subject, text, html)

    def _first(self, stems: tuple[str, ...], ending: str, locale: str | None) -> _Part | None:
        """Return the nearest template that there is: channel before none, language before none."""
        for stem in stems:
            for language in _languages(locale):
                file = f"{stem}{language}.{ending}"
                render = self._templates.find(file)
                if render is not None:
                    return _Part(file, render)
        return None


def _templates_of(purpose: str, channel: str) -> tuple[tuple[tuple[str, ...], str], ...]:
    """Return (names without language and ending, the first that exists is taken; ending) of each part."""
    return (
        ((f"{purpose}.{channel}.subject", f"{purpose}.subject"), "txt"),
        ((f"{purpose}.{channel}", purpose), "txt"),
        ((f"{purpose}.{channel}",), "html"),
    )


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f", did you mean {near[0]}?" if near else ""


def _languages(locale: str | None) -> tuple[str, ...]:
    """Return the endings to look for: de-AT gives .de-AT, .de and none."""
    if not locale:
        return ("",)
    language = locale.split("-")[0]
    return (f".{locale}", f".{language}", "") if language != locale else (f".{locale}", "")


def number(value: float) -> str:
    """Write a rating as people do: 4 and 4.5, never 4.0."""
    return f"{value:g}"
