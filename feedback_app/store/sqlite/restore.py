"""A ledger put back from a backup: made and verified beside the old one, which is kept, then in one step in its place.

Killed at any moment there is the old ledger or the new one under the ledger's name, and never a log of one of them
beside the other. That is why the old one is folded together first, by its only user.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from feedback_app import failpoints
from feedback_app.errors import BadData, Busy, NotPermitted
from feedback_app.store.sqlite import drafts, file, judging, place, snapshot
from feedback_app.store.sqlite.failures import explain, explained
from feedback_app.store.sqlite.lock import LedgerLock
from feedback_app.store.sqlite.since import settle_since

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from feedback_app.model import Milliseconds
    from feedback_app.store.sqlite.since import Since
    from feedback_app.store.sqlite.snapshot import Contents

_UNREADABLE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR}


@dataclass(frozen=True, kw_only=True, slots=True)
class Restored:
    """What a restore did."""

    kept: Path | None  # where the old ledger is now; None: there was none
    since: Since  # what became of what the backup has under way


class Restore:
    """A backup that is verified and stands ready; `finish` puts it in the ledger's place. Made by `restoring`."""

    def __init__(self, ledger: Path, draft: Path, contents: Contents) -> None:
        self.contents = contents
        self._ledger = ledger
        self._draft = draft

    def finish(self, *, resend: bool, stamp: str, now: Milliseconds) -> Restored:
        """Put it in place; the old ledger is kept under its name and `stamp`.

        Messages that the backup has waiting may have left since it was made, so they are held, unless `resend`.
        Raises Busy (75) while somebody else has the old ledger open, NotPermitted, StorageFailed, StorageFull.
        """
        kept = self._ledger.with_name(f"{self._ledger.name}.before-restore-{stamp}")
        with self._alone() as old:
            with explained(self._ledger):
                since = settle_since(old, self._draft, resend=resend, now=now)
                _seal(self._draft)
            with drafts.making(self._ledger):
                self._take_over_owner()
                drafts.sync(self._draft)
                failpoints.reached("restore.ready")
                was_there = self._swap(kept, with_logs=old is None)
        return Restored(kept=kept if was_there else None, since=since)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[sqlite3.Connection | None]:
        """Be the only one who has the old ledger open, its log folded in and gone; None where it cannot be read."""
        if not self._ledger.exists() or self._is_broken():
            yield None
            return
        uri = f"file:{quote(str(self._ledger))}?mode=rw"
        with contextlib.closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as old:
            is_one_file = self._fold_together(old)
            if not is_one_file:
                old.close()
            yield old if is_one_file else None

    def _fold_together(self, old: sqlite3.Connection) -> bool:
        """Make the ledger one file and keep everybody out; False where it is too broken for that."""
        try:
            old.execute("PRAGMA main.locking_mode = EXCLUSIVE")
            # Only without a log is the ledger one file; whoever opens it next turns that back.
            old.execute("PRAGMA main.journal_mode = DELETE").fetchone()
            old.execute("BEGIN EXCLUSIVE")
            old.execute("COMMIT")
        except sqlite3.Error as error:
            self._refuse_busy(error)
            return False
        return True

    def _is_broken(self) -> bool:
        """Whether it cannot even be read; found out without the right to change its log."""
        try:
            with contextlib.closing(file.looking_at(self._ledger)) as old:
                old.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.Error as error:
            self._refuse_busy(error)
            return True
        return False

    def _refuse_busy(self, error: sqlite3.Error) -> None:
        """Return for a ledger that is broken, raise for all else that keeps it from being read."""
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _UNREADABLE:
            return
        known = explain(error, self._ledger)
        if isinstance(known, Busy):
            raise Busy(f"{self._ledger}: another process has the ledger open; end it, or try again") from None
        raise known or error

    def _take_over_owner(self) -> None:
        """Let the same people use the new ledger: root restores what a daemon of its own user runs on."""
        if not self._ledger.exists():
            return
        was, now = self._ledger.stat(), self._draft.stat()
        self._draft.chmod(stat.S_IMODE(was.st_mode))
        if (was.st_uid, was.st_gid) == (now.st_uid, now.st_gid):
            return
        try:
            os.chown(self._draft, was.st_uid, was.st_gid)
        except PermissionError:
            if was.st_uid != now.st_uid:
                raise NotPermitted(
                    f"{self._ledger}: belongs to user {was.st_uid}; restore it as that user or as root"
                ) from None

    def _swap(self, kept: Path, *, with_logs: bool) -> bool:
        """Give the old ledger its second name and the new one its place; says whether there was an old one.

        `with_logs`: it is broken or gone, so that what is left of a log has its last changes and is kept as well.
        """
        was_there = self._ledger.exists()
        if was_there:
            with drafts.making(kept):
                os.link(self._ledger, kept)
        for ending in ("-wal", "-journal", "-shm"):  # never those of the one beside the other
            log = place.beside(self._ledger, ending)
            if with_logs and place.size(log):
                log.rename(kept.with_name(kept.name + ending))
            log.unlink(missing_ok=True)
        drafts.sync_folder(self._ledger.parent)
        failpoints.reached("restore.kept")
        if was_there:
            self._draft.replace(self._ledger)
        else:
            try:
                drafts.give_name(self._draft, self._ledger)
            except FileExistsError:
                raise Busy(f"{self._ledger}: was made by another process meanwhile; try again") from None
        failpoints.reached("restore.replaced")
        drafts.sync_folder(self._ledger.parent)
        return was_there


@contextlib.contextmanager
def restoring(path: Path, backup: Path) -> Iterator[Restore]:
    """Verify a backup and make a new ledger of it beside the one at `path`, which stays as it is.

    No daemon can start until the block ends. Raises BadData (65) and BadConfig (78) for what no ledger can be
    restored from, UsageError (2) for the ledger itself, Busy (75) while a daemon runs, CannotCreate (73), StorageFull
    and StorageFailed (74), NotPermitted (77).
    """
    ledger = place.beside(path, "")
    judging.check_file(backup, ledger)
    _check_old(ledger)
    with judging.damage_told(backup), contextlib.closing(snapshot.sealed(backup)) as source:
        wanted = judging.check_contents(source, backup)
    with contextlib.ExitStack() as stack:
        lock = LedgerLock(ledger)
        if not lock.try_acquire("command"):
            raise lock.refused()
        stack.callback(lock.release)
        if ledger.exists():  # else somebody may be making one, for which no lock is needed
            drafts.remove_abandoned(ledger)
        draft = stack.enter_context(drafts.drafted(ledger))
        with explained(ledger), judging.damage_told(backup):
            with contextlib.closing(snapshot.sealed(backup)) as source:
                snapshot.copy(source, draft, lambda: None)
            with contextlib.closing(snapshot.sealed(draft)) as copied:
                snapshot.compare(copied, wanted)
        yield Restore(ledger, draft, wanted)


def _check_old(ledger: Path) -> None:
    """Refuse to put a ledger in the place of what is none; a broken one may well be in it."""
    place.check_folder(ledger)
    if not place.is_there(ledger):
        return
    if not ledger.is_file():
        raise BadData(f"{ledger}: is no regular file; [store] url must name a file")
    if judging.is_of_another_program(ledger):
        raise BadData(
            f"{ledger}: a SQLite database of another program; it was left as it is; {place.ANOTHER}"
        )


def _seal(draft: Path) -> None:
    """Leave the new ledger as a new one is: in WAL mode, without a log beside it."""
    with contextlib.closing(sqlite3.connect(draft, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
