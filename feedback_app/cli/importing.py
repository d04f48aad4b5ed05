"""`feedback import` and `customers import`: what both share, from the options to the summary."""

from __future__ import annotations

import functools
import os
import signal
import sys
import threading
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Generic, Protocol, TypeVar

import click

from feedback_app.cli.contact import warn_of_unserved
from feedback_app.cli.context import echo_json, json_option, silence, sparing_what_stands
from feedback_app.cli.import_talk import Talk, progress
from feedback_app.errors import BadData, FeedbackAppError, UsageError
from feedback_app.intake.field_map import assignments
from feedback_app.intake.records import FORMATS, Incoming, IncomingCustomer, ReadOptions, Reject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from feedback_app.cli.context import Program
    from feedback_app.clock import Clock
    from feedback_app.intake.field_map import Wanted
    from feedback_app.intake.importing import Listener, Tally
    from feedback_app.intake.records import Format, Records
    from feedback_app.intake.rejects import RejectsWriter
    from feedback_app.model import Customer
    from feedback_app.store.store import Store

Record = TypeVar("Record", Incoming, IncomingCustomer)
RecordIn_contra = TypeVar("RecordIn_contra", Incoming, IncomingCustomer, contravariant=True)
STANDARD_INPUT = "-"
_CHANNELS = 20  # that are remembered; a file must not fill the memory with names
_STEP = 1000  # records between two looks of a rehearsal at the progress bar

