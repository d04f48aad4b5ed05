"""What flows between the parts of an import."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from feedback_app.intake.field_map import FieldMap, Wanted
    from feedback_app.intake.source import ByteSource
    from feedback_app.intake.text import Text
    from feedback_app.model import Customer, Feedback

Format: TypeAlias = Literal["csv", "tsv", "jsonl"]
FORMATS: tuple[Format, ...] = ("csv", "tsv", "jsonl")


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadOptions:
    """How a file is to be read, as the command line says it."""

    format: Format | None = None  # None: by the content, then by the name's ending
    delimiter: str | None = None  # between the columns of CSV; None: the one that the header uses
    encoding: str | None = None  # a Python codec; None: UTF-8
    maps: Mapping[str, str] = field(default_factory=dict)  # field → the column or key that it is read from
    sets: Mapping[str, str] = field(default_factory=dict)  # field → the value that every row gets


# One of each is made for every row: structs, because a tuple with names costs eight times as much. None of them can be
# part of a circle, so the search for garbage (gc) need not look at them.


class Row(Struct, frozen=True, gc=False):
    """One record of a file, well formed and not yet understood."""

    line: int  # where it starts, from 1
    cells: Any  # CSV: list of str in the header's order; JSON: the object
    raw: str  # its text in the file, with its line end


class Reject(NamedTuple):
    """One record that cannot be taken, and why."""

    line: int  # where it starts, from 1
    reason: str
    raw: str  # its text in the file, without its line end


class Incoming(Struct, frozen=True, gc=False):
    """One rating, checked, ready to be stored."""

    feedback: Feedback
    contact: Customer | None  # what the record says about its customer
    content_hash: bytes  # 12 bytes: the same id with another hash is a conflict
    line: int
    warnings: tuple[str, ...]  # contact data that was left out


class IncomingCustomer(Struct, frozen=True, gc=False):
    """One customer, checked, ready to be stored."""

    customer: Customer
    line: int
    warnings: tuple[str, ...]  # contact data that was left out


@dataclass(frozen=True, kw_only=True, slots=True)
class Input:
    """A file that turned out to be text, and what is wanted of it."""

    name: str  # the file's name, "" for standard input
    label: str  # how messages name it
    source: ByteSource
    text: Text
    options: ReadOptions
    wanted: Wanted


class Records(ABC):
    """The records of a file, whatever its format: made by `open_records`."""

    format: Format
    field_map: FieldMap

    def __init__(self, given: Input) -> None:
        self.name, self.label = given.name, given.label
        self._source, self._text = given.source, given.text

    @property
    def bytes_read(self) -> int:
        """How far the reading is, for a progress bar."""
        return self._source.bytes_read

    @abstractmethod
    def rows(self) -> Iterator[Row | Reject]:
        """Yield every record once, in order, a Reject for one that is broken. May be called once.

        Raises BadData or StorageFailed when the file cannot be read on.
        """

    @abstractmethod
    def picker(self, fields: Sequence[str]) -> Callable[[Any], Sequence[Any]]:
        """Return what takes the values of two or more `fields` out of `Row.cells`; "" or None where blank."""

    @abstractmethod
    def content(self, row: Row) -> str:
        """Return the whole row as one text, equal for equal rows."""
