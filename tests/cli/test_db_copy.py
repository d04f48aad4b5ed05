"""`db copy` as people meet it, and a business that moves with it."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from feedback_app.model import Customer
from feedback_app.store import outbox, ratings
from feedback_app.store.outbox import Lease
from feedback_app.store.sqlite.lock import LedgerLock
from feedback_app.store.sqlite.store import SqliteStore
from tests.cli.conftest import Cli
from tests.copies import SQLITE, ask, contents, fill
from tests.making import NOW, incoming
from tests.postgres import Server
from tests.running import DEADLINE, business, daemon, sent

ADA = Customer(id="c1", name="Ada", preferred_channels=("chat",))


def test_programs_get_the_sums(cli: Cli, folder: Path) -> None:
    """Rows and checksum of each table; talk goes to standard error."""
    fill(folder / "old.db")
    result = cli.ok("db", "copy", "--from", "sqlite:///old.db", "--to", "sqlite:///new.db", "--json")
    assert result.json["tables"]["feedback"]["rows"] == 12
    assert re.fullmatch("[0-9a-f]{32}", result.json["tables"]["message"]["checksum"])
    assert result.json["seconds"] >= 0
    assert re.fullmatch(r"\d+ rows to copy", result.said[0])


def test_people_are_told_what_comes_next(cli: Cli, folder: Path) -> None:
    """The very line that the configuration needs."""
    fill(folder / "old.db")
    result = cli.ok("db", "copy", "--from", "sqlite:///old.db", "--to", "sqlite:///new.db")
    assert re.search(
        r"^copied and compared: \d+ rows in [\d.]+ s; both ledgers hold the same$", result.out, re.MULTILINE
    )
    assert f'next: set [store] url = "{SQLITE}{folder}/new.db"' in result.err


def test_a_terminal_gets_a_bar(folder: Path) -> None:
    """And the same words afterwards."""
    fill(folder / "old.db")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "feedback_app", "db", "copy"]
    ends = ["--from", "sqlite:///old.db", "--to", "sqlite:///new.db"]
    ran = subprocess.run([*command, *ends], stderr=theirs, stdout=subprocess.PIPE, timeout=60, check=True)
    os.close(theirs)
    said = os.read(ours, 65536).decode()
    assert "copying" in said
    assert "next: set [store] url" in said
    assert b"both ledgers hold the same" in ran.stdout


def test_a_password_is_never_shown(cli: Cli) -> None:
    """Neither of a server that is not there nor of a URL that is none."""
    for url in ("postgresql+psycopg://u:hunter2@127.0.0.1:1/d", "postgresql://u:hunter2@h/d"):
        result = cli("db", "copy", "--from", url, "--to", "sqlite:///new.db")
        assert result.code in (2, 69)
        assert "hunter2" not in result.out + result.err


def test_a_running_daemon_is_named(cli: Cli, folder: Path) -> None:
    """Exit code 75, and nothing is made."""
    fill(folder / "old.db")
    lock = LedgerLock(folder / "old.db")
    assert lock.try_acquire("daemon")
    result = cli("db", "copy", "--from", "sqlite:///old.db", "--to", "sqlite:///new.db")
    lock.release()
    assert result.code == 75
    assert f"a daemon with pid {os.getpid()} already runs on this ledger" in result.err
    assert not (folder / "new.db").exists()


@pytest.fixture
def server_url(postgres_server: Server) -> str:
    """Give a database without a ledger."""
    return postgres_server.new_database()


@pytest.mark.parametrize("resending", [True, False])
def test_the_daemon_goes_on_with_the_copy(
    cli: Cli, folder: Path, server_url: str, *, resending: bool
) -> None:
    """What waits is done, what is known is a duplicate, what was sent is not sent again, a crash is recovered from."""
    config = business(folder)
    if not resending:
        plugin = folder / "plugins" / "chat.py"
        plugin.write_text(plugin.read_text().replace('"resend"', '"hold"'))
    asyncio.run(_a_day(folder, config))
    (first,) = sent(folder)
    cli.ok("db", "copy", "--from", "sqlite:///feedback.db", "--to", server_url)
    assert contents(server_url)["feedback"] == contents(f"{SQLITE}{folder}/feedback.db")["feedback"]

    business(folder, config=f'[store]\nurl = "{server_url}"\n')
    assert "duplicate 1" in cli.ok("feedback", "add", "--id", "known", "--customer", "c1", "--rating", "5",
                                   "--item", "umbrella", "--source", "test").out  # fmt: skip
    asyncio.run(asyncio.wait_for(daemon(config).run(drain=True), DEADLINE))

    ids = sent(folder)
    assert ids.count(first) == 1
    # The one in flight is not marked as one that must not double, so either kind of channel sends it.
    assert len(ids) == len(set(ids)) == 3
    assert ask(server_url, "SELECT DISTINCT state FROM message") == [("sent",)]
    assert len({one.rpartition(".")[2] for one in ids}) == 1  # the ledger's id goes with it


async def _a_day(folder: Path, config: Path) -> None:
    """One rating is thanked for, a message of another is in flight of who died, one rating waits."""
    path = folder / "feedback.db"
    async with SqliteStore(path) as store:
        known = incoming("known", contact=ADA)
        await store.write(partial(ratings.take_in, arrivals=[known], now=NOW))
    await asyncio.wait_for(daemon(config).run(drain=True), DEADLINE)
    other = incoming("flies")
    async with SqliteStore(path) as store:
        await store.write(partial(ratings.take_in, arrivals=[other], now=NOW))
        await store.write(lambda connection: connection.exec_driver_sql(
            "UPDATE feedback SET state = 'processed', ended = 'thanked' WHERE id = 2"))  # fmt: skip
        await store.write(lambda connection: connection.exec_driver_sql(
            "INSERT INTO message (message_id, dedupe_key, purpose, feedback_id, customer_id, channel, recipient,"
            " subject, text, html, state, created_at, next_attempt_at)"
            " SELECT replace(message_id, '.1.', '.2.'), 'thanks:2', purpose, 2, customer_id, channel, recipient,"
            " subject, text, html, 'queued', 1, 1 FROM message"))  # fmt: skip
        lease = Lease("somebody who never signed on", NOW)
        await store.write(partial(outbox.claim, channel="chat", lease=lease, now=NOW, limit=1))
        await store.write(partial(ratings.take_in, arrivals=[incoming("waits")], now=NOW))
