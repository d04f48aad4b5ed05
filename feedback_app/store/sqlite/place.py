"""Where a ledger is to be: what the path in `[store] url` leads to, looked at before SQLite sees it."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TypeAlias

from feedback_app.errors import BadData, CannotCreate, NotPermitted, StorageFailed

ANOTHER = "name another file in [store] url"
ANOTHER_OR_BACKUP = f"{ANOTHER}, or restore it from a backup"
_MEMORY = {"tmpfs", "ramfs"}
_REMOTE = {"9p", "afs", "ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "nfs", "nfs4", "smb3", "smbfs"}
_MOUNTS = Path("/proc/self/mountinfo")  # see proc(5)


def is_there(path: Path) -> bool:
    """Say whether there is anything. Raises NotPermitted, and CannotCreate for a path that leads nowhere."""
    try:
        path.stat()
    except PermissionError:
        raise NotPermitted(f"{path}: the folder {path.parent} may not be entered by {_user()}") from None
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            target = path.readlink()
            raise CannotCreate(f"{path}: a link to {target}, which is not there; remove the link") from None
        return False
    except OSError as error:  # too long, or links in a circle
        raise CannotCreate(f"{path}: cannot be opened: {error.strerror}; {ANOTHER}") from None
    return True


def check_folder(path: Path) -> None:
    """Refuse a folder in which no ledger can be. Raises CannotCreate (73), NotPermitted (77)."""
    folder = path.parent
    if not is_there(folder):
        raise CannotCreate(f"{path}: the folder {folder} does not exist; make it, or {ANOTHER}")
    if not folder.is_dir():
        raise CannotCreate(f"{path}: {folder} is not a folder; {ANOTHER}")
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        raise CannotCreate(f"{path}: the file system of {folder} is mounted read-only; {ANOTHER}")
    # SQLite's log and our lock stand beside the ledger, so a writable file alone is not enough.
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        raise NotPermitted(f"{path}: the folder {folder} is not writable by {_user()}")


def check_file(path: Path) -> None:
    """Refuse what is there and cannot be a ledger, whatever is in it. Raises BadData (65), NotPermitted (77)."""
    kind = path.stat()
    if not stat.S_ISREG(kind.st_mode):
        what = "a folder" if stat.S_ISDIR(kind.st_mode) else "not a regular file"
        raise BadData(f"{path}: {what}; [store] url must name a file")
    if kind.st_size == 0:
        raise BadData(f"{path}: the file is empty, so it is no ledger; remove it to start with a new one")
    check_folder(path)
    if not os.access(path, os.R_OK | os.W_OK, effective_ids=True):
        raise NotPermitted(f"{path}: {_user()} may not read and write it")


def _user() -> str:
    return f"user {os.geteuid()}"


def is_full(ledger: Path) -> bool:
    """Say whether the ledger's file system surely has no room left for this user."""
    try:
        return room(beside(ledger, "").parent) == 0
    except OSError:
        return False


def room(folder: Path) -> int:
    """Return how many bytes this user may still write to the folder's file system. Raises OSError."""
    facts = os.statvfs(folder)
    return facts.f_bavail * facts.f_frsize


def beside(ledger: Path, ending: str) -> Path:
    """Return where a companion of the ledger is: beside the file itself and not beside a link to it.

    So whoever opens the ledger under another name meets the same lock, and SQLite's files are found.
    """
    return Path(os.path.realpath(ledger) + ending)


def wal_of(ledger: Path) -> Path:
    """Return where SQLite keeps what is committed and not yet in the ledger."""
    return beside(ledger, "-wal")


def size(path: Path) -> int:
    """Return the bytes of a file, 0 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


Identity: TypeAlias = tuple[tuple[int, int], ...]


def identity(ledger: Path, wal: Path) -> Identity | None:
    """Return device and inode of the ledger and of its log, None when one is not there."""
    try:
        files = (ledger.stat(), wal.stat())
    except OSError:
        return None
    return tuple((one.st_dev, one.st_ino) for one in files)


def replaced(ledger: Path) -> StorageFailed:
    """Form the error for a ledger whose files are others now."""
    return StorageFailed(f"{ledger}: the ledger was replaced or removed while running")


def warnings(path: Path) -> list[str]:
    """Return a line for a file system that holds a ledger badly."""
    kind = _file_system(path.parent)
    if kind in _MEMORY:
        return [f"{path}: is kept in memory ({kind}) and lost when the machine restarts; {ANOTHER}"]
    if kind in _REMOTE:
        return [f"{path}: is on a network ({kind}), where SQLite's locks can fail; {ANOTHER}"]
    return []


def _file_system(folder: Path) -> str:
    """Return the type of the file system that holds the folder, "" when it cannot be told."""
    try:
        device = folder.stat().st_dev
        mounts = _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    kinds = [line.partition(" - ")[2].split()[0] for line in mounts if line.split()[2] == wanted]
    return kinds[0] if kinds else ""
