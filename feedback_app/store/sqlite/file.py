"""The ledger as one SQLite file: looked at, made whole or not at all, brought up to date."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

from feedback_app.errors import BadData, FeedbackAppError
from feedback_app.store import migrate
from feedback_app.store.copying.progress import KEY as UNFINISHED
from feedback_app.store.copying.progress import refuse_unfinished
from feedback_app.store.migrate import HEAD
from feedback_app.store.sqlite import drafts, place
from feedback_app.store.sqlite.engines import writing_engine
from feedback_app.store.sqlite.failures import damaged, explained

if TYPE_CHECKING:
    from pathlib import Path

APPLICATION_ID = 0x46424150  # "FBAP" in the file's header: tells our ledgers from other programs' databases
_CHECKED = 64 * 1024 * 1024  # bytes, about 0.1 s; a larger ledger takes too long to check at every start


def revision(path: Path) -> str | None:
    """Return the schema revision of the ledger at `path`, None for a file that is no ledger of ours.

    Raises BadData for what is not SQLite or has lost its schema, NotPermitted, StorageFailed.
    """
    # Read-only: what is refused stays as it is, byte for byte, its log too.
    with explained(path), contextlib.closing(looking_at(path)) as connection:
        if _application(connection, path) != APPLICATION_ID:
            return None
        if path.stat().st_size <= _CHECKED:
            _check_pages(connection, path)
        # Both are made in one transaction, so that one without the other is the work of somebody else.
        has_schema = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'")
        query = "SELECT max(version_num) FROM alembic_version" if has_schema.fetchone() else "SELECT NULL"
        found = connection.execute(query).fetchone()[0]
    if found is None:
        raise BadData(f"{path}: a ledger that has lost its schema; restore it from a backup")
    if not migrate.is_revision(str(found)):
        raise damaged(path, "its schema's number is none")
    return str(found)


def looking_at(path: Path) -> sqlite3.Connection:
    """Connect without the right to write, and without that of a last closer to fold the log back."""
    from urllib.parse import quote

    uri = f"file:{quote(str(path))}?mode=ro"
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)


def see_to_wal(looking: sqlite3.Connection, path: Path) -> None:
    """Put a ledger back into WAL mode that a restore was killed over, or a person has taken out of it."""
    with explained(path):
        if looking.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
            return
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()


def _application(connection: sqlite3.Connection, path: Path) -> int:
    try:
        return int(connection.execute("PRAGMA application_id").fetchone()[0])
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_NOTADB:
            raise
        raise BadData(
            f"{path}: not a SQLite database; it was left as it is; {place.ANOTHER_OR_BACKUP}"
        ) from None


def _check_pages(connection: sqlite3.Connection, path: Path) -> None:
    """Look through every page of a small ledger. Raises StorageFailed for one that is not as SQLite wrote it."""
    finding = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if finding != "ok":
        raise damaged(path, str(finding))


def check(path: Path) -> str:
    """Return the revision of an existing ledger that may be used; refuse what is none, with the reason.

    Raises BadConfig for a copy that is not finished, and as `recognise`.
    """
    found = recognise(path)
    refuse_unfinished(str(path), _noted(path, UNFINISHED))
    return found


def recognise(path: Path) -> str:
    """Return the revision of an existing ledger.

    Raises BadData (foreign or broken file), BadConfig (newer schema), CannotCreate, NotPermitted, StorageFailed.
    """
    place.check_file(path)
    found = revision(path)
    if found is None:
        raise BadData(
            f"{path}: a SQLite database of another program; it was left as it is; {place.ANOTHER_OR_BACKUP}"
        )
    migrate.refuse_newer(str(path), found, _noted(path, migrate.READABLE_FROM) if found > HEAD else None)
    return found


def _noted(path: Path, key: str) -> str | None:
    with explained(path), contextlib.closing(looking_at(path)) as connection:
        noted = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return None if noted is None else str(noted[0])


def problems(path: Path) -> list[str]:
    """Say why no ledger can be opened at `path`, or made where there is none; nothing is made."""
    try:
        if place.is_there(path):
            check(path)
        else:
            place.check_folder(path)
    except FeedbackAppError as error:
        return [str(error)]
    return []


def create(path: Path) -> None:
    """Make a new ledger at `path`, whole or not at all; does nothing when another process was faster.

    Raises CannotCreate (73), NotPermitted (77), StorageFull and StorageFailed (74).
    """
    place.check_folder(path)
    with drafts.drafted(path) as draft:
        with explained(path):
            _fill(draft)
        with drafts.making(path):
            with contextlib.suppress(FileExistsError):
                drafts.give_name(draft, path)
            drafts.sync_folder(path.parent)


def _fill(path: Path) -> None:
    engine = writing_engine(path)
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
            migrate.apply(connection)
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
    if found >= HEAD:
        return found, found
    _back_up(path, path.with_name(f"{path.name}.before-{HEAD}"))
    engine = writing_engine(path)
    try:
        with explained(path), engine.begin() as connection:
            migrate.apply(connection)
    finally:
        engine.dispose()
    return found, HEAD


def _back_up(path: Path, copy: Path) -> None:
    """Put a copy beside the ledger, which stands under its name only when it is whole; one of an earlier try goes."""
    drafts.remove_abandoned(copy)  # nobody else is upgrading: the ledger's lock is ours
    with drafts.drafted(copy) as draft:
        with (
            explained(path),
            contextlib.closing(sqlite3.connect(path)) as source,
            contextlib.closing(sqlite3.connect(draft)) as target,
        ):
            source.backup(target)
        with drafts.making(copy):
            drafts.sync(draft)
            draft.replace(copy)
            drafts.sync_folder(copy.parent)
