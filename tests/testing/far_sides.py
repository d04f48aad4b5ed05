"""Far sides of the shipped plugins, as the kit wants to see them."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import pytest

from feedback_app.testing import FarSide
from tests import postgres
from tests.sources.rig import Rig
from tests.sources.rigs import RedisRig


class Lines(FarSide):
    """A file with a line for each message."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def received(self) -> Sequence[str]:
        """Return the lines."""
        return self.file.read_text("utf-8").splitlines() if self.file.exists() else []


class Terminal(FarSide):
    """The standard output, read as it is filled; `take_over` puts it in its place, for as long as the test runs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self._source, sink = os.pipe()
        fcntl.fcntl(sink, fcntl.F_SETPIPE_SZ, 4096)
        self._sink = open(sink, "w", encoding="utf-8")  # noqa: PTH123, SIM115
        self._read = b""
        self._reading = threading.Lock()  # who has it reads, or keeps others from it
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read_on, name="terminal")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        os.close(self._source)  # first: a thread that still writes holds the sink, and is let go by this
        with contextlib.suppress(BrokenPipeError):
            self._sink.close()

    def take_over(self) -> None:
        """Become the standard output. Pytest puts its own there before each phase of a test."""
        self._monkeypatch.setattr(sys, "stdout", self._sink)

    @property
    def faults(self) -> Mapping[Any, Callable[[], Any]]:
        """Who reads it may stop, or be gone."""
        return {"silence": self._full, "channel_down": self._gone}

    def received(self) -> Sequence[str]:
        """Return the lines."""
        with self._reading:
            self._drain()
            return [line for line in self._read.decode().splitlines() if line]

    def _read_on(self) -> None:
        while not self._over.wait(0.005):
            with self._reading:
                self._drain()

    def _drain(self) -> None:
        while select.select([self._source], [], [], 0)[0]:
            self._read += os.read(self._source, 65_536)

    @contextlib.contextmanager
    def _full(self) -> Iterator[None]:
        with self._reading:
            os.set_blocking(self._sink.fileno(), False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    os.write(self._sink.fileno(), b"\n")
            os.set_blocking(self._sink.fileno(), True)
            yield

    @contextlib.contextmanager
    def _gone(self) -> Iterator[None]:
        source, sink = os.pipe()
        os.close(source)
        with (
            contextlib.suppress(BrokenPipeError),
            open(sink, "w", encoding="utf-8") as broken,  # noqa: PTH123
            self._monkeypatch.context() as patch,
        ):
            patch.setattr(sys, "stdout", broken)
            yield


class Drop(FarSide):
    """A folder into which payloads come as files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self._count = 0

    @property
    def faults(self) -> Mapping[Any, Callable[[], Any]]:
        """It may be gone."""
        return {"channel_down": self._gone}

    def put(self, payloads: Sequence[bytes]) -> bool:
        """Write a file."""
        self._count += 1
        if payloads:
            half = self.path / f"{self._count:04}.jsonl.tmp"
            half.write_bytes(b"\n".join(payloads) + b"\n")
            half.rename(half.with_suffix(""))
        return True

    @contextlib.contextmanager
    def _gone(self) -> Iterator[None]:
        away = self.path.rename(self.path.with_name("away"))
        yield
        away.rename(self.path)


class PostgresRig(Rig):
    """A table of a PostgreSQL database."""

    plugin = "database_table"
    poison = b'{"rating": "very good"}'
    says_id = False
    remembers = False

    def __init__(self, server: postgres.Server) -> None:
        super().__init__(server.folder)
        self._server = server
        self._url = server.new_database()
        self._name = self._url.partition("@/")[2].partition("?")[0]
        postgres.do(self._url, "CREATE TABLE ratings (number serial PRIMARY KEY, rating int, comment text)")

    def settings(self) -> dict[str, Any]:
        """Name the database."""
        return {"url": self._url, "table": "ratings", "key": "number", "poll_interval": 0.05}

    def put(self, payload: bytes, key: str) -> None:
        """Add a row."""
        facts = json.loads(payload)
        postgres.do(
            self._url,
            f"INSERT INTO ratings (rating, comment) VALUES ({facts['rating']:d}, '{facts['comment']}')",
        )

    def waiting(self, ledger: Path) -> int:
        """Nobody asks."""
        raise NotImplementedError

    def break_down(self) -> None:
        """Let nobody connect."""
        self._let_in(False)

    def mend(self) -> None:
        """Let everybody connect again."""
        self._let_in(True)

    def close(self) -> None:
        """Remove the database."""
        self._server.drop(self._url)

    def _let_in(self, may: bool) -> None:
        postgres.do(self._server.url("postgres"), f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS {may}")


class GuardedRedisRig(RedisRig):
    """A Valkey server with a user who has a password."""

    password = "canary-password"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._make_user()

    def settings(self) -> dict[str, Any]:
        """Name the user."""
        return {**super().settings(), "username": "shop", "password": self.password}

    def mend(self) -> None:
        """Start it again; users are not kept."""
        super().mend()
        self._make_user()

    def _make_user(self) -> None:
        with self.client() as client:
            client.acl_setuser(
                "shop", enabled=True, passwords=[f"+{self.password}"], keys="*", commands=["+@all"]
            )


class Filled(FarSide):
    """A rig of the tests of sources, into which payloads come with ids of their own."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.remembers = rig.remembers
        self._count = 0

    @property
    def faults(self) -> Mapping[Any, Callable[[], Any]]:
        """It may be gone."""
        return {"channel_down": self._gone}

    def put(self, payloads: Sequence[bytes]) -> bool:
        """Add them."""
        for payload in payloads:
            self._count += 1
            self.rig.put(payload, f"r{self._count}")
        return True

    @contextlib.contextmanager
    def _gone(self) -> Iterator[None]:
        self.rig.break_down()
        try:
            yield
        finally:
            self.rig.mend()
