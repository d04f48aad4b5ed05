"""Servers that break connections and come back, and places where there is no ledger."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection

from feedback_app.errors import BadConfig, FeedbackAppError, Unavailable, Unreachable
from feedback_app.store import migrate, notes, ratings
from feedback_app.store.postgresql import writer as writing
from feedback_app.store.postgresql.ledger import PostgresLedger
from feedback_app.store.ratings import Taken
from tests.making import NOW, incoming
from tests.postgres import Server, ask, do, store_on
from tests.running import DEADLINE, until

_KILL_OTHERS = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid()"""


def _put(connection: Connection, key: str) -> str:
    notes.put(connection, key, "x")
    return key


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_PAUSE", 0.02)
    monkeypatch.setattr("feedback_app.store.postgresql.store._PAUSE", 0.02)


async def test_a_daemon_whose_connections_are_cut_goes_on_by_itself(postgres_url: str) -> None:
    """Reading and writing alike; nobody notices but the log."""
    async with store_on(postgres_url, "daemon") as store:
        await store.write(partial(_put, key="before"))
        do(postgres_url, _KILL_OTHERS)
        assert await store.write(partial(_put, key="after")) == "after"
        do(postgres_url, _KILL_OTHERS)
        assert await store.read(partial(notes.read, key="after")) == "x"


async def test_a_command_whose_connection_is_cut_says_so(postgres_url: str) -> None:
    """In one line, with the exit code of a service that is not there; nothing was stored."""
    async with store_on(postgres_url) as store:
        do(postgres_url, _KILL_OTHERS)
        with pytest.raises(Unreachable, match="the connection was lost") as refused:
            await store.write(partial(_put, key="a"))
        assert refused.value.exit_code == 69
        assert await store.write(partial(_put, key="b")) == "b"  # a new connection


async def test_a_daemon_waits_for_a_server_that_restarts(tmp_path: Path) -> None:
    """What it was told to write is written when the server is back; a give-up ends the waiting."""
    server = Server()
    try:
        url = server.new_ledger()
        async with store_on(url, "daemon") as store:
            server.crash()
            writing_it = asyncio.create_task(store.write(partial(_put, key="a")))
            reading_it = asyncio.create_task(store.read(partial(notes.read, key="a")))
            await asyncio.to_thread(server.start)
            assert await asyncio.wait_for(writing_it, DEADLINE) == "a"
            assert await asyncio.wait_for(reading_it, DEADLINE) in (None, "x")
            server.crash()
            hopeless = asyncio.create_task(store.write(partial(_put, key="b")))
            blind = asyncio.create_task(store.read(partial(notes.read, key="a")))
            store.give_up()
            for task in (hopeless, blind):
                with pytest.raises(Unavailable):
                    await asyncio.wait_for(task, DEADLINE)
    finally:
        server.stop()


async def test_two_processes_that_store_the_same_rating_at_once(postgres_url: str) -> None:
    """One is told accepted, the others duplicate; what stood beside it in their batches is stored as well."""
    async with contextlib.AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(store_on(postgres_url)) for _ in range(4)]
        batches = [[incoming("same"), incoming(f"own-{at}")] for at in range(4)]
        taken = await asyncio.gather(
            *(
                one.write(partial(ratings.take_in, arrivals=batch, now=NOW))
                for one, batch in zip(stores, batches, strict=True)
            )
        )
    assert sorted(first for first, _ in taken) == [Taken.ACCEPTED] + [Taken.DUPLICATE] * 3
    assert {second for _, second in taken} == {Taken.ACCEPTED}


async def test_commands_wake_a_daemon_by_a_notification(postgres_url: str) -> None:
    """At once, not at the next poll; and again after the listening connection was cut."""
    heard = asyncio.Event()
    async with store_on(postgres_url, "daemon") as daemon, store_on(postgres_url) as command:
        daemon.watch(heard.set)
        await asyncio.wait_for(heard.wait(), DEADLINE)  # it looks once when it begins to listen
        heard.clear()
        await command.write(partial(_put, key="a"))
        await asyncio.wait_for(heard.wait(), DEADLINE)


def _refusal(url: str) -> FeedbackAppError:
    async def enter() -> None:
        async with store_on(url):
            pass

    with pytest.raises(FeedbackAppError) as refused:
        asyncio.run(enter())
    assert "\n" not in str(refused.value)
    return refused.value


