"""From bytes to lines: encodings, and files that are no text at all."""

from __future__ import annotations

import codecs
import io
from typing import TYPE_CHECKING

from feedback_app.errors import BadData, UsageError
from feedback_app.intake.shown import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from feedback_app.intake.source import ByteSource

MAX_LINE = 10 * 1024 * 1024  # characters; a longer line is cut, so that no file can fill the memory

_MAGIC = (
    (b"PK\x03\x04", "a ZIP or Excel file: export the sheet as CSV"),
    (b"\x1f\x8b", "compressed by gzip: zcat FILE and pipe it to standard input"),
    (b"BZh", "compressed by bzip2: bzcat FILE and pipe it to standard input"),
    (b"\xfd7zXZ", "compressed by xz: xzcat FILE and pipe it to standard input"),
    (b"\xd0\xcf\x11\xe0", "an old Excel file: export the sheet as CSV"),
    (b"SQLite format 3", "an SQLite database"),
    (b"%PDF", "a PDF"),
)
_BOMS = (  # in this order: UTF-32's begins with UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Text:
    """The lines of a source, each with its end; bytes that do not decode are lone surrogates, see `damage`.

    Raises UsageError for an unknown encoding, BadData for a source that is empty or no text.
    """

    def __init__(self, source: ByteSource, *, encoding: str | None, label: str) -> None:
        self.encoding = encoding or "utf-8"
        self._label = label
        ascii_like = _writes_ascii(self.encoding)
        refuse_binary(source.head, label=label, ascii_like=ascii_like)
        # Where a character takes two bytes, a stray one shifts all that follows: the file is refused whole.
        errors = "surrogateescape" if ascii_like else "strict"
        buffered = io.BufferedReader(source, 65_536)
        self._stream = io.TextIOWrapper(buffered, encoding=self.encoding, errors=errors, newline="\n")

    def __iter__(self) -> Iterator[str]:
        """Yield the lines; one that is too long is cut to MAX_LINE + 1 characters. Raises BadData."""
        readline, limit = self._stream.readline, MAX_LINE + 1
        try:
            line = readline(limit).removeprefix("\ufeff")
            while line:
                yield line
                if len(line) >= MAX_LINE and line[-1] != "\n":
                    self._skip_line()
                line = readline(limit)
        except UnicodeError as problem:
            reason = getattr(problem, "reason", problem)
            raise BadData(f"{self._label} is not {self.encoding}: {reason}; give --encoding") from problem

    def _skip_line(self) -> None:
        while (rest := self._stream.readline(65_536)) and rest[-1] != "\n":
            pass

    def damage(self, raw: str) -> str | None:
        """Return the sentence that says where `raw` does not decode, None when it is sound."""
        try:
            raw.encode()
        except UnicodeEncodeError as problem:
            position = len(raw[: problem.start].encode(self.encoding, "surrogateescape")) + 1
            hint = "; give --encoding, such as cp1252 or latin-1" if self.encoding == "utf-8" else ""
            return f"not {self.encoding.upper()} at byte {position} of the row{hint}"
        return None

    def head(self, source: ByteSource) -> str:
        """Return the beginning of the text, without reading on."""
        return source.head.decode(self.encoding, "replace").removeprefix("\ufeff")


def _writes_ascii(encoding: str) -> bool:
    """Say whether ASCII text is the same bytes in this encoding. Raises UsageError when there is none."""
    try:
        return "a\n".encode(encoding) == b"a\n" and b"a\n".decode(encoding) == "a\n"
    except (LookupError, ValueError):
        known = "utf-8, utf-16, cp1252, latin-1, iso-8859-15, cp850, shift_jis"
        raise UsageError(
            f"--encoding {shown(encoding)} is no text encoding; names are {known} and others"
        ) from None


def refuse_binary(head: bytes, *, label: str, ascii_like: bool) -> None:
    """Raise BadData when these first bytes are not text, naming what they look like."""
    if not head.strip():
        raise BadData(f"{label} is empty")
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            raise BadData(f"{label} is {kind}")
    if not ascii_like:
        return
    if wide := _wide_encoding(head):
        raise BadData(f"{label} looks like {wide.upper()}: use --encoding {wide}")
    if head.count(0) * 10 > len(head):
        raise BadData(f"{label} is not text: many of its bytes are NUL")


def _wide_encoding(head: bytes) -> str | None:
    """Return the Unicode encoding of two or four bytes a character that these bytes look like."""
    for bom, name in _BOMS:
        if head.startswith(bom):
            return name
    even, odd = head[0::2], head[1::2]
    if odd.count(0) * 5 > len(odd) * 2 and even.count(0) * 10 < len(even):
        return "utf-16-le"
    if even.count(0) * 5 > len(even) * 2 and odd.count(0) * 10 < len(odd):
        return "utf-16-be"
    return None
