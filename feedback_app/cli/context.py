"""What every command gets: the settings, the ledger, and how to print."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import re
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
    from pathlib import Path

    from feedback_app.model import Milliseconds
    from feedback_app.settings import Settings
    from feedback_app.store.store import Store

T = TypeVar("T")


class Program:
    """One run of the command line; `@click.pass_obj` hands it to the command."""

    def __init__(self, files: Sequence[Path] = (), *, debug: bool = False) -> None:
        self.debug = debug
        self.files = files
        self._settings: Settings | None = None

    def settings(self) -> Settings:
        """Load the settings once; `run` and `config check` say their warnings. Raises BadConfig."""
        if self._settings is None:
            self._settings = self.read_settings()
        return self._settings

    def read_settings(self) -> Settings:
        """Load the settings as they are now. Raises BadConfig."""
        from feedback_app.settings import load_settings

        return load_settings(*self.files)

    def store(self) -> Store:
        """Return the ledger, to be entered; it is created when it does not exist."""
        from feedback_app.store.ledger import ledger_of

        return ledger_of(self.settings()).open()

    def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a command's coroutine function to its end."""
        import asyncio

        from feedback_app.concurrency.bounded import leaving_nothing

        return asyncio.run(leaving_nothing(work()))

    def with_store(self, work: Callable[[Store], Coroutine[Any, Any, T]]) -> T:
        """Open the ledger, run `work` on it, close it."""
        import asyncio

        async def main() -> T:
            async with self.store() as store:
                return await work(store)

        return asyncio.run(main())

    async def deliver(self, purpose: str) -> Counter[str] | None:
        """Deliver the due messages of one purpose, where no daemon runs that would; None where one does.

        Returns how many tries ended in which state.
        """
        async with self.store() as store:
            if await store.running_daemon() is not None:
                return None
        from feedback_app.cli.logs import set_up_logging
        from feedback_app.delivering import deliver_now

        set_up_logging(debug=self.debug)
        return await deliver_now(self.settings(), purpose)


@contextlib.contextmanager
def sparing_what_stands() -> Iterator[None]:
    """Keep all objects there are now out of the search for garbage, which takes tens of milliseconds for them."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def silence(*descriptors: int) -> None:
    """Write no more there: whoever read it has left, and at the exit Python would try once more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in descriptors:
        os.dup2(nowhere, descriptor)


def echo_json(data: object) -> None:
    """Print data as JSON, readable by people too."""
    click.echo(json.dumps(data, ensure_ascii=False, indent=2))


def echo_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows: a table on a terminal, tab-separated lines with the header elsewhere."""
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="bold")
        for title in header:
            table.add_column(title, no_wrap=title != header[-1])  # only the last one, a text, may be broken
        for row in rows:
            table.add_row(*(Text(shown(cell)) for cell in row))
        Console().print(table)
        return
    click.echo("\t".join(header))
    for row in rows:
        click.echo("\t".join(shown(cell) for cell in row))


def shown(value: object) -> str:
    """Return a value on one line, without what could move a terminal's cursor."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:g}"
    return "".join(letter if letter.isprintable() else " " for letter in str(value))


def shortened(text: str, width: int = 60) -> str:
    """Return the beginning of a text on one line."""
    line = " ".join(text.split())
    return line if len(line) <= width else f"{line[: width - 1]}…"


def iso(moment: Milliseconds | None) -> str | None:
    """Return a moment of the ledger as ISO 8601 in UTC."""
    if moment is None:
        return None
    return (
        datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )


class RowCount(click.ParamType[int]):
    """How many rows a list may have."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number, or refuse what is none."""
        if not re.fullmatch(r"0*[1-9][0-9]{0,17}", str(value), re.ASCII):
            self.fail(f"{str(value)[:40]!r} is not a whole number from 1 on", param, ctx)
        return int(value)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
limit_option = click.option("--limit", type=RowCount(), help="At most so many rows.")
