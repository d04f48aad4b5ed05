"""The ledger on a PostgreSQL server."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from feedback_app.errors import BadConfig, FeedbackAppError, NotFound
from feedback_app.store import migrate
from feedback_app.store.ledger import Ledger
from feedback_app.store.postgresql import looking, schema
from feedback_app.store.postgresql.engines import url_of, writing_engine
from feedback_app.store.postgresql.failures import explained
from feedback_app.store.postgresql.leases import living
from feedback_app.store.postgresql.store import PostgresStore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy import Connection

    from feedback_app.store.checks import Checked
    from feedback_app.store.sizes import Room, Size
    from feedback_app.store.store import Role

T = TypeVar("T")

_LOOK = 10  # seconds that a query of who only looks may take

# Two upgrades at once: the second one waits and finds nothing to do. Held to the transaction's end, as poolers want.
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('feedback_app migration'))"


class PostgresLedger(Ledger):
    """Made and upgraded by `db upgrade` alone: many hosts may be at work on it."""

    def __init__(self, url: str, *, password_file: Path | None = None) -> None:
        self._url = url_of(url)
        if password_file is not None:
            self._url = self._url.set(password=_password_in(password_file))
        self.name = self._url.render_as_string(hide_password=True)

    def open(self, role: Role = "command") -> PostgresStore:
        """Return the ledger to be entered."""
        return PostgresStore(self._url, role)

    def revision(self) -> str | None:
        """Return its schema's revision, None where there is no ledger yet."""
        return self._do(self._found)

    def _found(self, connection: Connection) -> str | None:
        found = schema.found(connection)
        if found is not None:
            schema.refuse_unfinished_copy(connection, self.name)
        return found

    def upgrade(self) -> tuple[str | None, str]:
        """Make it, or bring it to this program's schema, in one transaction; daemons may go on meanwhile."""

        def work(connection: Connection) -> tuple[str | None, str]:
            schema.refuse_old_server(connection, self.name)
            connection.exec_driver_sql(_LOCK)
            before = self._found(connection)
            if before is not None and before >= migrate.HEAD:
                return before, before
            migrate.apply(connection)
            return before, migrate.HEAD

        return self._do(work)

    def problems(self) -> list[str]:
        """Say why it cannot be opened; one that is yet to be made is a problem too."""
        try:
            self._do(schema.check(self.name))
        except BadConfig as error:
            return list(error.problems)
        except FeedbackAppError as error:
            return [str(error)]
        return []

    def check(self) -> Checked:
        """Look through all that a server shows of it, on one snapshot."""
        self._refuse_none()
        return self._do(looking.check)

    def size(self) -> Size:
        """Measure it, on one snapshot."""
        self._refuse_none()
        return self._do(looking.size_of)

    def _refuse_none(self) -> None:
        if self.revision() is None:
            raise NotFound(f"{self.name}: there is no ledger; `feedback-app db upgrade` makes it")

    def look(self, query: Callable[[Connection], T]) -> T:
        """Run a query that cannot write, for a limited time."""

        def work(connection: Connection) -> T:
            connection.exec_driver_sql(f"SET TRANSACTION READ ONLY; SET LOCAL statement_timeout = '{_LOOK}s'")
            return query(connection)

        return self._do(work)

    def running_daemon(self) -> int | None:
        """Ask for heartbeats that are young enough."""
        pids = self.look(living)
        return pids[0] if pids else None

    def damage(self, *, full: bool) -> None:
        """Look at nothing: its pages are the server's, and pg_amcheck looks at them."""
        del full

    def room(self) -> Room:
        """Return what the database takes; the server's operator knows its disks."""
        return self.look(looking.room_of)

    def files(self) -> list[Path]:
        """Return nothing: they are the server's."""
        return []

    def warnings(self) -> list[str]:
        """Say nothing: the server's operator knows its disks."""
        return []

    def _do(self, work: Callable[[Connection], T]) -> T:
        engine = writing_engine(self._url)
        try:
            with explained(self.name), engine.begin() as connection:
                return work(connection)
        finally:
            engine.dispose()


def _password_in(file: Path) -> str:
    try:
        if file.is_fifo():  # reading would wait for a writer, maybe for ever
            raise BadConfig(f"[store] password_file: {file} is a pipe, a file is wanted")
        password = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise BadConfig(f"[store] password_file: {file}: {reason}") from None
    if not password:
        raise BadConfig(f"[store] password_file: {file} is empty")
    return password
