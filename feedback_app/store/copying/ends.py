"""The two ends of a copy, as far as databases differ."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from feedback_app.settings import rules
from feedback_app.store.copying.progress import KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future
    from contextlib import AbstractContextManager
    from pathlib import Path

    from sqlalchemy import Connection

    from feedback_app.store.copying.plan import CopiedTable, Key, Row

PIECE = 250  # rows read at once


class Reader(ABC):
    """Looks at one snapshot of a ledger. Raises what reading a `Store` would."""

    name: str  # how the ledger is shown

    @abstractmethod
    def rows(self, table: CopiedTable, after: Key | None = None) -> Iterator[Sequence[Row]]:
        """Yield the rows in the table's order, those behind `after`, in pieces of at most `PIECE`."""

    @abstractmethod
    def highest_number(self, table: CopiedTable) -> int:
        """Return the highest number that is known to have been given to a row of a numbered table, 0 for none."""

    @abstractmethod
    def number(self, query: str) -> int:
        """Return the number that a query gives."""

    @abstractmethod
    def noted(self, key: str) -> str | None:
        """Return what stands under a key of `meta`."""

    def count(self, table: CopiedTable) -> int:
        """Return how many rows are to be copied."""
        return self.number(table.count())

    def holds_rows(self, table: CopiedTable) -> bool:
        """Whether there is any."""
        return self.number(f"SELECT count(*) FROM (SELECT 1 FROM {table.name} LIMIT 1) AS one") > 0  # noqa: S608

    @property
    def unfinished(self) -> str | None:
        """How far a copy is whose target this is, None where there is none."""
        return self.noted(KEY)


class Target(ABC):
    """Where a copy is written. Units are run in order, each in a transaction of its own once the last one is done."""

    name: str

    @abstractmethod
    def submit(self, unit: Callable[[Connection], None]) -> Future[None]:
        """Run a unit of work in the writer's thread; raises what writing to a `Store` would."""

    @abstractmethod
    def look(self) -> AbstractContextManager[Reader]:
        """Return a reader of what is there now."""

    @abstractmethod
    def insert(self, connection: Connection, table: CopiedTable, rows: Sequence[Row]) -> None:
        """Store rows as they are. Raises BadData for what the database cannot hold."""

    @abstractmethod
    def go_on_behind(self, connection: Connection, table: CopiedTable, number: int) -> None:
        """Give the next row of a numbered table a higher number than this."""

    def settle(self, connection: Connection) -> None:
        """Do what is left once all is there and compared."""
        del connection


class End(ABC):
    """A ledger that may be either end."""

    @abstractmethod
    def source(self) -> AbstractContextManager[Reader]:
        """Keep everybody from writing and read what is there; nothing of it is changed.

        Raises Busy (75) while a daemon runs or somebody writes, NotFound where there is no ledger, and what opening
        it would.
        """

    @abstractmethod
    def target(self) -> AbstractContextManager[Target]:
        """Make it where it is not there yet. Raises Busy while a daemon runs on it, and what opening it would."""

    @property
    @abstractmethod
    def url(self) -> str:
        """What `[store] url` is to be, without a password."""

    @property
    @abstractmethod
    def place(self) -> str:
        """Where it is: two ends of one place are the same ledger."""


def end_at(url: str, directory: Path) -> End:
    """Return the ledger at a URL, a relative path seen from `directory`. Raises RuleError, BadConfig."""
    rules.store_url(url)
    if url.startswith(rules.SQLITE):
        from feedback_app.store.sqlite.copying import SqliteEnd

        return SqliteEnd(directory / url.removeprefix(rules.SQLITE))
    from feedback_app.store.postgresql.engines import url_of

    parsed = url_of(url)  # says what to install where the driver is missing
    from feedback_app.store.postgresql.copying import PostgresEnd

    return PostgresEnd(parsed)
