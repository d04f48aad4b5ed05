"""Commits whose answers are lost: each is looked up, and done once."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import tempfile
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from feedback_app.store import notes, ratings
from feedback_app.store.postgresql import writer as writing
from feedback_app.store.ratings import Taken
from tests.making import NOW, incoming
from tests.postgres import Server, ask, do, store_on
from tests.running import DEADLINE, until


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_PAUSE", 0.02)


class _Cutting:
    """Stands between program and server and cuts a connection right after its n-th COMMIT, before the answer.

    `forwarded` tells whether the server gets that COMMIT: once `may_go_on` is set.
    """

    def __init__(self, server: Path, *, forwarded: bool) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pgx-"))
        self._server = str(server / ".s.PGSQL.5432")
        self._forwarded = forwarded
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.armed = False
        self.cuts = 0
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(self.folder / ".s.PGSQL.5432"))
        self._listening.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._server)
                for talk in ((client, server, True), (server, client, False)):
                    threading.Thread(target=self._pump, args=talk, daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, asking: bool) -> None:
        with contextlib.suppress(OSError), source:
            while data := source.recv(65536):
                if asking and self.armed and b"COMMIT" in data:
                    self.armed = False
                    self.cuts += 1
                    source.shutdown(socket.SHUT_RDWR)  # the program hears no answer
                    if self._forwarded:
                        self.may_go_on.wait(DEADLINE)
                        target.sendall(data)
                        target.shutdown(socket.SHUT_WR)
                        continue
                    break
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listening.close()


@pytest.fixture(params=[True, False], ids=["committed", "not committed"])
def cutting(request: pytest.FixtureRequest, postgres_server: Server) -> Iterator[_Cutting]:
    """Give a proxy that loses the answer to a commit that happened, and one to a commit that did not."""
    proxy = _Cutting(postgres_server.folder, forwarded=request.param)
    yield proxy
    proxy.close()


async def test_a_commit_whose_answer_is_lost_is_done_once(
    cutting: _Cutting, postgres_url: str, postgres_server: Server
) -> None:
    """Whether or not it happened: the mark tells, so a rating is told as accepted and stored once."""
    url = postgres_url.replace(str(postgres_server.folder), str(cutting.folder))
    async with store_on(url, "daemon") as store:
        await store.write(partial(notes.put, key="before", value="x"))
        cutting.armed = True
        taken = await store.write(partial(ratings.take_one, arrival=incoming("r1"), now=NOW))
        assert taken == (Taken.ACCEPTED, 1 if cutting._forwarded else 2)  # a sequence does not go back
        assert cutting.cuts == 1
    assert ask(postgres_url, "SELECT external_id FROM feedback") == [("r1",)]
    assert ask(postgres_url, "SELECT key FROM meta WHERE key LIKE 'commit:%'") == []


@pytest.mark.parametrize("limit", ["", "20ms"], ids=["no limit", "the operator's limit"])
async def test_a_commit_that_is_still_under_way_is_waited_for(
    postgres_url: str, postgres_server: Server, limit: str
) -> None:
    """Its connection is gone and it happens later, as where a standby has to have it first: the unit runs once."""
    proxy = _Cutting(postgres_server.folder, forwarded=True)
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    add = "INSERT INTO dead_letter (source, key, payload, reason, received_at) VALUES ('s', '{}', '', '', 0)"
    keys = iter("abc")
    if limit:
        name = postgres_url.partition("@/")[2].partition("?")[0]
        do(postgres_url, f"ALTER ROLE postgres IN DATABASE {name} SET lock_timeout = '{limit}'")
    async with store_on(
        postgres_url.replace(str(postgres_server.folder), str(proxy.folder)), "daemon"
    ) as store:
        proxy.armed = True
        proxy.may_go_on.clear()
        unit = asyncio.create_task(
            store.write(lambda one: one.exec_driver_sql(add.format(next(keys))).rowcount)
        )
        await until(lambda: unit.done() or (store.away if limit else ask(postgres_url, waiting)))
        proxy.may_go_on.set()
        assert await asyncio.wait_for(unit, DEADLINE) == 1
        await store.write(partial(notes.put, key="after", value="x"))
        assert ask(postgres_url, "SELECT convert_from(key, 'UTF8') FROM dead_letter") == [("a",)]
    proxy.close()
