"""A PostgreSQL database as either end of a copy."""

from __future__ import annotations

import contextlib
import secrets
from typing import TYPE_CHECKING, Any

import psycopg

from feedback_app.errors import BadConfig, BadData, Busy
from feedback_app.store.copying.ends import PIECE, End, Reader, Target
from feedback_app.store.copying.plan import TABLES
from feedback_app.store.migrate import HEAD
from feedback_app.store.postgresql import schema
from feedback_app.store.postgresql.engines import writing_engine
from feedback_app.store.postgresql.failures import REFUSALS, explain
from feedback_app.store.postgresql.leases import LEASE, living
from feedback_app.store.postgresql.ledger import PostgresLedger
from feedback_app.store.postgresql.writer import PostgresWriter
from feedback_app.store.sql import POSTGRESQL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

    from sqlalchemy import URL, Connection

    from feedback_app.store.copying.plan import CopiedTable, Key, Row

_NAMES = ", ".join(table.name for table in TABLES)
# Who writes is waited for, not for ever; whoever wants to write from now on waits for us. While the target is read
# this end is idle, for longer perhaps than the server allows.
_HOLD = (
    "SET LOCAL lock_timeout = '5s'",
    "SET LOCAL idle_in_transaction_session_timeout = 0",
    f"LOCK TABLE {_NAMES} IN SHARE MODE",
)
_STRANGERS = "SELECT count(*) FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NOT NULL"
# Nobody runs on a ledger that was just copied, however young a heartbeat is: of a crash a moment ago, or of a clock
# that was ahead. Whoever starts on it first takes over at once what they had in hand.
_LONG_AGO = f"(extract(epoch FROM clock_timestamp()) * 1000)::bigint - {int(LEASE * 1000) + 1000}"
_ALL_DEAD = f"""UPDATE daemon SET heartbeat_at = {_LONG_AGO}
 WHERE stopped_at IS NULL AND fenced_at IS NULL AND heartbeat_at > {_LONG_AGO}"""  # noqa: S608 - constants


@contextlib.contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turn errors of the driver, met without SQLAlchemy too, into the program's own."""
    try:
        yield
    except (psycopg.Error, *REFUSALS) as error:
        known = explain(error, name)
        if known is None:
            raise
        raise known from error


class PostgresEnd(End):
    """Made where it is the target and the database has no ledger yet."""

    def __init__(self, url: URL) -> None:
        self._url = url
        self._name = url.render_as_string(hide_password=True)

    @property
    def url(self) -> str:
        """What `[store] url` is to be, without the password."""
        return self._name

    @property
    def place(self) -> str:
        """The URL; the same database under another one is found out by its ledger's id."""
        return self._name

    @contextlib.contextmanager
    def source(self) -> Iterator[Reader]:
        """Lock every table against writers, and see that no daemon runs that only pauses."""
        with _connected(self._url, self._name) as connection:
            with _explained(self._name):
                schema.check(self._name)(connection)
                self._refuse_other_schema(connection)
                connection.rollback()  # the snapshot is to be taken behind the lock
                for statement in _HOLD:
                    connection.exec_driver_sql(statement)
                self._refuse_daemon(connection)
            yield _PostgresReader(connection, self._name)

    @contextlib.contextmanager
    def target(self) -> Iterator[Target]:
        """See that no daemon runs on it."""
        with _connected(self._url, self._name) as connection, _explained(self._name):
            schema.refuse_old_server(connection, self._name)
            is_new = schema.found(connection) is None
            if is_new:
                self._refuse_strangers(connection)
            else:
                self._refuse_other_schema(connection)
                if _PostgresReader(connection, self._name).unfinished is None:  # nobody can run on such a one
                    self._refuse_daemon(connection)
        if is_new:
            PostgresLedger(self._url.render_as_string(hide_password=False)).upgrade()
        target = _PostgresTarget(self._url, self._name)
        try:
            yield target
        finally:
            target.close()

    def _refuse_other_schema(self, connection: Connection) -> None:
        if (found := schema.found(connection)) != HEAD:
            raise BadConfig(
                f"{self._name}: the ledger has schema {found}, only {HEAD} is copied; run `feedback-app db upgrade`"
            )

    def _refuse_daemon(self, connection: Connection) -> None:
        if pids := living(connection):
            raise Busy(f"{self._name}: a daemon with pid {pids[0]} runs on this ledger; stop it first")

    def _refuse_strangers(self, connection: Connection) -> None:
        names = [table.name for table in TABLES]
        if connection.exec_driver_sql(_STRANGERS, (names,)).scalar_one():
            raise BadData(
                f"{self._name}: holds tables of another program; they were left as they are; name an empty database"
            )


