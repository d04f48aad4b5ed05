"""Puts mails into a Maildir (https://cr.yp.to/proto/maildir.html), each whole or not at all, each once."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from feedback_app import ChannelDown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from feedback_app.plugins._mail_builder import Mail

_PARTS = ("tmp", "new", "cur")
# Dot files are not mails; file systems end at 255 bytes, and mail readers append flags.
_FIT_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")


class Maildir:
    """A folder of mails; made when missing, readable for its owner only."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def check(self) -> None:
        """There is nobody to reach."""

    async def open(self) -> None:
        """Make the folder. Raises ChannelDown naming it when that cannot be."""
        await asyncio.to_thread(self._make)

    async def close(self) -> None:
        """Nothing is held open."""

    async def deliver(self, mail: Mail) -> str:
        """Store the mail and say so; the same message again is the same file and is stored once.

        Raises ChannelDown naming the folder when it cannot be written.
        """
        return await asyncio.to_thread(self._store, file_name(mail.message_id), mail.data)

    def _make(self) -> None:
        with _named(self._path):
            for part in _PARTS:
                folder = self._path / part
                folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                folder.mkdir(mode=0o700, exist_ok=True)

    def _store(self, name: str, data: bytes) -> str:
        self._make()  # whoever clears the folder while the program runs gets a new one
        unfinished, finished = self._path / "tmp" / name, self._path / "new" / name
        with _named(self._path):
            # A reader moves what it has seen to cur and appends flags: none or "seen" are the usual ones.
            seen = (self._path / "cur" / f"{name}:2,{flags}" for flags in ("", "S"))
            if finished.exists() or any(path.exists() for path in seen):
                return f"already stored in {self._path.name}"
            _write_durably(unfinished, data)
            unfinished.rename(finished)
            _sync_folder(finished.parent)
        return f"stored in {self._path.name}/new"


def file_name(message_id: str) -> str:
    """Return a name that is the message's own at every attempt and safe in any folder."""
    if not _FIT_NAME.fullmatch(message_id):
        message_id = hashlib.sha256(message_id.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{message_id}.feedback-app"


def _write_durably(path: Path, data: bytes) -> None:
    # A file of that name can only be what a crash left unfinished; a link laid there is not followed.
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    """Make the rename itself survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ChannelDown(f"cannot write to the Maildir {path}: {error.strerror}") from None
