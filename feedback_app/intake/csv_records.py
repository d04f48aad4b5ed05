"""A CSV or TSV file: its delimiter, its header, and its rows."""

from __future__ import annotations

import re
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from feedback_app.errors import BadData, UsageError
from feedback_app.intake.csv_rows import MAX_RECORD, CsvRows
from feedback_app.intake.field_map import Columns, map_fields
from feedback_app.intake.records import Format, Input, Records, Reject, Row
from feedback_app.intake.shown import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MAX_COLUMNS = 10_000
DELIMITERS = ",;\t|"  # that are recognised; the first wins a tie
_EXCEL_HINT = re.compile(r'"?sep=([^\w\s"]|\t)"?\s*')
_QUOTED = re.compile(r'"[^"]*"')


class CsvRecords(Records):
    """A CSV file whose header has been read.

    Raises BadData for a header that does not serve, UsageError for options that do not fit it.
    """

    def __init__(self, given: Input) -> None:
        super().__init__(given)
        lines = iter(given.text)
        self._delimiter = ""
        number, first = self._first_line(lines)
        self._delimiter = (
            self._asked(given.options.delimiter, first) or self._delimiter or _delimiter_of(first)
        )
        self.format: Format = "tsv" if self._delimiter == "\t" else "csv"
        self._rows = iter(CsvRows(chain([first], lines), delimiter=self._delimiter, line=number - 1))
        self.names = self._header(number)
        columns = Columns(label=self.label, names=self.names, complete=True)
        self.field_map = map_fields(columns, given.wanted, maps=given.options.maps, sets=given.options.sets)

    def rows(self) -> Iterator[Row | Reject]:
        """Yield every record below the header."""
        width, damage = len(self.names), self._text.damage
        for row in self._rows:
            if type(row) is not Row:
                yield row
            elif not row.raw.isascii() and (problem := damage(row.raw)):
                yield _reject(row, problem)
            elif len(row.cells) != width:
                yield _reject(row, _misfit(len(row.cells), width, self._delimiter))
            else:
                yield row

    def picker(self, fields: Sequence[str]) -> Callable[[Any], Sequence[Any]]:
        """Take the cells by position; constants and the blank are appended to the row."""
        tail, positions = [""], []
        for field in fields:
            column = self.field_map.columns.get(field)
            if column is not None:
                positions.append(self.names.index(column))
            elif field in self.field_map.constants:
                positions.append(len(self.names) + len(tail))
                tail.append(self.field_map.constants[field])
            else:
                positions.append(len(self.names))
        take = itemgetter(*positions)
        return lambda cells: take(cells + tail)

    def content(self, row: Row) -> str:
        """Join the cells, so that neither delimiter nor quotes nor line ends matter."""
        return "\0".join(row.cells)

    def _first_line(self, lines: Iterator[str]) -> tuple[int, str]:
        """Return the first line that says something, with its number; Excel's `sep=;` sets the delimiter."""
        for number, line in enumerate(lines, 1):
            if hint := _EXCEL_HINT.fullmatch(line):
                self._delimiter = hint[1]
            elif len(line) > MAX_RECORD:
                raise BadData(
                    f"{self.label} has a first line of more than {MAX_RECORD:,} characters: not a table"
                )
            elif line.strip():
                return number, line
        raise BadData(f"{self.label} has no header")

    def _asked(self, option: str | None, header: str) -> str | None:
        """Return the delimiter that was asked for. Raises UsageError when the header plainly has another."""
        asked = _checked(option)
        found = _delimiter_of(header)
        if asked and asked not in header and found in header:
            raise UsageError(
                f"--delimiter {shown(asked)}: the header of {self.label} looks like {shown(found)}; "
                "use that, or leave the option out"
            )
        return asked

    def _header(self, number: int) -> tuple[str, ...]:
        """Read the names of the columns, without the blanks around them."""
        header = next(self._rows)
        problem = header.reason if isinstance(header, Reject) else self._text.damage(header.raw)
        if problem or isinstance(header, Reject):
            raise BadData(f"{self.label}: the header in line {number} cannot be read: {problem}")
        names = tuple(name.strip() for name in header.cells)
        if len(names) > MAX_COLUMNS:
            raise BadData(f"{self.label} has {len(names):,} columns, at most {MAX_COLUMNS:,} are read")
        return names


def _reject(row: Row, reason: str) -> Reject:
    lines = row.raw.rstrip("\r\n").count("\n")
    where = f" (lines {row.line} to {row.line + lines})" if lines else ""
    return Reject(row.line, reason + where, row.raw.rstrip("\r\n"))


def _misfit(cells: int, width: int, delimiter: str) -> str:
    columns = "1 column" if cells == 1 else f"{cells:,} columns"
    hint = f"; put quotes around a text with {shown(delimiter)} in it" if cells > width else ""
    return f"the row has {columns}, the header {width:,}{hint}"


def _checked(delimiter: str | None) -> str | None:
    """Return the delimiter that was asked for. Raises UsageError."""
    if delimiter in ("tab", "\\t"):
        return "\t"
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n\0 '):
        raise UsageError(f"--delimiter {shown(delimiter)}: one character is wanted, such as ; or tab")
    return delimiter


def _delimiter_of(header: str) -> str:
    bare = _QUOTED.sub("", header)
    return max(DELIMITERS, key=bare.count)
