"""Scheduled backups: what they are called, when the next is due, and which are old enough to go.

The files themselves are the only memory: a backup is due once the newest is older than the last `at`. So one that a
daemon missed, because it did not run or could not write, is made as soon as it can be.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import time
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from feedback_app.clock import BUILT
from feedback_app.concurrency import Cron
from feedback_app.concurrency.aside import aside
from feedback_app.errors import FeedbackAppError
from feedback_app.store.sqlite import drafts
from feedback_app.store.sqlite.backup import Backup

if TYPE_CHECKING:
    from pathlib import Path

    from feedback_app.clock import Clock
    from feedback_app.settings import Settings
    from feedback_app.settings.backup import BackupSettings
    from feedback_app.store.sqlite.snapshot import Contents

log = logging.getLogger(__name__)

_FORM = "feedback-%Y-%m-%dT%H%M%SZ.db"
_NAME = re.compile(r"feedback-\d{4}-\d\d-\d\dT\d{6}Z\.db", re.ASCII)
_RETRY = 60_000  # milliseconds
_NUDGE = 0.2  # seconds
_LET_GO = (
    5.0  # seconds after which a stop goes on without a thread that hangs, in a dead network share perhaps
)
_LOOK = 60.0  # seconds
_LONGEST = 86_400.0  # seconds


def name_at(moment: datetime) -> str:
    """Return the name of a backup begun at a moment."""
    return moment.astimezone(UTC).strftime(_FORM)


def begun_at(name: str) -> datetime | None:
    """Return when a backup of this name was begun; None for any other file's name."""
    if _NAME.fullmatch(name):
        with contextlib.suppress(ValueError):  # 31 February
            return datetime.strptime(name, _FORM).replace(tzinfo=UTC)
    return None


def made_in(folder: Path) -> list[Path]:
    """Return the backups in a folder, the oldest first; links and folders are none. Raises OSError."""
    if not folder.is_dir():
        return []
    found = (one for one in folder.iterdir() if begun_at(one.name))
    return sorted(one for one in found if one.is_file() and not one.is_symlink())


def newest_in(folder: Path, now: datetime) -> datetime | None:
    """Return when the newest backup was begun; what a clock that was ahead has named does not count."""
    moments = (begun_at(one.name) for one in made_in(folder))
    return max((one for one in moments if one is not None and one <= now), default=None)


def next_due(settings: BackupSettings, newest: datetime | None, now: datetime) -> datetime:
    """Return when the next backup is, or was, due."""
    if newest is None:
        return now
    at = settings.time_of_day
    return Cron(f"{at.minute} {at.hour} * * *", settings.timezone).next_after(newest)


def facts(settings: Settings, now: datetime) -> dict[str, Any] | None:
    """Return what `status` shows: directory, last and next as aware moments; None where none are made."""
    if not settings.backup.directory:
        return None
    folder = settings.directory / settings.backup.directory
    last = None
    with contextlib.suppress(OSError):  # as good as none: the daemon cannot write there either
        last = newest_in(folder, now)
    return {"directory": str(folder), "last": last, "next": next_due(settings.backup, last, now)}


class Backups:
    """Makes them when they are due; `look` is to be called every few seconds, and ends early once `stopping` is set."""

    def __init__(self, settings: Settings, *, clock: Clock, stopping: asyncio.Event) -> None:
        self._settings = settings.backup
        self._ledger = settings.store_path
        self._folder = settings.directory / settings.backup.directory
        self._clock = clock
        self._stopping = stopping
        # When the folder was looked into, and when the next one is due as of then.
        self._asked_at = self._next = datetime.min.replace(tzinfo=UTC)
        self._retry_at = 0  # epoch milliseconds
        self._said = ""  # why the last one failed, as far as has been said

    async def look(self) -> None:
        """Make a backup if one is due and the last failure is long enough ago."""
        now = self._clock()
        moment = datetime.fromtimestamp(now / 1000, UTC)
        # A moment before `_asked_at`: the clock was set back, and `_next` may lie any time ahead.
        if now < BUILT or self._asked_at <= moment < self._next or self._is_resting(now):
            return
        self._retry_at = now + _RETRY  # whatever comes: a large copy that fails is not made anew at once
        try:
            # Asked again each time that one seems due: somebody may have made or removed one.
            newest = await aside(partial(newest_in, self._folder, moment), _LOOK, name="backup")
            self._asked_at, self._next = moment, next_due(self._settings, newest, moment)
            if self._next <= moment:
                await self._make(moment)
        except (FeedbackAppError, OSError) as error:
            self._say(str(error))

    def _is_resting(self, now: int) -> bool:
        return now < self._retry_at <= now + _RETRY  # further away, the clock was set back

    def _say(self, reason: str) -> None:
        if reason != self._said and not self._stopping.is_set():
            log.error("backup not made, trying again", extra={"reason": reason})
            self._said = reason

    async def _make(self, moment: datetime) -> None:
        begun = time.monotonic()
        file = self._folder / name_at(moment)
        backup = Backup(self._ledger, file)
        making = asyncio.create_task(
            aside(partial(self._write, backup, file), _LONGEST, name="backup"), name="backup"
        )
        stop = asyncio.create_task(self._stopping.wait(), name="stop")
        try:
            await asyncio.wait({making, stop}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            backup.interrupt()
            making.cancel()
            raise
        finally:
            stop.cancel()
        contents = await self._let_go(making, backup)
        self._next = next_due(self._settings, moment, moment)
        self._said = ""
        log.info(
            "backup made",
            extra={
                "file": str(file),
                "ratings": contents.ratings,
                "messages": contents.messages,
                "bytes": contents.size,
                "seconds": round(time.monotonic() - begun, 1),
            },
        )

    async def _let_go(self, making: asyncio.Task[Contents], backup: Backup) -> Contents:
        """Wait for the end of one that is made or is to end at once. Raises what it does, and TimeoutError."""
        try:
            async with asyncio.timeout(_LET_GO):
                while not making.done():
                    backup.interrupt()
                    await asyncio.wait({making}, timeout=_NUDGE)
        finally:
            making.cancel()
        return making.result()

    def _write(self, backup: Backup, file: Path) -> Contents:
        """Make it, and only then remove the oldest; runs in a thread of its own."""
        with drafts.making(self._folder):
            self._folder.mkdir(mode=0o700, exist_ok=True)
        for draft in _abandoned(self._folder):
            draft.unlink(missing_ok=True)
        contents = backup.make()
        # What a clock that was ahead has named is older than it says: it must not stay while good ones go.
        made = sorted(made_in(self._folder), key=lambda one: (one.name <= file.name, one.name))
        old = [one for one in made if one != file]
        for one in old[: max(0, len(old) + 1 - self._settings.keep)]:
            one.unlink(missing_ok=True)
        return contents


def _abandoned(folder: Path) -> list[Path]:
    """Return what a daemon has left that was killed over a backup."""
    return [
        one
        for one in folder.glob(".feedback-*Z.db.*.new*")
        if _NAME.fullmatch(one.name[1:].partition(".db.")[0] + ".db")
    ]
