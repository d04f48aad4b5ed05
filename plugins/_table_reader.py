"""Reads a table in an ascending order and remembers how far it came.

Rows whose key or time becomes visible after a larger one (a transaction that commits late, equal times) are not missed:
the newest `revisit` rows are looked at again each time, and the position stays behind them. What was handed over is
known by its key, so that it is handed over again only after a new start, where the ledger tells it for a duplicate.

Where the position is of another table, or the table has rows and all are before it (it was emptied or restored), it is
read from its beginning: else what comes now would be passed over in silence.
"""

from __future__ import annotations

import datetime as dt
import decimal
import json
import logging
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, NoSuchTableError, SQLAlchemyError

from feedback_app import Received, SourceDown
from feedback_app.plugins._table_position import order_of, value_in, written

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from feedback_app.plugins.database_table import Settings

log = logging.getLogger(__name__)

_FIELDS = (
    "id", "customer", "item", "rating", "comment", "given_at",
    "name", "email", "phone", "preferred_channel", "locale", "timezone",
)  # fmt: skip # columns with these names are read without being mapped

_DIGITS = 100  # of a number that is read as one
_COUNTED = 100_000  # rows that are counted at most when it is asked how many wait


def checked_url(url: str, password: str | None = None) -> sa.URL:
    """Return the URL. Raises ValueError for one that is none, or whose driver is not there."""
    try:
        made = sa.make_url(url)
        dialect = made.get_dialect()
        dialect.import_dbapi()
    except ArgumentError:
        raise ValueError(
            "not a database URL; write sqlite:////path/to/file.db or postgresql+psycopg://…"
        ) from None
    except (NoSuchModuleError, ImportError) as error:
        raise ValueError(f"the driver of this URL is not installed: {error}") from None
    if dialect.is_async:
        raise ValueError(f"the driver {dialect.driver} is for asynchronous programs; name one that is not")
    return made.set(password=password) if password else made


def _reading(url: sa.URL) -> dict[str, Any]:
    """Return the options of an engine that writes nothing; SQLite would make a file that is not there."""
    if url.get_backend_name() != "sqlite":
        return {}
    place = f"file:{quote(url.database or '')}?mode=ro"

    def connect() -> sqlite3.Connection:
        made = sqlite3.connect(place, uri=True, check_same_thread=False)
        # SQLite keeps bytes that are no UTF-8 as text: one such row must not stop all that come after it.
        made.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
        return made

    return {"creator": connect}


