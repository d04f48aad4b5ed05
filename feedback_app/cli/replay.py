"""`feedback-app feedback replay`: stored ratings through the pipeline as it is configured now."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from feedback_app.cli import completing
from feedback_app.cli.context import iso, json_option, limit_option, shown
from feedback_app.cli.typed import NAME
from feedback_app.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from feedback_app.cli.context import Program
    from feedback_app.model import Milliseconds
    from feedback_app.replaying import Difference, Figures
    from feedback_app.store.replays import Period


@click.command()
@click.option("--since", required=True, metavar="MOMENT", help="Ratings that arrived then or later.")
@click.option("--until", required=True, metavar="MOMENT", help="Ratings that arrived before.")
@click.option(
    "--source",
    metavar="NAME",
    type=NAME,
    shell_complete=completing.sources,
    help="Only ratings of this source.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be different, change nothing.")
@click.option(
    "--config",
    "other",
    type=click.Path(path_type=Path, readable=False),
    metavar="OTHER",
    help="Take rules, templates and plugins from this file; the ledger stays the same.",
)
@limit_option
@json_option
@click.pass_obj
def replay(  # noqa: PLR0913 - one for each option
    program: Program,
    *,
    since: str,
    until: str,
    source: str | None,
    dry_run: bool,
    other: Path | None,
    limit: int | None,
    as_json: bool,
) -> int:
    """Run stored ratings through the pipeline once more and show what would be different.

    A MOMENT is ISO 8601 (without a zone UTC, a date alone its beginning) or epoch seconds. Without --dry-run what may
    be is made true: the analysis and where the road ended, cases for low ratings, thank-yous for who never got one.
    Nobody is thanked twice, nothing is taken back, waiting and dead ratings are left alone. --limit ends it after so
    many ratings that differ.
    """
    from feedback_app.assembly import load_plugins, pipeline_of
    from feedback_app.clock import now_ms
    from feedback_app.replaying import Replay
    from feedback_app.settings import load_settings

    period = _period(since, until, source)
    program.settings()  # what is wrong with the ledger's own is said first
    settings = program.settings() if other is None else load_settings(other)
    host = load_plugins(settings)

    async def work() -> Figures:
        async with program.store() as store:
            one = Replay(
                store,
                pipeline_of(settings, host, ledger_id=store.ledger_id),
                workers=settings.pipeline.workers,
                clock=now_ms,
                dry_run=dry_run,
            )
            await (_print_json if as_json else _print_lines)(one.run(period, limit))
            return one.figures

    figures = program.run(work)
    for line in _summary(figures, dry_run=dry_run):
        click.echo(line, err=as_json)
    return 1 if figures.failed else 0


def _period(since: str, until: str, source: str | None) -> Period:
    from feedback_app.store.replays import Period

    period = Period(since=_moment("--since", since), until=_moment("--until", until), source=source)
    if period.since > period.until:
        raise UsageError(f"--since {shown(since[:40])} lies after --until {shown(until[:40])}")
    return period


def _moment(option: str, text: str) -> Milliseconds:
    from feedback_app.intake import fields

    try:
        moment = fields.given_at(text, now=_END_OF_TIME)
    except ValueError as problem:
        raise UsageError(str(problem).replace("given_at", option, 1)) from None
    if moment is None:
        raise UsageError(f"{option} is blank; write 2026-01-31 or 2026-01-31T14:30:00+01:00")
    return moment


_END_OF_TIME: Milliseconds = 253_402_300_799_999  # of year 9999


async def _print_lines(found: AsyncIterator[Sequence[Difference]]) -> None:
    async for page in found:
        for one in page:
            click.echo(f"{one.told.feedback.number}\t{_in_words(one)}")


def _in_words(one: Difference) -> str:
    if one.failure:
        return f"not processed: {shown(one.failure)}"
    ended = one.fields.get("ended")
    road = f"{one.told.ended} -> {ended.would_be}" if ended else str(one.told.ended)
    names = (name if field.applies else f"{name} (only shown)" for name, field in one.fields.items())
    return f"{road}\t{', '.join(names)}"


async def _print_json(found: AsyncIterator[Sequence[Difference]]) -> None:
    beginning = "[\n"
    async for page in found:
        for one in page:
            sys.stdout.write(beginning + json.dumps(_data(one), ensure_ascii=False))
            beginning = ",\n"
    sys.stdout.write("[]\n" if beginning == "[\n" else "\n]\n")


def _data(one: Difference) -> dict[str, Any]:
    feedback = one.told.feedback
    return {
        "id": feedback.number,
        "source": feedback.source,
        "external_id": feedback.id,
        "received_at": iso(feedback.received_at),
        "differences": {
            name: {"was": field.was, "would_be": field.would_be, "applies": field.applies}
            for name, field in one.fields.items()
        },
        "failure": one.failure or None,
    }


def _summary(figures: Figures, *, dry_run: bool) -> list[str]:
    if not figures.replayed and not figures.left_alone:
        return ["no ratings arrived in that time; nothing was done"]
    replayed = f"same {figures.same:,}, different {figures.different:,}, not processed {figures.failed:,}"
    added = f"new cases {figures.cases:,}, new messages {figures.messages:,}"
    verb = "would be changed" if dry_run else "changed"
    lines = [
        f"ratings replayed {figures.replayed:,}: {replayed}; left alone, waiting or dead: {figures.left_alone:,}",
        f"{verb}: {figures.changed:,}, {added}",
    ]
    if figures.only_shown:
        lines.append(
            f"only shown: {figures.only_shown:,}; a message is never changed or doubled, a case never removed"
        )
    if dry_run:
        lines.append("a dry run: nothing was changed")
    return lines
