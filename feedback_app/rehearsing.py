"""Messages as they would be: every template checked, and one shown, with sample data instead of a customer's."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from feedback_app.errors import BadConfig
from feedback_app.pipeline import Composer, rehearsal, sample
from feedback_app.pipeline.composer import PURPOSES, ROLES, Form
from feedback_app.pipeline.rehearsal import Findings
from feedback_app.plugin_host.places import written_at
from feedback_app.report import render
from feedback_app.report.sample import sample_day
from feedback_app.report.wording import subject
from feedback_app.settings.schema import TemplatesSettings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from feedback_app.settings import Settings

REPORT = "report"
SMS = "sms"
KINDS = (*PURPOSES, REPORT)  # what messages can be made of


class Preview(NamedTuple):
    """A message made of sample data."""

    form: Form
    files: Mapping[str, Path]  # by part: subject, text, html; the report's subject has none


class Size(NamedTuple):
    """How a text message would be sent and paid."""

    encoding: str  # "GSM-7" or "UCS-2"
    units: int  # 7-bit letters or 16-bit words
    parts: int  # segments, each of which is paid for


def composer_of(settings: Settings) -> Composer:
    """Return what forms the messages."""
    rating = settings.rating
    return Composer(
        settings.templates_directory,
        business=settings.business.name,
        lowest=rating.minimum,
        highest=rating.maximum,
    )


def preview(settings: Settings, kind: str, channel: str, *, rating: float, locale: str | None) -> Preview:
    """Render one of KINDS for a channel. Raises BadConfig with one line that names the template and its line."""
    if kind == REPORT:
        return _report(settings)
    composer = composer_of(settings)
    form = composer.compose(kind, channel, sample.feedback(rating), sample.customer(locale))
    parts = {role: composer.part(role, kind, channel, locale) for role in ROLES}
    files = {role: composer.templates.place(part.file) for role, part in parts.items() if part is not None}
    return Preview(form, {role: file for role, file in files.items() if file is not None})


def _report(settings: Settings) -> Preview:
    renderer, days = render.Renderer(settings.templates_directory), [sample_day()]
    report = render.Report(business=settings.business.name, days=days)
    places = {"text": renderer.templates.place(render.TEXT), "html": renderer.templates.place(render.HTML)}
    form = Form(subject(days), renderer.text(report), renderer.html(report))
    return Preview(form, {role: file for role, file in places.items() if file is not None})


def size_of(text: str) -> Size:
    """Return what a text message counts as."""
    from feedback_app.plugins._sms_segments import (
        segments,
    )  # of the shipped plugin, which counts so before it sends

    return Size(*segments(text.strip()))


def check_templates(settings: Settings, channels: Collection[str]) -> Findings:
    """Look for all that is wrong with the templates of these channels and of the report."""
    composer = composer_of(settings)
    found = rehearsal.check(composer, channels)
    renderer = render.Renderer(settings.templates_directory)
    try:
        renderer.check()
    except BadConfig as error:
        of_report = error.problems
    else:
        of_report = ()
    return Findings(
        files=(*found.files, render.TEXT, render.HTML),
        problems=(*_missing_folder(settings), *found.problems, *of_report),
        warnings=(
            *composer.strays(channels),
            *found.warnings,
            *(_long_texts(composer) if SMS in channels and not found.problems else ()),
        ),
    )


def _missing_folder(settings: Settings) -> Iterator[str]:
    folder = settings.templates_directory
    is_meant = settings.templates.directory != TemplatesSettings().directory
    if not folder.is_dir() and (is_meant or folder.exists()):
        what = f"{folder} is not a folder" if folder.exists() else f"there is no folder {folder}"
        yield f"{written_at(settings, 'templates', 'directory')}: {what}"


def _long_texts(composer: Composer) -> Iterator[str]:
    """Yield a line for each template whose text messages are sent, and paid, as several."""
    seen = set()
    for purpose in PURPOSES:
        for locale in (None, *composer.languages()):
            part = composer.part("text", purpose, SMS, locale)
            assert part is not None  # shipped
            if part.file in seen:
                continue
            seen.add(part.file)
            sizes = [
                size_of(composer.compose(purpose, SMS, sample.feedback(star), sample.customer(locale)).text)
                for star in sample.stars(*composer.scale)
            ]
            longest = max(sizes, key=lambda size: size.parts)
            if longest.parts > 1:
                counted = f"{longest.parts} segments ({longest.encoding}, {longest.units} units)"
                yield f"template {part.file}: {counted} for a sample, each is paid for"