_OPTIONS = (
    click.argument("file", metavar="FILE"),
    click.option("--map", "maps", multiple=True, metavar="FIELD=COLUMN", help="Read a field from a column."),
    click.option("--set", "sets", multiple=True, metavar="FIELD=VALUE", help="Give every row this value."),
    click.option("--encoding", help="A Python codec such as latin-1. Default: UTF-8."),
    click.option(
        "--format", "kind", type=click.Choice(FORMATS), help="Default: by the content, then the name."
    ),
    click.option("--delimiter", help="Between the columns. Default: the one in the header."),
    click.option(
        "--rejects",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Write refused rows here, with line and reason.",
    ),
    click.option("--dry-run", is_flag=True, help="Read and judge everything, store nothing."),
    json_option,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """An import as the command line asks for it."""

    file: str  # STANDARD_INPUT or a path
    read: ReadOptions
    rejects: Path | None  # where refused rows go
    dry_run: bool
    as_json: bool

    @property
    def name(self) -> str:
        """The file's name without its folder, "" for standard input."""
        return "" if self.file == STANDARD_INPUT else Path(self.file).name


def import_options(command: Callable[..., int]) -> Callable[..., int]:
    """Add the options of every import; the command is handed them as one `request`."""

    @functools.wraps(command)
    def with_request(*args: Any, **given: Any) -> int:
        read = ReadOptions(
            format=given.pop("kind"),
            delimiter=given.pop("delimiter"),
            encoding=given.pop("encoding"),
            maps=assignments("--map", given.pop("maps")),
            sets=assignments("--set", given.pop("sets")),
        )
        names = ("file", "rejects", "dry_run", "as_json")
        request = Request(read=read, **{name: given.pop(name) for name in names})
        return command(*args, request=request, **given)

    decorated: Callable[..., int] = with_request
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


class Importer(Protocol[RecordIn_contra]):
    """Brings records into the ledger: `intake.importing.import_ratings` and `import_customers`."""

    async def __call__(
        self, store: Store, records: Iterable[RecordIn_contra | Reject], *, clock: Clock, listener: Listener
    ) -> Tally:
        """Store the records in order, telling the listener what happens."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind(Generic[Record]):
    """What is imported."""

    wanted: Wanted
    read: Callable[[Records], Iterator[Record | Reject]]
    store: Importer[Record]
    contact: Callable[[Record], Customer | None]
    counts: Callable[[Tally], Mapping[str, int]]  # the names that the result is told in


def run_import(program: Program, request: Request, kind: Kind[Record]) -> int:
    """Import a file and say what became of it. Returns the exit code, 65 when rows were refused."""
    from feedback_app.intake.reader import open_records

    channels: set[str] = set()
    with _opened(request) as stream:
        records = open_records(stream, name=request.name, options=request.read, wanted=kind.wanted)
        with _rejects_of(request, records.format) as rejects:
            talk = Talk(records, rejects)
            rows = kind.read(records)
            if _tells_channels(records):
                rows = _noting_channels(rows, kind, channels)
            try:
                with progress(records, _size(stream)) as talk.show, _interruptible():
                    tally = _rehearse(rows, talk) if request.dry_run else _take(program, rows, kind, talk)
            except (KeyboardInterrupt, FeedbackAppError) as stop:
                talk.say()
                if not request.dry_run:
                    talk.say_stopped(interrupted=isinstance(stop, KeyboardInterrupt))
                raise
    try:
        talk.say()
        warn_of_unserved(program, channels)
        _say_result(request, tally, kind.counts(tally), talk.label)
    except BrokenPipeError:  # who reads our words has left; what was refused is refused all the same
        silence()
    return BadData.exit_code if tally.rejected else 0


def _take(program: Program, rows: Iterable[Record | Reject], kind: Kind[Record], talk: Talk) -> Tally:
    from feedback_app.clock import now_ms
    from feedback_app.intake.importing import Listener

    listener = Listener(
        rejected=talk.rejected, conflicting=talk.conflicting, warned=talk.warned, committed=talk.committed
    )

    async def work(store: Store) -> Tally:
        with sparing_what_stands():  # to search it for garbage was a seventh of an import's cost
            return await kind.store(store, rows, clock=now_ms, listener=listener)

    return program.with_store(work)


def _rehearse(rows: Iterable[Record | Reject], talk: Talk) -> Tally:
    """Judge every row and store none; what is `accepted` may be in the ledger already."""
    from feedback_app.intake.importing import Tally

    tally = Tally()
    for number, row in enumerate(rows):
        if isinstance(row, Reject):
            tally.rejected += 1
            talk.rejected(row)
        else:
            tally.accepted += 1
            tally.warnings += len(row.warnings)
            for warning in row.warnings:
                talk.warned(row.line, warning)
        if number % _STEP == 0:
            talk.committed(tally)
    return tally


def _say_result(request: Request, tally: Tally, counts: Mapping[str, int], label: str) -> None:
    if request.as_json:
        echo_json({**counts, "dry_run": request.dry_run})
        return
    listed = ", ".join(f"{what} {count:,}" for what, count in counts.items())
    click.echo(f"{label}: {listed}")
    if request.dry_run:
        click.echo(
            "a dry run: nothing was stored, and whether rows are in the ledger already was not asked",
            err=True,
        )
        return
    if request.rejects is not None and tally.rejected:
        click.echo(f"the refused rows are in {request.rejects}", err=True)
    if counts["duplicates"]:
        click.echo("the duplicates were taken for old ones: they were in the ledger already", err=True)


def _tells_channels(records: Records) -> bool:
    return "preferred_channel" in (*records.field_map.columns, *records.field_map.constants)


def _noting_channels(
    rows: Iterator[Record | Reject], kind: Kind[Record], channels: set[str]
) -> Iterator[Record | Reject]:
    for row in rows:
        if not isinstance(row, Reject):
            customer = kind.contact(row)
            if customer is not None and len(channels) < _CHANNELS:
                channels.update(customer.preferred_channels)
        yield row


def _opened(request: Request) -> AbstractContextManager[BinaryIO]:
    if request.file != STANDARD_INPUT:
        from feedback_app.intake.source import open_input

        return open_input(Path(request.file))
    if sys.stdin is None:
        raise UsageError("standard input is closed; give a FILE")
    return nullcontext(sys.stdin.buffer)  # whoever opened it closes it


def _size(stream: BinaryIO) -> int | None:
    """Return how many bytes there are to read, None where that is not known."""
    try:
        return os.fstat(stream.fileno()).st_size or None
    except OSError:
        return None


def _rejects_of(request: Request, form: Format) -> AbstractContextManager[RejectsWriter | None]:
    if request.rejects is None:
        return nullcontext()
    from feedback_app.intake.rejects import RejectsWriter

    if request.file != STANDARD_INPUT and request.rejects.exists() and request.rejects.samefile(request.file):
        raise UsageError(f"--rejects {request.rejects} is the file that is read; choose another name")
    return RejectsWriter(request.rejects, format=form)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end a read that waits for a slow pipe: asyncio's own handler would first let it end."""
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield  # ignored, or somebody else's
        return
    signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt
