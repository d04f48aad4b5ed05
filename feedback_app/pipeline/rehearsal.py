"""Renders every template with sample data, so that what is wrong is found before the first customer gets it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from feedback_app.errors import BadConfig
from feedback_app.pipeline.composer import PURPOSES, ROLES
from feedback_app.pipeline.sample import ODD, samples
from feedback_app.templating import NOTHING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from feedback_app.pipeline.composer import Composer, Part, Role
    from feedback_app.pipeline.sample import Sample

_ANY = "*"  # stands for a channel without templates of its own, which may come to be used any time
_MARKUP = re.compile(r"<[a-zA-Z!]")


class Findings(NamedTuple):
    """What a check found: a line for each thing."""

    files: tuple[str, ...]  # the templates that were rendered
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Rendered(NamedTuple):
    """What came out of a template for one sample."""

    sample: Sample
    text: str


def check(composer: Composer, channels: Iterable[str]) -> Findings:
    """Render each template that a message by one of `channels` may be made of, with every sample."""
    problems = composer.templates.unreadable()
    warnings: list[str] = []
    parts: dict[str, tuple[Role, Part]] = {}
    for role, part in _parts(composer, (*channels, _ANY), problems):
        parts.setdefault(part.file, (role, part))
    for role, part in parts.values():
        rendered = _rendered(composer, part, problems)
        if role == "html":
            problems += _unescaped(part, rendered)
            warnings += _odd_html(part, rendered)
        else:
            problems += _empty(part, rendered)
        if role == "subject":
            warnings += _broken_lines(part, rendered)
    return Findings(tuple(parts), tuple(dict.fromkeys(problems)), tuple(warnings))


def _parts(composer: Composer, channels: Iterable[str], problems: list[str]) -> Iterator[tuple[Role, Part]]:
    """Yield what there is, in every language that there is a template for; adds what cannot be compiled."""
    languages = (None, *composer.languages())
    for channel in channels:
        for purpose in PURPOSES:
            for language in languages:
                for role in ROLES:
                    try:
                        part = composer.part(role, purpose, channel, language)
                    except BadConfig as error:
                        problems += error.problems
                    else:
                        if part is not None:
                            yield role, part


def _rendered(composer: Composer, part: Part, problems: list[str]) -> list[Rendered]:
    """Return what comes out for each sample; adds the problems, each in the words of the first sample that shows it."""
    rendered = []
    found: dict[str, str] = {}
    for one in samples(*composer.scale):
        try:
            rendered.append(Rendered(one, part.render(composer.values(one.feedback, one.customer))))
        except BadConfig as error:
            for problem in error.problems:
                found.setdefault(problem, one.label)
    problems += [_labelled(problem, label) for problem, label in found.items()]
    return rendered


def _empty(part: Part, rendered: list[Rendered]) -> list[str]:
    empty = [one.sample.label for one in rendered if not one.text.strip()]
    return [_labelled(f"template {part.file}: {NOTHING}", empty[0])] if empty else []


def _unescaped(part: Part, rendered: list[Rendered]) -> list[str]:
    if not any(ODD in one.text for one in rendered):
        return []
    return [
        f"template {part.file}: a customer's words come out of it as markup; take `| safe` away from them"
    ]


def _odd_html(part: Part, rendered: list[Rendered]) -> list[str]:
    if rendered and not rendered[0].text.strip():
        return [f"template {part.file}: nothing comes out of it, so the message has no HTML form"]
    if rendered and not _MARKUP.search(rendered[0].text):
        return [f"template {part.file}: no markup comes out of it, so mail programs show it as one paragraph"]
    return []


def _broken_lines(part: Part, rendered: list[Rendered]) -> list[str]:
    if any("\n" in one.text.strip() for one in rendered):
        return [
            f"template {part.file}: a line break comes out of it; a subject is one line, so it is sent as a blank"
        ]
    return []


def _labelled(problem: str, label: str) -> str:
    return f"{problem} ({label})" if label else problem
