"""Lines in, rows of CSV out (RFC 4180), and for every broken record a reject.

A broken quote must not swallow the rows behind it. When a record fails, only its first line is refused. The
lines that it had swallowed are read again, each on its own; the last, where the trouble showed, as the start
of a new record. So every line is read twice at most, whatever the file holds.
"""

from __future__ import annotations

import csv
from itertools import chain
from typing import TYPE_CHECKING

from feedback_app.intake.records import Reject, Row

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_RECORD = 1024 * 1024  # characters of one record over all its lines
MAX_FIELD = 131_072  # characters; the csv module's own limit, above that of a comment

_REASONS = (  # what the csv module says, and what it means to the one who wrote the file
    ("unexpected end of data", "the quote opened here is never closed"),
    ("field larger", f"a field exceeds {MAX_FIELD:,} characters; is its quote never closed?"),
    ("new-line character", "a carriage return stands outside of quotes"),
    ("expected after", "text follows a closing quote; a quote inside quotes must be doubled"),
    ("record larger", f"the record exceeds {MAX_RECORD:,} characters; is a quote never closed?"),
)


class CsvRows:
    """The records in `lines`, as they stand: neither the header nor the number of columns is known here."""

    def __init__(self, lines: Iterator[str], *, delimiter: str, line: int) -> None:
        self._lines = lines
        self._delimiter = delimiter
        self._line = line  # the number of the last line before `lines`
        self._record: list[str] = []  # the lines of the record that is being read

    def __iter__(self) -> Iterator[Row | Reject]:
        """Yield the records in order, without the blank lines."""
        again: list[str] = []  # the line that has to be read again, if any
        record = self._record
        while True:
            reader = csv.reader(self._feed(again), delimiter=self._delimiter, strict=True)
            try:
                for cells in reader:
                    start = self._line + 1
                    self._line += len(record)
                    raw = record[0] if len(record) == 1 else "".join(record)
                    record.clear()
                    if cells:
                        yield Row(start, cells, raw)
            except csv.Error as problem:
                broken = record.copy()
                record.clear()
                yield self._reject(problem, broken[0])
                for line in broken[1:-1]:
                    yield from self._lone(line)
                again = broken[1:][-1:]
            else:
                return

    def _feed(self, again: list[str]) -> Iterator[str]:
        """Hand the lines to the csv module, and keep those of the record that it is reading."""
        record, size = self._record, 0
        for line in chain(again, self._lines):
            size = size + len(line) if record else len(line)
            record.append(line)
            if size > MAX_RECORD:
                raise csv.Error("record larger than the limit")
            yield line

    def _lone(self, line: str) -> Iterator[Row | Reject]:
        """Read a line as a record of its own."""
        try:
            cells = next(csv.reader([line], delimiter=self._delimiter, strict=True))
        except csv.Error as problem:
            yield self._reject(problem, line)
            return
        self._line += 1
        if cells:
            yield Row(self._line, cells, line)

    def _reject(self, problem: csv.Error, line: str) -> Reject:
        self._line += 1
        reason = next((reason for said, reason in _REASONS if said in str(problem)), str(problem))
        return Reject(self._line, reason, line.rstrip("\r\n"))
