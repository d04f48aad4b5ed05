"""What people hear of an import: how far it is, and the first few of each kind of trouble."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from feedback_app.cli.context import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from feedback_app.intake.importing import Tally
    from feedback_app.intake.records import Incoming, Records, Reject
    from feedback_app.intake.rejects import RejectsWriter

_SHOWN = 5  # of each kind; the others are counted


class Talk:
    """Listens to an import and says on stderr what there is to say, once the progress bar is gone."""

    def __init__(self, records: Records, rejects: RejectsWriter | None) -> None:
        self.label = records.label
        self.show: Callable[[int], None] = lambda _taken: None  # shows how many rows are done
        self._rejects = rejects
        self._refusals = _Few()
        self._conflicts = _Few()
        self._warnings = _Few()
        self._taken = 0  # rows whose commit is certain

    def rejected(self, reject: Reject) -> None:
        """Hear of a refused row."""
        self._refusals.add(f"{self.label}:{reject.line}: {reject.reason}")
        if self._rejects is not None:
            self._rejects.write(reject)

    def conflicting(self, record: Incoming) -> None:
        """Hear of an id that came with other content."""
        self._conflicts.add(
            f"{self.label}:{record.line}: conflict: id {record.feedback.id!r} is in the ledger with other "
            "content; the first one stays"
        )

    def warned(self, line: int, warning: str) -> None:
        """Hear of contact data that was left out."""
        self._warnings.add(f"warning: {self.label}:{line}: {warning}")

    def committed(self, tally: Tally) -> None:
        """Hear how far it is."""
        self._taken = tally.accepted + tally.duplicates + tally.conflicts
        self.show(self._taken + tally.rejected)

    def say(self) -> None:
        """Say what was heard."""
        self._warnings.say("warnings")
        self._conflicts.say("conflicts")
        if self._rejects is None and self._refusals.count:
            self._refusals.say("refused rows")
            click.echo("use --rejects FILE to keep the refused rows", err=True)

    def say_stopped(self, *, interrupted: bool) -> None:
        """Say how much is stored although the import did not come to its end."""
        if interrupted or self._taken:
            click.echo(
                f"{self.label}: at least {self._taken:,} rows are stored; "
                "the same command goes on where this one stopped",
                err=True,
            )


class _Few:
    """The first few lines of many."""

    def __init__(self) -> None:
        self.count = 0
        self._lines: list[str] = []

    def add(self, line: str) -> None:
        self.count += 1
        if len(self._lines) < _SHOWN:
            self._lines.append(line)

    def say(self, what: str) -> None:
        for line in self._lines:
            click.echo(shown(line), err=True)
        if self.count > len(self._lines):
            click.echo(f"and {self.count - len(self._lines):,} more {what}", err=True)


@contextmanager
def progress(records: Records, size: int | None) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal; `size` is the file's in bytes, None when it is not known."""
    if not sys.stderr.isatty():
        yield lambda _rows: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]:,} rows"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(shown(records.label), total=size, rows=0)
        yield lambda rows: bar.update(task, completed=records.bytes_read, rows=rows)
