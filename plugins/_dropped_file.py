"""One file of a folder: its rows as payloads, and where it goes in the end."""

from __future__ import annotations

import csv
import os
import secrets
import threading
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

from feedback_app import FileRow, Received, SourceDown, read_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path


_LONGEST = (
    200  # bytes of a file's name that the name of its rejects has: with more behind it must stay below 256
)


class DroppedFile:
    """Read on until `finished`; `options` are those of `read_rows`.

    A file that is no table of ratings at all goes to `failed/` with the reason beside it, and blocks no other. One
    that has changed since it was opened stays where it is, to be read again. So does one that may not be read or
    moved: `stuck` says why, and trying again would end in the same.
    """

    def __init__(self, path: Path, options: Mapping[str, Any]) -> None:
        self.name = path.name
        self._path = path
        self._options = options
        self._stream: BinaryIO | None = None
        self._rows: Iterator[FileRow] | None = None
        self._refused: TextIO | None = None
        self._spool = path.parent / "failed" / f".{secrets.token_hex(8)}.rejects.tmp"
        self._state: tuple[int, ...] = ()  # as it was opened
        self._lock = threading.Lock()  # a thread may still read when a stop or a pause closes the file
        self.finished = False
        self.stuck: str | None = None  # in the system's words

    def read(self, limit: int) -> list[Received]:
        """Return the next rows; none when the file is at its end, and then it has moved away."""
        with self._lock:
            try:
                return [] if self.finished else self._read(limit)
            except PermissionError as error:
                self._get_stuck(error)
                return []

    def settle(self, received: Sequence[Received]) -> None:
        """Write down what of these is no rating."""
        with self._lock:
            try:
                for one in received:
                    if one.reason and isinstance(one.handle, FileRow) and not self.finished:
                        self._refuse(one.handle.line, one.reason, one.handle.raw)
            except PermissionError as error:
                self._get_stuck(error)

    def close(self) -> None:
        """Let go of the file without moving it."""
        with self._lock:
            self._let_go()

    def _read(self, limit: int) -> list[Received]:
        try:
            rows = list(islice(self._open(), limit))
        except FileNotFoundError:  # another daemon has finished it
            self._let_go()
            return []
        except PermissionError:
            raise
        except OSError as error:  # the file may be well, and the disk or the network is not
            raise SourceDown(f"cannot read {self._path}: {error.strerror or error}") from error
        except ValueError as error:
            self._give_up(error)
            return []
        if not rows:
            self._finish()
        return [Received(id=row.id, payload=row.payload, handle=row, reason=row.reason) for row in rows]

    def _let_go(self) -> None:
        self.finished = True
        if self._stream is not None:
            self._stream.close()
        if self._refused is not None:
            self._refused.close()
            self._refused = None
        self._spool.unlink(missing_ok=True)

    def _get_stuck(self, error: OSError) -> None:
        self.stuck = error.strerror or type(error).__name__
        self._let_go()

    def _open(self) -> Iterator[FileRow]:
        if self._rows is None:
            # What was a file when the folder was looked at may be a link or a pipe by now.
            handle = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            self._stream = os.fdopen(handle, "rb")
            self._state = _state(os.fstat(self._stream.fileno()))
            self._rows = read_rows(self._stream, name=self._path.name, **self._options)
        return self._rows

    def _refuse(self, line: int, reason: str, raw: str) -> None:
        if self._refused is None:
            handle = os.open(self._spool, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            self._refused = os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace", newline="")
            self._refused.write("line,reason,row\n")
        csv.writer(self._refused, lineterminator="\n").writerow((line, reason, raw.rstrip("\r\n")))

    def _give_up(self, error: ValueError) -> None:
        """Move a file away that is no table of ratings, or no further."""
        self._refuse(0, str(error).replace("--map ", "map.").replace("--set ", "set."), "")
        self._finish()

    def _finish(self) -> None:
        if self._is_another():
            self._let_go()
            return
        failed = self._refused is not None
        folder = self._path.parent / ("failed" if failed else "done")
        target = _free(folder / self._path.name)
        if self._refused is not None:
            self._refused.close()
            self._refused = None
        try:
            self._path.rename(target)
        except FileNotFoundError:  # another daemon has moved it, with the same rows refused
            self._let_go()
        except OSError as error:
            self._get_stuck(error)
        else:
            if failed:
                self._spool.rename(_free(target.with_name(f"{_cut(target.name)}.rejects.csv")))
            self._let_go()

    def _is_another(self) -> bool:
        """Whether rows were added, or another file came under the name, after this one was opened."""
        try:
            return _state(self._path.stat()) != self._state
        except FileNotFoundError:  # another daemon has moved it, or the producer has taken it back
            return True


def _state(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _cut(name: str) -> str:
    whole = os.fsencode(name)
    return name if len(whole) <= _LONGEST else whole[:_LONGEST].decode(errors="ignore")


def _free(target: Path) -> Path:
    """Return the path, or one with a number where a file of that name was there before."""
    found, number = target, 1
    while found.exists():
        number += 1
        found = target.with_name(f"{target.stem}-{number}{target.suffix}")
    return found
