"""The demo's road: the same parts as the daemon's, on sample ratings that came yesterday."""

from __future__ import annotations

import asyncio
import json
import logging
import shlex
import sys
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from typing import TYPE_CHECKING

import click

from feedback_app import assembly
from feedback_app.cli.context import shortened
from feedback_app.cli.logs import set_up_logging
from feedback_app.daemon import Daemon
from feedback_app.intake.customers import CUSTOMERS, read_customers
from feedback_app.intake.importing import Listener, Tally, import_customers, import_ratings
from feedback_app.intake.ratings import RATINGS, read_ratings
from feedback_app.intake.reader import open_records
from feedback_app.intake.records import ReadOptions
from feedback_app.plugin_host import Sections
from feedback_app.report.reporter import Reporter
from feedback_app.settings import Settings, load_settings
from feedback_app.store.ledger import ledger_of
from feedback_app.store.status import endings as rating_endings

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from feedback_app.clock import Clock
    from feedback_app.model import Milliseconds

_LISTENER = Listener(rejected=lambda reject: click.echo(f"line {reject.line}: {reject.reason}", err=True))


_ENDINGS = {
    "low": "low, kept to follow up",
    "thanked": "thanked",
    "no_customer": "without a customer, nobody to thank",
    "unknown_customer": "of a customer that nobody told us of",
    "no_channel": "of a customer whom no channel reaches",
    "opted_out": "of a customer who opted out",
    "history": "taken in as history",
}


def show(folder: Path) -> None:
    """Take the folder's sample files down the road and say what happened and where to look."""
    # That its folder is in memory, say, does not matter here.
    set_up_logging()
    logging.getLogger("feedback_app").setLevel(logging.ERROR)
    # The surrounding environment could redirect the demo's messages to real servers.
    settings = load_settings(folder / "config.toml", environ={})
    # The ratings came yesterday, so that yesterday's report has something to tell; at noon, when the report on the day
    # before was due already, so that there is this one only.
    yesterday = (datetime.now(UTC) - timedelta(days=1)).replace(hour=12, minute=0)

    def clock() -> Milliseconds:
        return int(yesterday.timestamp() * 1000)

    customers, ratings = asyncio.run(_import(settings, folder, clock))
    click.echo(f"customers.csv: {customers.accepted + customers.duplicates} customers")
    click.echo(f"ratings.csv: {ratings.accepted} ratings accepted, {ratings.duplicates} were known already")
    if ratings.accepted:  # a second demo goes on from the first one's today
        asyncio.run(Daemon(settings, clock=clock).run(drain=True))
    text = asyncio.run(_report(settings, yesterday.date()))
    asyncio.run(Daemon(settings).run(drain=True))
    _say_endings(asyncio.run(_endings(settings)))
    _say_messages(folder)
    click.echo(f"\nThe daily report, as mailed to the team:\n\n{_indented(text)}")
    _say_where(folder)


async def _import(settings: Settings, folder: Path, clock: Clock) -> tuple[Tally, Tally]:
    async with ledger_of(settings).open() as store:
        with (folder / "customers.csv").open("rb") as stream:
            records = open_records(stream, name="customers.csv", options=ReadOptions(), wanted=CUSTOMERS)
            customers = await import_customers(
                store, read_customers(records), clock=clock, listener=_LISTENER
            )
        with (folder / "ratings.csv").open("rb") as stream:
            rows = open_records(stream, name="ratings.csv", options=ReadOptions(), wanted=RATINGS)
            checked = read_ratings(rows, scale=assembly.scale_of(settings), now=clock())
            ratings = await import_ratings(store, checked, clock=clock, listener=_LISTENER)
    return customers, ratings


async def _report(settings: Settings, day: date) -> str:
    async with ledger_of(settings).open() as store:
        host = assembly.load_plugins(settings)
        reporter = Reporter(store, settings, sections=Sections(host))
        text = await reporter.text([await reporter.build("daily", day)])
        await reporter.make("daily", day, "manual")
        return text


async def _endings(settings: Settings) -> dict[str, int]:
    async with ledger_of(settings).open() as store:
        return await store.read(rating_endings)


def _say_endings(endings: dict[str, int]) -> None:
    for ended, count in endings.items():
        click.echo(f"  {count:>3}  {_ENDINGS[ended]}")


def _say_messages(folder: Path) -> None:
    mails = sorted(file for part in ("new", "cur") for file in (folder / "mail" / part).glob("*"))
    sms_file = folder / "sms.jsonl"
    texts = sms_file.read_text(encoding="utf-8").splitlines() if sms_file.exists() else []
    click.echo(
        f"\n{len(mails)} mails in {folder / 'mail'}, {len(texts)} text messages in {sms_file}, such as:\n"
    )
    for line in texts[:1]:
        sms = json.loads(line)
        click.echo(f"  SMS to {sms['to']}: {shortened(sms['text'], 160)}")
    parsed = (message_from_bytes(mail.read_bytes(), policy=policy.default) for mail in mails)
    thanks = next((mail for mail in parsed if "Ratings on" not in mail["Subject"]), None)
    if thanks is not None:
        click.echo(f"  Mail to {thanks['To']}: {thanks['Subject']}")


def _indented(text: str) -> str:
    return "\n".join(f"  {line}".rstrip() for line in text.splitlines())


def _say_where(folder: Path) -> None:
    called = sys.argv[0] if sys.argv[0].endswith("feedback-app") else "feedback-app"
    command = f"{called} --config {shlex.quote(str(folder / 'config.toml'))}"
    click.echo(
        "\nLook around:\n"
        f"  {command} low-ratings list\n"
        f"  {command} feedback explain 3\n"
        f"  {command} messages list\n"
        f"  {command} status\n"
        f"and read {folder / 'config.toml'}. Start your own with `{called} init`."
    )