@contextlib.contextmanager
def _connected(url: URL, name: str) -> Iterator[Connection]:
    engine = writing_engine(url).execution_options(isolation_level="REPEATABLE READ")
    try:
        with _explained(name):
            connection = engine.connect()
        with connection:
            yield connection
    finally:
        engine.dispose()


class _PostgresReader(Reader):
    def __init__(self, connection: Connection, name: str) -> None:
        self.name = name
        self._connection = connection

    def rows(self, table: CopiedTable, after: Key | None = None) -> Iterator[Sequence[Row]]:
        driver: Any = self._connection.connection.driver_connection
        query = table.select(POSTGRESQL, behind_a_key=after is not None)
        with driver.cursor(f"copy_{table.name}", binary=True) as cursor:
            with _explained(self.name):
                cursor.execute(query, tuple(after or ()))
                piece = cursor.fetchmany(PIECE)
            while piece:
                yield piece
                with _explained(self.name):
                    piece = cursor.fetchmany(PIECE)

    def highest_number(self, table: CopiedTable) -> int:
        name = self._one("SELECT pg_get_serial_sequence(%s, 'id')", table.name)
        if name is None:
            return 0
        ever = self.number(f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {name}")  # noqa: S608
        return max(ever, self.number(f"SELECT coalesce(max(id), 0) FROM {table.name}"))  # noqa: S608

    def number(self, query: str) -> int:
        return int(self._one(query))

    def noted(self, key: str) -> str | None:
        found = self._one("SELECT value FROM meta WHERE key = %s", key)
        return None if found is None else str(found)

    def _one(self, query: str, *parameters: object) -> Any:
        with _explained(self.name):
            return self._connection.exec_driver_sql(query, parameters).scalar_one_or_none()


class _PostgresTarget(Target):
    def __init__(self, url: URL, name: str) -> None:
        self.name = name
        self._url = url
        self._writer: PostgresWriter | None = (
            None  # made once the target is judged: it leaves traces of its own
        )

    def submit(self, unit: Callable[[Connection], None]) -> Future[None]:
        if self._writer is None:
            self._writer = PostgresWriter(self._url, self.name, writer_id=secrets.token_hex(8), patient=False)
            self._writer.start()
        return self._writer.submit(unit)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    @contextlib.contextmanager
    def look(self) -> Iterator[Reader]:
        with _connected(self._url, self.name) as connection:
            yield _PostgresReader(connection, self.name)

    def insert(self, connection: Connection, table: CopiedTable, rows: Sequence[Row]) -> None:
        driver: Any = connection.connection.driver_connection
        statement = f"COPY {table.name} ({', '.join(table.columns)}) FROM STDIN"
        try:
            with driver.cursor() as cursor, cursor.copy(statement) as pipe:
                for row in rows:
                    pipe.write_row(row)
        except psycopg.DataError as error:
            bad = next((row for row in rows if any("\0" in one for one in row if isinstance(one, str))), None)
            if bad is None:
                raise
            raise BadData(
                f"{self.name}: table {table.name}, row {bad[0]!r} holds a NUL character, which PostgreSQL cannot"
            ) from error

    def go_on_behind(self, connection: Connection, table: CopiedTable, number: int) -> None:
        # A sequence begins with 1; the third parameter says whether that number is taken.
        connection.exec_driver_sql(
            "SELECT setval(pg_get_serial_sequence(%s, 'id'), greatest(%s::bigint, 1), %s::bigint > 0)",
            (table.name, number, number),
        )

    def settle(self, connection: Connection) -> None:
        """See that what a crash left in flight is taken over, and tell the planner what there is."""
        connection.exec_driver_sql(_ALL_DEAD)
        connection.exec_driver_sql(f"ANALYZE {_NAMES}")
