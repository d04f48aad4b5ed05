"""Brings a ledger into being and up to date, by Alembic's migrations, in one transaction."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from importlib.resources import files
from typing import TYPE_CHECKING

from feedback_app.errors import BadConfig, BadData, CannotCreate, NotPermitted
from feedback_app.store.engines import writing_engine
from feedback_app.store.failures import explained

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

HEAD = "0001"  # the newest revision that this program knows
APPLICATION_ID = 0x46424150  # "FBAP" in the file's header: tells our ledgers from other programs' databases


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(files("feedback_app.migrations")))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def revision(path: Path) -> str | None:
    """Return the schema revision of the ledger at `path`, None for a file that is no ledger of ours.

    Raises BadData for what is not SQLite, NotPermitted, StorageFailed.
    """
    with explained(path):
        connection = sqlite3.connect(f"file:{_quoted(path)}?mode=ro", uri=True)
        try:
            if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
                return None
            return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])
        finally:
            connection.close()


def _quoted(path: Path) -> str:
    from urllib.parse import quote

    return quote(str(path))


def check(path: Path) -> str:
    """Return the revision of an existing ledger; refuse what is no ledger, with the reason.

    Raises BadData (foreign or broken file), BadConfig (newer schema), NotPermitted, StorageFailed.
    """
    _refuse_what_is_no_file(path)
    found = revision(path)
    if found is None:
        raise BadData(
            f"{path}: a SQLite database of another program; it was left as it is. "
            "Name another file in [store] url"
        )
    if found > HEAD:
        raise BadConfig(
            f"{path}: the ledger has schema {found}, this program knows up to {HEAD}; upgrade feedback_app"
        )
    return found


def _refuse_what_is_no_file(path: Path) -> None:
    try:
        kind = path.stat()
    except PermissionError:
        raise NotPermitted(f"{path}: not readable by this user") from None
    if not stat.S_ISREG(kind.st_mode):
        what = "a folder" if stat.S_ISDIR(kind.st_mode) else "not a regular file"
        raise BadData(f"{path}: {what}; [store] url must name a file")
    if kind.st_size == 0:
        raise BadData(f"{path}: the file is empty, so it is no ledger; remove it to start with a new one")


def create(path: Path) -> None:
    """Make a new ledger at `path`, whole or not at all; does nothing when another process was faster.

    Raises CannotCreate (73), NotPermitted (77).
    """
    if not path.parent.is_dir():
        raise CannotCreate(f"{path}: the folder {path.parent} does not exist")
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        # The mode comes first: a ledger holds addresses and words of customers, so nobody else reads it.
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except PermissionError:
        raise NotPermitted(f"{path}: the folder {path.parent} is not writable by this user") from None
    except OSError as error:
        raise CannotCreate(f"{path}: {error.strerror}") from None
    try:
        with explained(path):
            _fill(draft)
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        _sync_folder(path.parent)
    finally:
        for leftover in (draft, *(draft.with_name(draft.name + end) for end in ("-wal", "-shm", "-journal"))):
            leftover.unlink(missing_ok=True)


def _fill(path: Path) -> None:
    engine = writing_engine(path)
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
            _upgrade(connection)
        # Last, because it cannot be done inside a transaction: the mode is kept in the file's header.
        with engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None
            driver.execute("PRAGMA journal_mode = WAL")
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        engine.dispose()


def upgrade(path: Path) -> tuple[str, str]:
    """Bring an existing ledger to the newest schema, after a copy was put beside it; returns (from, to)."""
    found = check(path)
    if found == HEAD:
        return found, HEAD
    _back_up(path, path.with_name(f"{path.name}.before-{HEAD}"))
    engine = writing_engine(path)
    try:
        with explained(path), engine.begin() as connection:
            _upgrade(connection)
    finally:
        engine.dispose()
    return found, HEAD


def _back_up(path: Path, copy: Path) -> None:
    os.close(os.open(copy, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, 0o600))
    with (
        explained(path),
        contextlib.closing(sqlite3.connect(path)) as source,
        contextlib.closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
