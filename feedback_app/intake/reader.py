"""Opens a file of ratings or customers, whatever its format and encoding."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, BinaryIO

from feedback_app.errors import UsageError
from feedback_app.intake.csv_records import CsvRecords
from feedback_app.intake.json_records import JsonRecords
from feedback_app.intake.records import FORMATS, Format, Input, ReadOptions, Records
from feedback_app.intake.shown import shown
from feedback_app.intake.source import ByteSource
from feedback_app.intake.text import Text

if TYPE_CHECKING:
    from feedback_app.intake.field_map import Wanted

_ENDINGS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}


def open_records(stream: BinaryIO, *, name: str, options: ReadOptions, wanted: Wanted) -> Records:
    """Look at the head of `stream` and return its records; the stream stays the caller's to close.

    `name` is the file's name without its folder, "" for standard input. Raises BadData when the whole file is
    unfit (empty, no text, a column missing), UsageError when `options` are, StorageFailed when reading fails.
    """
    label = (name if name.isprintable() else shown(name)) or "standard input"
    source = ByteSource(stream, label=label)
    text = Text(source, encoding=options.encoding, label=label)
    given = Input(name=name, label=label, source=source, text=text, options=options, wanted=wanted)
    if options.format not in (None, *FORMATS):
        raise UsageError(f"--format {shown(options.format)}: one of {', '.join(FORMATS)} is wanted")
    chosen = options.format or _format_of(text.head(source), name)
    return JsonRecords(given) if chosen == "jsonl" else CsvRecords(given)


def _format_of(head: str, name: str) -> Format:
    """Judge by the first character, then by the name's ending."""
    ending = _ENDINGS.get(PurePath(name).suffix.lower())
    start = head.lstrip()[:1]
    if start == "{" or (start == "[" and ending is None):
        return "jsonl"
    return ending or "csv"
