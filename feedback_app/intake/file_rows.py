"""The rows of a file as payloads, for sources that read files: the same rows and ids as `feedback import` has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, BinaryIO, Literal

from msgspec import Struct

from feedback_app.intake.csv_records import CsvRecords
from feedback_app.intake.identity import RowIds
from feedback_app.intake.ratings import RATINGS
from feedback_app.intake.reader import open_records
from feedback_app.intake.records import ReadOptions, Reject, Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from feedback_app.intake.records import Records


class FileRow(Struct, frozen=True, kw_only=True):
    """One row of a file."""

    id: str  # made of the file's name and the row's content, see `feedback import`; "" for a broken row
    line: int  # where it starts, from 1
    payload: bytes  # a JSON object: of a table the cells by their column; of a broken row its own bytes
    raw: str  # its text in the file
    reason: str = ""  # why it is broken


def read_rows(  # noqa: PLR0913 - a file, and how it is read
    stream: BinaryIO,
    *,
    name: str,
    map: Mapping[str, str] | None = None,  # noqa: A002 - the name that a source has for it
    set: Mapping[str, str] | None = None,  # noqa: A002
    format: Literal["csv", "tsv", "jsonl"] | None = None,  # noqa: A002
    encoding: str | None = None,
    delimiter: str | None = None,
) -> Iterator[FileRow]:
    """Look at the head of a file of ratings and return its rows, made as they are asked for.

    `name` is the file's name without its folder. `map` and `set` are the source's own: with them it is seen at once
    that a column is missing. Raises ValueError for a file or options that are not fit, OSError when reading fails.
    """
    options = ReadOptions(
        format=format, delimiter=delimiter, encoding=encoding, maps=map or {}, sets=set or {}
    )
    return _rows(open_records(stream, name=name, options=options, wanted=RATINGS))


def _rows(records: Records) -> Iterator[FileRow]:
    ids = RowIds(records.name)
    names = records.names if isinstance(records, CsvRecords) else None
    for row in records.rows():
        if isinstance(row, Reject):
            yield FileRow(id="", line=row.line, payload=_bytes(row.raw), raw=row.raw, reason=row.reason)
            continue
        yield FileRow(
            id=ids.next_id(records.content(row)), line=row.line, payload=_payload(row, names), raw=row.raw
        )


def _payload(row: Row, names: tuple[str, ...] | None) -> bytes:
    """Return the object that the row is; a column that is named twice is read from where it stands first."""
    if names is None:
        return _bytes(row.raw)
    cells = dict(zip(reversed(names), reversed(row.cells), strict=True))
    return json.dumps(cells, ensure_ascii=False).encode()


def _bytes(text: str) -> bytes:
    """Return the text as UTF-8; what did not decode comes out as the bytes that it was."""
    return text.encode("utf-8", "surrogateescape")
