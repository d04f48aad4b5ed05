"""`feedback-app report`: look at a day's figures, send a day's report, list the reports made."""

from __future__ import annotations

import difflib
import json
import os
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import click

from feedback_app.cli import completing
from feedback_app.cli.context import Program, echo_json, echo_table, iso, json_option
from feedback_app.errors import CannotCreate, StorageFailed, Unavailable, UsageError

if TYPE_CHECKING:
    from feedback_app.plugin_host import PluginHost
    from feedback_app.report.figures import DayFigures
    from feedback_app.report.reporter import Reporter
    from feedback_app.settings import Settings
    from feedback_app.store.report_queries import Run
    from feedback_app.store.store import Store

Format: TypeAlias = Literal["text", "html", "json", "csv"]

_FIRST = date(1970, 1, 8)  # the ledger's time begins a week before, and a day is compared with its week


@click.group()
def report() -> None:
    """Build, send and list the daily reports."""


@report.command()
@click.argument("name", default="daily", shell_complete=completing.reports)
@click.option("--date", "on", metavar="DATE", help="A local day such as 2026-11-21; yesterday by default.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "html", "json", "csv"]),
    default="text",
    show_default=True,
    help="What to print.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to this file instead.")
@click.pass_obj
def build(program: Program, name: str, on: str | None, form: Format, output: Path | None) -> None:
    """Print the report of a day; nothing is stored or sent. Today's says how it is so far."""
    settings = program.settings()
    today = _today(settings, name)
    day = _day(on, default=today - timedelta(days=1))
    if day > today:
        zone = settings.reports[name].timezone
        raise UsageError(f"--date {day}: that day has not begun in {zone}; the latest is {today}")

    from feedback_app.plugin_host import PluginHost

    async def work(store: Store) -> str:
        reporter = _reporter(store, settings, None if form in ("json", "csv") else PluginHost.load(settings))
        return await _formatted(reporter, await reporter.build(name, day), form)

    content = program.with_store(work)
    if output is None:
        click.echo(content, nl=False)
    else:
        _write(output, content)


@report.command()
@click.argument("name", default="daily", shell_complete=completing.reports)
@click.option("--date", "on", metavar="DATE", help="A local day that is over; yesterday by default.")
@click.option("--dry-run", is_flag=True, help="Only say what would be sent to whom.")
@click.pass_obj
def send(program: Program, name: str, on: str | None, *, dry_run: bool) -> None:
    """Make the report of a day, once, and deliver it where no daemon runs; safe to call again."""
    settings = program.settings()
    yesterday = _today(settings, name) - timedelta(days=1)
    day = _day(on, default=yesterday)
    if day > yesterday:
        zone = settings.reports[name].timezone
        raise UsageError(f"--date {day}: that day is not over in {zone}; the latest to send is {yesterday}")

    from feedback_app import assembly

    host = assembly.load_plugins(settings)  # nothing is made that nobody could deliver

    async def work(store: Store) -> None:
        reporter = _reporter(store, settings, host)
        if dry_run:
            await _rehearse(reporter, settings, name, day)
        else:
            _say_made(settings, name, day, made=await reporter.make(name, day, "manual"))

    program.with_store(work)
    if settings.reports[name].to and not dry_run:
        _deliver(program)


@report.command(name="list")
@click.argument("name", required=False, shell_complete=completing.reports)
@json_option
@click.pass_obj
def list_(program: Program, name: str | None, *, as_json: bool) -> None:
    """Show which reports were made, newest first."""
    settings = program.settings()
    if name is not None:
        _check_name(settings, name)

    async def work(store: Store) -> list[Run]:
        from feedback_app.store.report_queries import runs

        names = [name] if name else list(settings.reports)
        return await store.read(lambda connection: runs(connection, names))

    rows = [_as_data(run) for run in program.with_store(work)]
    if as_json:
        echo_json(rows)
    else:
        from feedback_app.report.wording import mean

        header = ("date", "name", "occasion", "made_at", "ratings", "average", "low")
        shown = [{**row, "average": mean(row["average"])} for row in rows]
        echo_table(header, [[row[column] for column in header] for row in shown])


def _check_name(settings: Settings, name: str) -> None:
    if name in settings.reports:
        return
    close = difflib.get_close_matches(name, settings.reports, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"there are: {', '.join(sorted(settings.reports))}"
    raise UsageError(f"no report is named '{name[:60]}'; {hint}")


def _today(settings: Settings, name: str) -> date:
    _check_name(settings, name)
    return datetime.now(settings.reports[name].zone).date()


def _day(given: str | None, *, default: date) -> date:
    if given is None:
        return default
    try:
        day = date.fromisoformat(given)
    except ValueError:
        raise UsageError(f"--date '{given[:40]}': not a date; write it as 2026-11-21") from None
    if day < _FIRST:
        raise UsageError(f"--date {day}: too long ago; the earliest is {_FIRST}")
    return day


def _reporter(store: Store, settings: Settings, host: PluginHost | None) -> Reporter:
    """Return what makes the reports, with the sections of these plugins."""
    from feedback_app.plugin_host import Sections
    from feedback_app.report.reporter import Reporter

    if host is None:
        return Reporter(store, settings)
    return Reporter(store, settings, sections=Sections(host))


async def _formatted(reporter: Reporter, figures: DayFigures, form: Format) -> str:
    from feedback_app.report.export import as_data, to_csv

    match form:
        case "text":
            return await reporter.text([figures])
        case "html":
            return await reporter.html([figures])
        case "json":
            return json.dumps(as_data(figures), ensure_ascii=False, indent=2) + "\n"
        case "csv":
            return to_csv([figures])


def _write(file: Path, content: str) -> None:
    try:  # for its owner only: it holds customers' words
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CannotCreate(f"{file}: cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as stream:
            stream.write(content)
    except OSError as error:
        raise StorageFailed(f"{file}: writing failed: {error.strerror}") from error


async def _rehearse(reporter: Reporter, settings: Settings, name: str, day: date) -> None:
    from feedback_app.report.wording import subject

    if await reporter.is_made(name, day):
        click.echo(f"the report '{name}' of {day} is made already, nothing would be sent")
        return
    figures = await reporter.build(name, day)
    click.echo(subject([figures]))
    for recipient in settings.reports[name].to:
        click.echo(f"to {recipient} by {settings.reports[name].channel}")


def _say_made(settings: Settings, name: str, day: date, *, made: bool) -> None:
    recipients = len(settings.reports[name].to)
    if not made:
        what = "was already made"
    elif not recipients:
        what = f"is made; `to` of [reports.{name}] is empty, so nobody gets it"
    else:
        what = f"is made for {recipients} recipient{'s' if recipients > 1 else ''}"
    click.echo(f"the report '{name}' of {day} {what}", err=True)


def _deliver(program: Program) -> None:
    """Let what waits leave; raises Unavailable (69) when something could not, so that cron tells somebody."""
    from feedback_app.store.report_queries import waiting_reports

    counts: Counter[str] = Counter()
    known = -1
    # A command beside this one leaves its report to who holds the ledger, and that may have looked for the last time by
    # then: so it looks once more when it has let go.
    while (waiting := program.with_store(lambda store: store.read(waiting_reports))).newest > known:
        known = waiting.newest
        now = program.run(lambda: program.deliver("report"))
        if now is None:
            click.echo("the running daemon delivers it", err=True)
            return
        counts += now
    if counts["sent"]:
        click.echo(f"sent: {counts['sent']}", err=True)
    if stuck := waiting.how_many + counts["dead"]:
        raise Unavailable(
            f"not delivered: {stuck}; `messages list` says why, `report send` tries what waits again"
        )


def _as_data(run: Run) -> dict[str, Any]:
    figures = json.loads(run.figures)
    return {
        "date": run.local_date,
        "name": run.name,
        "occasion": run.occasion,
        "made_at": iso(run.made_at),
        "timezone": run.timezone,
        "ratings": figures["ratings"],
        "average": figures["average"],
        "low": figures["low"],
        "figures": figures,
    }