class TableReader:
    """One table of one database; used by one thread at a time."""

    def __init__(self, url: sa.URL, settings: Settings) -> None:
        schema, _, name = settings.table.rpartition(".")
        self._name, self._schema = name, schema or None
        self._key, self._order = settings.key, settings.time or settings.key
        self._map = settings.map
        self._revisit = settings.revisit
        self._source = settings.name
        self._of = order_of(url, settings)
        self._engine = sa.create_engine(url, poolclass=sa.NullPool, **_reading(url))
        self._shown = url.render_as_string(hide_password=True)
        self._from: Any = None  # the value of the order's column from which on rows are looked at
        self._handed: list[
            tuple[Any, Any]
        ] = []  # (order, key) of those at or behind it that were handed over
        self._anew = False  # it begins again although it had come somewhere, which was not said yet
        self._columns: list[str] = []
        self._of_key = ""  # stands before a key that stands in for an id

    @property
    def position(self) -> str | None:
        """Where to go on after a new start."""
        return None if self._from is None else written(self._of, self._from)

    def open(self, position: str | None) -> None:
        """See that the table and its columns are there. Raises SourceDown."""
        self._from = None if position is None else value_in(position, self._of)
        self._anew = position is not None and self._from is None
        self._handed = []
        with self._connected() as connection:
            there = self._columns_of(connection)
        wanted = dict.fromkeys((self._key, self._order, *self._map.values()))
        if missing := [name for name in wanted if name not in there]:
            raise SourceDown(
                f"the table {self._name} has no column {missing[0]!r}; its columns are {', '.join(there)}"
            )
        self._columns = [name for name in there if name in wanted or name.lower() in _FIELDS]
        ids = [self._map["id"]] if "id" in self._map else [name for name in there if name.lower() == "id"]
        # A row whose id is NULL must not get one that another row may have.
        self._of_key = "" if set(ids) <= {self._key} else f"{self._key}="

    def read(self, limit: int) -> list[Received]:
        """Return at most `limit` rows that were not handed over. Raises SourceDown."""
        fresh = self._fresh(limit)
        if not fresh and self._went_back():
            self._from, self._anew = None, True
            fresh = self._fresh(limit)
        if fresh and self._anew:
            self._anew = False
            said = "the table is another one or went back, reading it from its beginning"
            log.warning(said, extra={"source": self._source})
        return [_received(row, f"{self._of_key}{row[self._key]}") for row in fresh]

    def lag(self) -> int:
        """Return how many rows wait, not counting on for ever in a large table. Raises SourceDown."""
        inner = self._select().order_by(None).limit(_COUNTED + len(self._handed)).subquery()
        (row,) = self._rows(sa.select(sa.func.count().label("waiting")).select_from(inner))
        return max(0, int(row["waiting"]) - len(self._handed))

    def close(self) -> None:
        """Disconnect."""
        self._engine.dispose()

    def _fresh(self, limit: int) -> list[dict[str, Any]]:
        known = {key for _, key in self._handed}
        rows = self._rows(self._select().limit(limit + len(known)))
        if len(rows) < limit + len(known):  # these are all: others that were handed over were deleted
            there = {row[self._key] for row in rows}
            self._handed = [pair for pair in self._handed if pair[1] in there]
            known &= there
        fresh = [row for row in rows if row[self._key] not in known][:limit]
        if fresh:
            self._advance(rows, known | {row[self._key] for row in fresh})
        return fresh

    def _went_back(self) -> bool:
        """Whether there are rows, and none where reading had come to or behind that."""
        if self._from is None or self._handed:
            return False
        last = self._rows(self._select(before=True).limit(1))
        # A column that keeps values less exactly than they come back may have the position's own row before it.
        return bool(last) and last[0][self._order] != self._from

    def _advance(self, rows: Sequence[Mapping[str, Any]], handed: Collection[Any]) -> None:
        """Go on, but stay behind the newest rows by `revisit`, and never past one of several with an equal time.

        Values are not compared here: only the database knows their order.
        """
        there = {row[self._key] for row in rows}
        in_order = [(row[self._order], row[self._key]) for row in rows if row[self._key] in handed]
        in_order += [pair for pair in self._handed if pair[1] not in there]  # they lie behind them
        at = max(0, len(in_order) - 1 - self._revisit)
        while at and in_order[at - 1][0] == in_order[at][0]:
            at -= 1
        self._from = in_order[at][0]
        self._handed = in_order[at:]

    def _select(self, *, before: bool = False) -> sa.Select[Any]:
        """Return the query of the rows from the position on; `before`: of those before it, the last one first."""
        # Names are identifiers, quoted by the dialect where they need it; the value is a parameter.
        table = sa.table(self._name, *map(sa.column, self._columns), schema=self._schema)
        order, key = table.c[self._order], table.c[self._key]
        query = sa.select(table).where(order.is_not(None), key.is_not(None))
        at = sa.literal(self._from)
        if before:
            return query.where(order < at).order_by(order.desc())
        if self._from is not None:
            query = query.where(order >= at)
        return query.order_by(*dict.fromkeys((order, key)))

    def _rows(self, query: sa.Select[Any]) -> list[dict[str, Any]]:
        with self._connected() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    @contextmanager
    def _connected(self) -> Iterator[sa.Connection]:
        """Lend a connection. Raises SourceDown, in the database's words only where it has read no row to quote."""
        try:
            connection = self._engine.connect()
        except SQLAlchemyError as error:
            words = str(getattr(error, "orig", None) or type(error).__name__).strip()
            raise SourceDown(f"{self._shown}: {words}") from error
        try:
            with connection:
                yield connection
        except SQLAlchemyError as error:
            raise SourceDown(f"{self._shown}: cannot read {self._name}: {_kind(error)}") from error

    def _columns_of(self, connection: sa.Connection) -> list[str]:
        inspector = sa.inspect(connection)
        try:
            return [column["name"] for column in inspector.get_columns(self._name, self._schema)]
        except NoSuchTableError:
            names = sorted(
                [*inspector.get_table_names(self._schema), *inspector.get_view_names(self._schema)]
            )
            there = ", ".join(names[:20]) or "none"
            raise SourceDown(f"{self._shown} has no table {self._name}; there are: {there}") from None


def _kind(error: SQLAlchemyError) -> str:
    """Return the kind of the driver's error, and the code where it has one, as psycopg, psycopg2 and SQLite do."""
    told = getattr(error, "orig", None) or error
    codes = (getattr(told, name, None) for name in ("sqlstate", "pgcode", "sqlite_errorname"))
    code = next((one for one in codes if one), None)
    if code is None and told.args and isinstance(told.args[0], int):
        code = told.args[0]  # MySQL's drivers
    return type(told).__name__ + (f" ({code})" if code else "")


def _received(row: dict[str, Any], far_id: str) -> Received:
    text = json.dumps(row, default=_plain, ensure_ascii=False)
    try:
        payload = text.encode(
            "utf-8", "surrogateescape"
        )  # what did not decode comes out as the bytes that it was
    except UnicodeEncodeError:  # half a character, of a JSON column
        payload = text.encode("utf-8", "backslashreplace")
    return Received(id=far_id, payload=payload)


def _plain(value: object) -> object:
    """Return a value that JSON has not, as the fields' rules read it."""
    match value:
        case dt.datetime() | dt.date():
            return value.isoformat()
        case decimal.Decimal():
            return _number(value)
        case bytes() | memoryview():
            return bytes(value).decode("utf-8", "surrogateescape")
        case _:
            return str(value)


def _number(value: decimal.Decimal) -> object:
    """Return a whole number without its zeros; one that no field can be, such as NaN or 1E+9999, as text."""
    if not value.is_finite() or value.adjusted() >= _DIGITS:
        return str(value)
    return int(value) if value == value.to_integral_value() else float(value)
