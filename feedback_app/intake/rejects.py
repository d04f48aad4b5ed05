"""The file of refused rows, which a human mends and imports again."""

from __future__ import annotations

import csv
import json
import os
from typing import TYPE_CHECKING, Self, TextIO

from feedback_app.errors import CannotCreate, StorageFailed

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from feedback_app.intake.records import Format, Reject

_HEADER = ("line", "reason", "row")
_BEGINNINGS = (b"line,reason,row", b'{"line":')  # of a file that this class wrote


class RejectsWriter:
    r"""Writes rejects as CSV (line, reason, row), for an import of JSON lines as JSON lines with these keys.

    The file appears with the first reject, readable by its owner only, as it holds customers' data; the
    rejects of an earlier run are replaced. Bytes that did not decode appear as \udcXX. Raises CannotCreate
    when `path` is taken by anything but rejects or cannot be made, StorageFailed when writing fails.
    """

    def __init__(self, path: Path, *, format: Format) -> None:  # noqa: A002 - the option's own name
        self._path = path
        self._json = format == "jsonl"
        self._file: TextIO | None = None
        self.written = 0
        self._check()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def write(self, reject: Reject) -> None:
        """Add one reject."""
        file = self._file or self._create()
        try:
            if self._json:
                file.write(json.dumps(dict(zip(_HEADER, reject, strict=True)), ensure_ascii=False) + "\n")
            else:
                csv.writer(file, lineterminator="\n").writerow(reject)
        except OSError as problem:
            raise self._failed(problem) from problem
        self.written += 1

    def close(self) -> None:
        """Bring everything to the file. May be called twice."""
        file, self._file = self._file, None
        try:
            if file is not None:
                file.close()
        except OSError as problem:
            raise self._failed(problem) from problem

    def _check(self) -> None:
        """Refuse at the door what would fail at the first reject only, and any file that holds no rejects."""
        if not self._path.parent.is_dir():
            raise CannotCreate(f"{self._path}: the folder {self._path.parent} does not exist")
        if self._path.is_dir():
            raise CannotCreate(f"{self._path} is a folder, a file is wanted")
        if self._path.is_fifo() or self._path.is_socket():  # writing would wait for a reader, maybe for ever
            raise CannotCreate(f"{self._path} is a pipe, a file is wanted")
        try:
            beginning = self._beginning()
        except OSError as problem:
            raise CannotCreate(f"{self._path}: {problem.strerror}") from problem
        if beginning and not beginning.startswith(_BEGINNINGS):
            raise CannotCreate(f"{self._path} exists and holds no rejects: choose another name")

    def _beginning(self) -> bytes:
        if not self._path.is_file():
            return b""
        with self._path.open("rb") as file:
            return file.read(len(_BEGINNINGS[0]))

    def _create(self) -> TextIO:
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        except OSError as problem:
            raise CannotCreate(f"{self._path}: {problem.strerror}") from problem
        self._file = os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace", newline="")
        if not self._json:
            self._file.write(",".join(_HEADER) + "\n")
        return self._file

    def _failed(self, problem: OSError) -> StorageFailed:
        return StorageFailed(f"{self._path}: writing failed: {problem.strerror}")
