"""`feedback-app templates`: which wordings are in force, how they look, what is wrong with them."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import click

from feedback_app.cli import completing
from feedback_app.cli.context import echo_json, echo_table, json_option
from feedback_app.cli.paging import echo_text
from feedback_app.cli.sampling import locale_option, rating_option, sample_rating
from feedback_app.cli.typed import NAME, plain
from feedback_app.errors import BadConfig, NotFound

if TYPE_CHECKING:
    from collections.abc import Collection

    from feedback_app.cli.context import Program
    from feedback_app.rehearsing import Preview
    from feedback_app.settings import Settings
    from feedback_app.templating import Templates

Format: TypeAlias = Literal["text", "html", "json"]

_DEFAULT_CHANNEL = "email"  # of `templates preview thanks`


@click.group()
def group() -> None:
    """See which templates are in force, preview and check them."""


@group.command(name="list")
@json_option
@click.pass_obj
def list_(program: Program, *, as_json: bool) -> None:
    """List the templates in force, shipped ones and your own."""
    settings = program.settings()
    rows = _rows(settings, _channels(settings))
    if as_json:
        echo_json(rows)
        return
    header = ("name", "language", "origin", "note")
    echo_table(
        header, [(row["name"], row["language"] or "any", _origin(row, settings), _note(row)) for row in rows]
    )


@group.command()
@click.argument("name", type=NAME, shell_complete=completing.messages)
@rating_option
@locale_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "html", "json"]),
    help="What to print; text, or html where NAME ends so.",
)
@click.pass_obj
def preview(
    program: Program, name: str, *, rating: str | None, locale: str | None, form: Format | None
) -> None:
    """Print a message as sample data would make it; nothing is sent.

    NAME is what the message is and its channel, such as thanks.sms (thanks alone is thanks.email), or the name of a
    template, or report.
    """
    from feedback_app import rehearsing

    settings = program.settings()
    wanted = _wanted(name, settings)
    stars = sample_rating(rating, settings, default=wanted.kind)
    made = rehearsing.preview(
        settings, wanted.kind, wanted.channel, rating=stars, locale=locale or wanted.language
    )
    match form or ("html" if name.endswith(".html") else "text"):
        case "json":
            echo_json(_data(wanted, made, stars, locale or wanted.language))
        case "html" if not made.form.html:
            raise NotFound(f"{wanted.kind} by {wanted.channel} has no HTML form; leave out --format html")
        case "html":
            click.echo(made.form.html)
        case _:
            _show(wanted, made)


@group.command()
@json_option
@click.pass_obj
def check(program: Program, *, as_json: bool) -> None:
    """Render every template with sample data for every star and language, and say what is wrong, all at once."""
    from feedback_app import rehearsing

    settings = program.settings()
    found = rehearsing.check_templates(settings, _channels(settings))
    if as_json:
        echo_json(found._asdict())
    else:
        for warning in found.warnings:
            click.echo(f"warning: {warning}", err=True)
    if found.problems:
        raise BadConfig(*found.problems)
    if not as_json:
        click.echo(f"{len(found.files)} templates: ok")


class Wanted(NamedTuple):
    """What is to be previewed."""

    kind: str  # one of rehearsing.KINDS
    channel: str  # "" for the report, which looks the same by each
    language: str | None


def _channels(settings: Settings) -> Collection[str]:
    from feedback_app.plugin_host import PluginHost

    return PluginHost.load(settings).notifiers.keys()


def _templates(settings: Settings) -> Templates:
    from feedback_app.rehearsing import composer_of

    return composer_of(settings).templates


def _wanted(name: str, settings: Settings) -> Wanted:
    """Return what a name means. Raises NotFound for one that means nothing."""
    from feedback_app.pipeline.composer import name_of
    from feedback_app.rehearsing import KINDS, REPORT

    if name.removesuffix(".txt").removesuffix(".html") == REPORT:
        return Wanted(REPORT, "", None)
    named = name_of(name if name.endswith((".txt", ".html")) else f"{name}.txt")
    channels = _channels(settings)
    if named is not None and (named.channel is None or named.channel in channels):
        return Wanted(named.purpose, named.channel or _DEFAULT_CHANNEL, named.language)
    known = [*KINDS, *(f"{kind}.{channel}" for kind in KINDS[:-1] for channel in channels)]
    files = [one for one in _templates(settings).names() if name_of(one) is not None]
    near = difflib.get_close_matches(name, [*known, *files], n=1, cutoff=0.85)
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}"
    raise NotFound(f"no message is made of {name[:60]!r}; {hint}")


def _rows(settings: Settings, channels: Collection[str]) -> list[dict[str, Any]]:
    from feedback_app.rehearsing import KINDS, composer_of
    from feedback_app.templating import SHIPPED

    composer = composer_of(settings)
    templates = composer.templates
    strays = {line.split(":")[0].removeprefix("template ") for line in composer.strays(channels)}
    return [_row(name, templates.place(name), SHIPPED, KINDS, name in strays) for name in templates.names()]


def _row(
    name: str, file: Path | None, shipped: Path, kinds: Collection[str], is_stray: bool
) -> dict[str, Any]:
    from feedback_app.pipeline.composer import name_of

    named = name_of(name)
    kind = named.purpose if named else name.split(".", maxsplit=1)[0]
    is_own = file is not None and file.parent != shipped
    return {
        "name": name,
        "message": kind if kind in kinds else None,
        "channel": named.channel if named else None,
        "part": named.role if named else None,
        "language": named.language if named else None,
        "shipped": not is_own,
        "file": str(file) if file else None,
        "overrides": is_own and (shipped / name).is_file(),
        "used": not is_stray,
    }


def _origin(row: dict[str, Any], settings: Settings) -> str:
    if row["file"] is None:
        return "is not a file"
    return "shipped" if row["shipped"] else str(Path(settings.templates.directory) / row["name"])


def _note(row: dict[str, Any]) -> str:
    if not row["used"]:
        return "no message uses it"
    if row["message"] is None:
        return "no message is made of it; others may include it"
    return "instead of the shipped one" if row["overrides"] else ""


def _show(wanted: Wanted, made: Preview) -> None:
    from feedback_app.rehearsing import SMS, size_of

    if wanted.channel == SMS:
        size = size_of(made.form.text)
        echo_text(f"Segments: {size.parts} ({size.encoding}, {size.units} units)")
    else:
        echo_text(f"Subject: {made.form.subject}")
    click.echo()
    echo_text(made.form.text)
    if made.form.html:
        click.echo("there is an HTML form too: --format html", err=True)
    for part, file in made.files.items():
        if (part, wanted.channel) != ("subject", SMS):
            click.echo(f"{part}: {file}", err=True)


def _data(wanted: Wanted, made: Preview, rating: float, locale: str | None) -> dict[str, Any]:
    from feedback_app.rehearsing import REPORT, SMS, size_of

    is_report = wanted.kind == REPORT
    return {
        "message": wanted.kind,
        "channel": wanted.channel or None,
        "rating": None if is_report else plain(rating),
        "locale": locale,
        **made.form._asdict(),
        "segments": size_of(made.form.text).parts if wanted.channel == SMS else None,
        "templates": {part: str(file) for part, file in made.files.items()},
    }
