"""Ratings from files that are dropped into a folder: CSV, TSV or JSON lines, as `feedback import` reads them.

Settings, `[plugins.folder]`: see `Settings`. A file is read once it has stopped growing, and then moves into
`done/`, or into `failed/` with a file of its refused rows beside it. Names that begin with a point or end with .part or
.tmp are not looked at: write a large file under such a name, and rename it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path  # noqa: TC003 - pydantic asks for it
from typing import TYPE_CHECKING, Literal, TypeAlias

from pydantic import Field

from feedback_app import Batch, Source, SourceDown, hookimpl
from feedback_app.plugins._dropped_file import DroppedFile
from feedback_app.plugins._own_threads import OwnThreads
from feedback_app.plugins._source_settings import SourceName, SourceSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from feedback_app import Received

log = logging.getLogger(__name__)

State: TypeAlias = tuple[int, ...]  # size, times of the last change of the content and of the rights

_IGNORED = (".part", ".tmp", ".crdownload", ".filepart")
_LOOK = 0.5  # seconds between two looks into the folder
_NOTHING = 2.0  # seconds without a file after which that is said
_GROWING = 30.0  # seconds that one call waits for a file to settle: less than the minute that it may take


class Settings(SourceSettings):
    """The table `[plugins.folder]`."""

    path: Path  # the folder
    name: SourceName = "folder"  # the `source` of its ratings
    format: Literal["csv", "tsv", "jsonl"] | None = None  # None: by the content, then by the name's ending
    encoding: str | None = None  # a Python codec; None: UTF-8
    delimiter: str | None = Field(default=None, min_length=1)  # None: the one that the header uses
    settle: float = Field(default=2.0, ge=0, le=3600)  # seconds without a change after which a file is read


class Folder(Source):
    """Reads one file after the other, by name. After a new start a file that was not finished is read from its top."""

    def __init__(self, settings: Settings) -> None:
        self.name = settings.name
        self.map, self.set = settings.map, settings.set
        self._settings = settings
        self._threads = OwnThreads(self.name)
        self._seen: dict[str, tuple[State, float]] = {}  # name → as it was seen, since when
        self._aside: dict[str, State] = {}  # what may not be read or moved, left alone until it changes
        self._file: DroppedFile | None = None

    async def check(self) -> str:
        """Look for the folder."""
        await self._threads.run(self._find)
        return f"the folder {self._settings.path} is there"

    async def open(self, position: str | None) -> None:
        """See that the folder is there and that finished files can move; a position is not needed."""
        del position
        await self._threads.run(self._prepare)

    async def receive(self, limit: int) -> Batch:
        """Return the next rows of the file at hand, or of the next one that has settled."""
        begun = time.monotonic()
        while True:
            file, waits = await self._threads.run(self._next_file)
            if file is not None and (rows := await self._threads.run(file.read, limit)):
                return Batch(received=rows)
            if file is None:
                if time.monotonic() - begun > (_GROWING if waits else _NOTHING):
                    return Batch()
                await asyncio.sleep(min(_LOOK, max(self._settings.settle, 0.01)))

    async def acknowledge(self, received: Sequence[Received]) -> None:
        """Note the refused rows; the file moves away when its last row is safe."""
        assert self._file is not None
        await self._threads.run(self._file.settle, received)

    async def lag(self) -> int | None:
        """Return None: how many rows wait in files is not known before they are read."""
        return None

    async def close(self) -> None:
        """Put the file back that is at hand: it is read again from its top."""
        file, self._file = self._file, None
        if file is not None:
            await self._threads.run(file.close)

    def _find(self) -> Path:
        folder = self._settings.path
        if not folder.is_dir():
            raise SourceDown(f"there is no folder {folder}")
        return folder

    def _prepare(self) -> None:
        folder = self._find()
        try:
            for name in ("done", "failed"):
                (folder / name).mkdir(exist_ok=True)
        except OSError as error:
            raise SourceDown(f"cannot make {folder / name}: {error.strerror}") from error

    def _next_file(self) -> tuple[DroppedFile | None, bool]:
        """Return the file to read on, and whether there is one that has not settled yet."""
        if self._file is not None and not self._file.finished:
            return self._file, False
        if self._file is not None and self._file.stuck is not None:
            self._set_aside(self._file.name, self._file.stuck)
        self._file = None
        settled, waits = self._look()
        if settled is None:
            return None, waits
        options = self._settings
        self._file = DroppedFile(
            settled,
            {"map": options.map, "set": options.set, "format": options.format}
            | {"encoding": options.encoding, "delimiter": options.delimiter},
        )
        return self._file, False

    def _set_aside(self, name: str, reason: str) -> None:
        self._aside[name] = self._seen[name][0]
        said = "a file cannot be read or moved, the others go on"
        log.warning(said, extra={"source": self.name, "file": name, "reason": reason})

    def _look(self) -> tuple[Path | None, bool]:
        """Return the first file, by name, that has not changed for a while, and whether any is there to be read."""
        now = time.monotonic()
        try:
            files = sorted(entry for entry in self._settings.path.iterdir() if _is_meant(entry))
            states = {file.name: _state(file) for file in files}
        except OSError as error:
            raise SourceDown(f"cannot read {self._settings.path}: {error.strerror}") from error
        seen = self._seen
        self._seen = {
            name: seen[name] if name in seen and seen[name][0] == state else (state, now)
            for name, state in states.items()
        }
        self._aside = {name: state for name, state in self._aside.items() if states.get(name) == state}
        files = [file for file in files if file.name not in self._aside]
        settled = (file for file in files if now - self._seen[file.name][1] >= self._settings.settle)
        return next(settled, None), bool(files)


def _is_meant(entry: Path) -> bool:
    """Whether a file is to be read; a link could lead to what only the daemon may read."""
    is_named = not entry.name.startswith(".") and entry.suffix.lower() not in _IGNORED
    return is_named and entry.is_file() and not entry.is_symlink()


def _state(file: Path) -> State:
    try:
        found = file.stat()
    except FileNotFoundError:  # another daemon has finished it
        return ()
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


@hookimpl
def make_source(settings: Settings) -> Source:
    """Return the source of the folder's files."""
    return Folder(settings)
