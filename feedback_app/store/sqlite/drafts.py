"""Files that come to be whole or not at all: written under a hidden name, and given their own when they are done."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from typing import TYPE_CHECKING

from feedback_app.errors import CannotCreate, FeedbackAppError, StorageFailed, StorageFull

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_COMPANIONS = ("-wal", "-shm", "-journal")  # what SQLite puts beside a file
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}  # FAT, some network shares


@contextlib.contextmanager
def drafted(path: Path) -> Iterator[Path]:
    """Make an empty file beside `path`; what is left of it at the block's end is removed.

    Raises CannotCreate (73), StorageFull and StorageFailed (74).
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    with making(path):
        # The mode comes first: a ledger holds addresses and words of customers, so nobody else reads it.
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    try:
        yield draft
    finally:
        for leftover in (draft, *(draft.with_name(draft.name + end) for end in _COMPANIONS)):
            leftover.unlink(missing_ok=True)


def remove_abandoned(path: Path) -> None:
    """Remove the drafts of `path` that somebody left who was killed; nobody may be writing one."""
    for draft in path.parent.glob(f".{path.name}.????????.new*"):
        draft.unlink(missing_ok=True)


def give_name(draft: Path, path: Path) -> None:
    """Let `path` be the draft's name. Raises FileExistsError where there is something already, OSError."""
    try:
        os.link(draft, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        draft.rename(path)


@contextlib.contextmanager
def making(path: Path) -> Iterator[None]:
    """Turn what the operating system says to a new file into the program's own errors."""
    try:
        yield
    except FeedbackAppError:  # some are OSErrors too
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(f"{path}: no space left on the disk; nothing was stored") from None
        kind = StorageFailed if error.errno == errno.EIO else CannotCreate
        raise kind(f"{path}: cannot be made: {error.strerror}") from None


def sync(path: Path) -> None:
    """Bring a file to the disk that no connection of this process has open: closing it would drop their locks."""
    _sync(path, os.O_RDONLY)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    _sync(folder, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
