"""`feedback-app db copy`: a whole ledger from one database to another."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from feedback_app.cli.context import echo_json, json_option, shown
from feedback_app.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from feedback_app.store.copying.checking import Sum
    from feedback_app.store.copying.copier import Listener
    from feedback_app.store.copying.ends import End

_EVERY = 5.0  # seconds between two lines where there is no terminal


@click.command()
@click.option("--from", "from_url", required=True, metavar="URL", help="The ledger that is there.")
@click.option("--to", "to_url", required=True, metavar="URL", help="Where it is to be; made if need be.")
@json_option
def copy(from_url: str, to_url: str, *, as_json: bool) -> None:
    """Copy the whole ledger, from SQLite to PostgreSQL or back, and compare both.

    A URL is what [store] url would hold: sqlite:///PATH (a relative path starts here) or
    postgresql+psycopg://USER@HOST/DATABASE. No daemon may run on either; commands that write wait or are refused.
    Ended before its end, the same command goes on where it was. Nothing of the source is changed.
    """
    from feedback_app.store.copying import copier

    old, new = _end("--from", from_url), _end("--to", to_url)
    if old.place == new.place:
        raise UsageError("--from and --to name the same ledger")
    begun = time.monotonic()
    with old.source() as source, new.target() as target, _talking() as listener:
        try:
            sums = copier.copy(source, target, listener)
        except KeyboardInterrupt:
            _say("stopped; the same command goes on where this one was")
            raise
    seconds = time.monotonic() - begun
    if as_json:
        tables = {table: one._asdict() for table, one in sums.items()}
        echo_json({"tables": tables, "seconds": round(seconds, 3)})
    else:
        _say_result(sums, new.url, seconds)


def _end(option: str, url: str) -> End:
    from feedback_app.settings.rules import RuleError
    from feedback_app.store.copying.ends import end_at

    try:
        here = Path.cwd()
    except FileNotFoundError:
        raise UsageError("the working directory does not exist any more; change to another one") from None
    try:
        return end_at(url, here)
    except RuleError as broken:
        # Without what was written, which may hold a password.
        raise UsageError(f"{option} {broken}; {broken.hint or 'see [store] url'}") from None


def _say_result(sums: Mapping[str, Sum], url: str, seconds: float) -> None:
    width = max(map(len, sums))
    for table, one in sums.items():
        click.echo(f"{table:<{width}}  {one.rows:>13,} rows  checksum {one.checksum}")
    rows = sum(one.rows for one in sums.values())
    click.echo(f"copied and compared: {rows:,} rows in {seconds:,.1f} s; both ledgers hold the same")
    _say(f'next: set [store] url = "{url}", run `feedback-app config check`, then start the daemon')
    _say("the old ledger stays as it is: keep it until all is well, and let nothing run on it any more")


def _say(line: str) -> None:
    click.echo(shown(line), err=True)


@contextmanager
def _talking() -> Iterator[Listener]:
    """Show a bar on a terminal, else a line for each table."""
    from feedback_app.store.copying.copier import Listener

    if not sys.stderr.isatty():
        lines = _Lines()
        yield Listener(
            begun=_say_begun,
            copying=lines.on("copied"),
            copied=lines.more,
            comparing=lines.on("compared"),
            compared=lines.more,
        )
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("copying")

        def begun(rows: int, already: int) -> None:
            # Each row is written once and read twice more.
            bar.update(task, total=3 * rows, completed=already)

        def on(step: str) -> Callable[[str], None]:
            return lambda table: bar.update(task, description=f"{step} {table}")

        def more(rows: int) -> None:
            bar.update(task, advance=rows)

        yield Listener(
            begun=begun, copying=on("copying"), copied=more, comparing=on("comparing"), compared=more
        )


class _Lines:
    """Says a line now and then, for a log."""

    def __init__(self) -> None:
        self._what = ""
        self._rows = 0
        self._said_at = time.monotonic()

    def on(self, step: str) -> Callable[[str], None]:
        def begin(table: str) -> None:
            self._what, self._rows = f"{step} {table}", 0

        return begin

    def more(self, rows: int) -> None:
        self._rows += rows
        if time.monotonic() - self._said_at > _EVERY:
            self._said_at = time.monotonic()
            _say(f"{self._what}: {self._rows:,} rows so far")


def _say_begun(rows: int, already: int) -> None:
    known = f", {already:,} of them there already" if already else ""
    _say(f"{rows:,} rows to copy{known}")
