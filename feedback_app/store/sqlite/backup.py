"""A backup of a ledger in use: one snapshot, verified before it gets its name."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from typing import TYPE_CHECKING

from feedback_app import failpoints
from feedback_app.errors import Busy, CannotCreate, NotFound, NotPermitted, StorageFailed, StorageFull
from feedback_app.store.sqlite import drafts, file, place, snapshot
from feedback_app.store.sqlite.failures import explain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from feedback_app.store.sqlite.snapshot import Contents

_OF_THE_TARGET = {sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_TRUNCATE, sqlite3.SQLITE_IOERR_FSYNC}
_LEDGERS_OWN = ("-wal", "-shm", "-journal", "-lock", "-bell")


class Backup:
    """One backup of the ledger at `ledger` into the new file `target`. `interrupt` may be called from any thread."""

    def __init__(self, ledger: Path, target: Path) -> None:
        self._ledger = ledger
        self._target = target
        self._interrupted = threading.Event()
        self._working: sqlite3.Connection | None = None

    def interrupt(self) -> None:
        """Let `make` raise Busy as soon as can be; sooner when it is called again while a long statement runs."""
        self._interrupted.set()
        if (working := self._working) is not None:
            with contextlib.suppress(sqlite3.ProgrammingError):  # closed a moment ago
                working.interrupt()

    def make(self) -> Contents:
        """Make it and return what is in it; blocks. Whatever ends it before its end, no file of that name is there.

        Raises NotFound (1) where there is no ledger, CannotCreate (73) where `target` is already or cannot be made,
        NotPermitted (77), StorageFull and StorageFailed (74), Busy (75) when interrupted, and what opening would.
        """
        if not place.is_there(self._ledger):
            raise NotFound(f"{self._ledger}: there is no ledger")
        self._check_target()
        file.check(self._ledger)
        self._check_room()
        with drafts.drafted(self._target) as draft:
            wanted = self._copy(draft)
            failpoints.reached("backup.copied")
            self._verify(draft, wanted)
            failpoints.reached("backup.verified")
            with drafts.making(self._target):
                drafts.sync(draft)
                try:
                    drafts.give_name(draft, self._target)
                except FileExistsError:
                    raise self._taken() from None
                drafts.sync_folder(self._target.parent)
        return wanted

    def _check_target(self) -> None:
        target, folder = self._target, self._target.parent
        if os.path.lexists(target):
            raise self._taken()
        if not folder.is_dir():
            raise CannotCreate(f"{target}: there is no folder {folder}; make it, or name another file")
        if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
            raise NotPermitted(f"{target}: the folder {folder} is not writable by user {os.geteuid()}")
        real = folder.resolve() / target.name
        if real in (place.beside(self._ledger, ending) for ending in _LEDGERS_OWN):
            raise CannotCreate(f"{target}: is a name that the ledger itself uses; name another file")

    def _taken(self) -> CannotCreate:
        if self._target.is_dir():
            return CannotCreate(f"{self._target}: is a folder; name a file in it")
        return CannotCreate(f"{self._target}: is there already and is not overwritten; name another file")

    def _check_room(self) -> None:
        needed = place.size(self._ledger)
        with drafts.making(self._target):
            room = place.room(self._target.parent)
        if needed > room:
            raise StorageFull(
                f"{self._target}: needs about {needed:,} bytes, {room:,} are left on its disk; nothing was stored"
            )

    def _copy(self, draft: Path) -> Contents:
        with (
            self._explained(),
            self._interruptible(file.looking_at(self._ledger)) as source,
            snapshot.moment(source) as wanted,
        ):
            snapshot.copy(source, draft, self._keep_on)
        return wanted

    def _verify(self, draft: Path, wanted: Contents) -> None:
        try:
            with self._explained(), self._interruptible(snapshot.sealed(draft)) as copied:
                snapshot.compare(copied, wanted)
        except snapshot.Damaged as error:
            raise StorageFailed(
                f"{self._target}: the copy is not sound ({error}) and was not kept;"
                " look at the ledger with `feedback-app db check`, and at the disk"
            ) from None

    @contextlib.contextmanager
    def _interruptible(self, connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
        with contextlib.closing(connection):
            self._working = connection
            self._keep_on()
            yield connection
            self._keep_on()  # one that came between two statements has ended none
            self._working = None

    def _keep_on(self) -> None:
        if self._interrupted.is_set():
            raise Busy(f"{self._target}: stopped before its end; nothing was kept")

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Say whether it was the ledger or the new file that could not be read or written."""
        try:
            yield
        except sqlite3.Error as error:
            if self._interrupted.is_set():
                self._keep_on()
            code = getattr(error, "sqlite_errorcode", 0)
            is_target = code & 0xFF == sqlite3.SQLITE_FULL or code in _OF_THE_TARGET
            known = explain(error, self._target if is_target else self._ledger)
            if known is None:
                raise
            raise known from error