def test_places_where_no_ledger_can_be_opened_are_told_apart(postgres_server: Server) -> None:
    """One line each: what, where, what to do."""
    empty = postgres_server.new_database()
    old, newer = postgres_server.new_ledger(), postgres_server.new_ledger()
    do(old, "UPDATE alembic_version SET version_num = '0001'")
    do(newer, "UPDATE alembic_version SET version_num = '9999'")
    said = {url: _refusal(url) for url in (empty, old, newer)}
    assert all(isinstance(one, BadConfig) for one in said.values())
    assert "there is no ledger yet; run `feedback-app db upgrade`" in str(said[empty])
    assert f"has schema 0001, this program wants {migrate.HEAD}; run" in str(said[old])
    assert f"has schema 9999, this program knows up to {migrate.HEAD}; upgrade" in str(said[newer])
    nowhere = _refusal(postgres_server.url("nowhere"))
    assert isinstance(nowhere, BadConfig)
    assert 'database "nowhere" does not exist' in str(nowhere)
    nobody = _refusal(postgres_server.url("postgres", user="nobody-there"))
    assert 'role "nobody-there" does not exist; see [store] url' in str(nobody)
    away = _refusal("postgresql+psycopg://postgres:s3cret@127.0.0.1:9/feedback")
    assert isinstance(away, Unreachable)
    assert "the server cannot be reached" in str(away)
    assert "s3cret" not in str(away)


def test_an_upgrade_makes_the_ledger_once_whoever_asks(postgres_server: Server) -> None:
    """Four at once: one makes it, the others find it made."""
    url = postgres_server.new_database()
    found: list[tuple[str | None, str]] = []
    threads = [threading.Thread(target=lambda: found.append(PostgresLedger(url).upgrade())) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    head = migrate.HEAD
    assert sorted(found, key=str) == sorted([(None, head), *[(head, head)] * 3], key=str)


async def test_a_daemon_runs_on_through_an_upgrade_that_serves_it(postgres_url: str) -> None:
    """The next version's migration adds what it needs, and this program neither sees nor breaks it."""
    async with store_on(postgres_url, "daemon") as store:
        do(postgres_url, "ALTER TABLE feedback ADD COLUMN mood TEXT; ALTER TABLE message ADD COLUMN tone INT")
        following = f"{int(migrate.HEAD) + 1:04}"
        do(postgres_url, f"UPDATE alembic_version SET version_num = '{following}'")
        do(postgres_url, f"UPDATE meta SET value = '{following}:{migrate.HEAD}' WHERE key = 'readable_from'")
        taken = await store.write(partial(ratings.take_one, arrival=incoming("r1"), now=NOW))
        assert taken[0] is Taken.ACCEPTED
    async with store_on(postgres_url) as later:
        assert await later.read(partial(ratings.number_of, source="test", external_id="r1")) == taken[1]


async def test_cancelled_readers_leave_no_connection_behind(postgres_url: str) -> None:
    """Three connections serve on, however many callers gave up in the middle."""
    async with store_on(postgres_url) as store:
        for _ in range(100):
            reading = asyncio.create_task(store.read(partial(notes.read, key="a")))
            await asyncio.sleep(0)
            reading.cancel()
        assert await asyncio.wait_for(store.read(partial(notes.read, key="a")), DEADLINE) is None
    open_ones = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    await until(
        lambda: ask(postgres_url, open_ones) == [(1,)]
    )  # the one that asks; the server ends them a little later


async def test_a_writer_that_is_frozen_in_mid_transaction_loses_its_locks(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server ends the transaction, others go on, and the unit runs again when its process does."""
    assert "'10s'" in writing._NEVER_IDLE
    monkeypatch.setattr(writing, "_NEVER_IDLE", writing._NEVER_IDLE.replace("10s", "50ms"))
    runs, go_on = [], threading.Event()

    def freezes_once(connection: Connection) -> str:
        runs.append(_put(connection, "a"))
        if len(runs) == 1:
            go_on.wait(DEADLINE)
        return _put(connection, "b")

    async with store_on(postgres_url, "daemon") as frozen, store_on(postgres_url) as other:
        writing_it = asyncio.create_task(frozen.write(freezes_once))
        await until(lambda: runs)
        async with asyncio.timeout(DEADLINE):
            assert await other.write(partial(_put, key="a")) == "a"  # locked until the server ended the other
        go_on.set()
        assert await asyncio.wait_for(writing_it, DEADLINE) == "b"
    assert runs == ["a", "a"]
