"""Daemons that end in order, or by an exception, on a shared ledger: they leave nothing in their own hands."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, event

from feedback_app.errors import Unavailable
from feedback_app.model import Customer
from feedback_app.presence import Presence
from feedback_app.store import outbox, ratings
from feedback_app.store.outbox import Lease
from feedback_app.store.postgresql import leases
from feedback_app.store.store import Store
from tests.making import NOW, incoming, message
from tests.postgres import ask, do, store_on
from tests.running import DEADLINE, RECORDER, business, daemon, running, until

_RATINGS = "SELECT id, suspicion, lease_owner FROM feedback ORDER BY id"
_MESSAGES = "SELECT id, state, maybe_sent_at IS NOT NULL, lease_owner FROM message ORDER BY id"


@pytest.fixture
async def store(postgres_url: str) -> AsyncIterator[Store]:
    """Open a ledger with two ratings, a mail and two SMS."""
    async with store_on(postgres_url) as opened:
        arrivals = [incoming(f"r{number}") for number in (1, 2)]
        await opened.write(partial(ratings.take_in, arrivals=arrivals, now=NOW))
        entries = [message(1), message(2, channel="sms"), message(3, channel="sms")]
        await opened.write(partial(outbox.enqueue, entries=entries, now=NOW))
        yield opened


async def _claim_all(store: Store, owner: str) -> None:
    """Take all in hand; one SMS may have left already."""
    await store.write(partial(leases.claim_fresh, owner=owner, limit=9))
    for channel in ("email", "sms"):
        lease = Lease(owner, NOW + 30_000, marks=channel == "sms")
        await store.write(partial(outbox.claim, channel=channel, lease=lease, now=NOW, limit=9))
    await store.write(partial(outbox.mark_may_leave, number=2, owner=owner, now=NOW))


@pytest.mark.parametrize(
    ("end", "suspicion"),
    [
        (None, 0),
        (asyncio.CancelledError(), 0),
        (Unavailable("no server"), 0),
        (ExceptionGroup("", [Unavailable("no server")]), 0),
        (ExceptionGroup("", [ValueError("a bug")]), 1),
    ],
    ids=repr,
)
async def test_whoever_signs_off_gives_back_all_it_has_in_hand(
    store: Store, postgres_url: str, end: BaseException | None, suspicion: int
) -> None:
    """Due at once, or held where a double must not be; of a bug that ended it a rating may be the reason."""
    with contextlib.suppress(BaseException):
        async with Presence(store, boot_id="a", clock=lambda: NOW) as one:
            await one.sign_on()
            await _claim_all(store, "a")
            if end is not None:
                raise end
    assert ask(postgres_url, "SELECT stopped_at IS NOT NULL FROM daemon") == [(True,)]
    assert ask(postgres_url, _RATINGS) == [(1, suspicion, None), (2, suspicion, None)]
    assert ask(postgres_url, _MESSAGES) == [
        (1, "queued", True, None),
        (2, "held", True, None),
        (3, "queued", False, None),
    ]


@pytest.mark.parametrize(
    "gone",
    [
        "UPDATE daemon SET stopped_at = 1 WHERE boot_id = 'a'",  # claimed in that moment, or an older version
        "UPDATE daemon SET fenced_at = 1 WHERE boot_id = 'a'",  # locked until long after
        "DELETE FROM daemon WHERE boot_id = 'a'",  # [retention] forgot it
    ],
)
async def test_what_is_in_the_hands_of_nobody_who_lives_is_free(
    store: Store, postgres_url: str, gone: str
) -> None:
    """However long ago its daemon ended, and however."""
    for one in "ab":
        await store.write(partial(leases.register, boot_id=one, host="h", pid=1, process={}))
    await _claim_all(store, "a")
    look = partial(leases.take_over, boot_id="b", is_gone=lambda _process: False, now=NOW)
    assert await store.write(look) == leases.Free([], 0, 0, 0)
    do(postgres_url, gone)
    assert await store.write(look) == leases.Free([], 2, 2, 1)
    assert ask(postgres_url, "SELECT count(*) FROM feedback WHERE lease_owner IS NOT NULL") == [(0,)]
    assert await store.write(look) == leases.Free([], 0, 0, 0)


@pytest.mark.parametrize(
    ("ended", "found"),
    [("stopped_at = %s - 20000", 1), ("stopped_at = %s - 40000", 0), ("fenced_at = %s - 540000", 1)],
    ids=["stopped just now", "stopped", "fenced"],
)
async def test_a_backlog_is_looked_through_only_after_an_end(
    store: Store, postgres_url: str, ended: str, found: int
) -> None:
    """Every few seconds it would cost too much; what is left over from long ago waits as long as the backlog."""
    await store.write(partial(leases.register, boot_id="b", host="h", pid=1, process={}))
    await store.write(partial(leases.claim_fresh, owner="long gone", limit=1))
    look = partial(leases.take_over, boot_id="b", is_gone=lambda _process: False, now=NOW)
    assert await store.write(look) == leases.Free([], 0, 0, 0)
    await store.write(partial(leases.register, boot_id="c", host="h", pid=1, process={}))
    do(postgres_url, f"UPDATE daemon SET {ended % leases._NOW} WHERE boot_id = 'c'")
    assert await store.write(look) == leases.Free([], found, 0, 0)


async def test_signing_off_waits_for_nobody(store: Store, postgres_url: str) -> None:
    """What somebody has locked is left to the next look."""
    await store.write(partial(leases.register, boot_id="a", host="h", pid=1, process={}))
    await _claim_all(store, "a")
    off = partial(leases.sign_off, boot_id="a", now=NOW, suspect=False)
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as holding:
        holding.execute("SELECT 1 FROM feedback WHERE id = 1 FOR UPDATE")
        holding.execute("SELECT 1 FROM message WHERE id = 1 FOR UPDATE")
        async with asyncio.timeout(DEADLINE):
            assert await store.write(off) == (1, 1)
    assert ask(postgres_url, _RATINGS) == [(1, 0, "a"), (2, 0, None)]


async def test_what_may_have_left_and_was_locked_is_left_to_the_next_look(
    store: Store, postgres_url: str
) -> None:
    """It must not become due because its lock goes between the look at what is held and that at what is due again."""
    for one in "ab":
        await store.write(partial(leases.register, boot_id=one, host="h", pid=1, process={}))
    await _claim_all(store, "a")
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as holding:
        holding.execute("SELECT 1 FROM message WHERE id = 2 FOR UPDATE")

        def let_go(_connection: object, _cursor: object, statement: str, *_: Any) -> None:
            if "SET state = 'held'" in statement:
                holding.rollback()

        def sign_off(connection: Connection) -> tuple[int, int]:
            event.listen(connection, "after_cursor_execute", let_go)
            return leases.sign_off(connection, boot_id="a", now=NOW, suspect=False)

        assert await store.write(sign_off) == (2, 0)
        look = partial(leases.take_over, boot_id="b", is_gone=lambda _process: False, now=NOW)
        assert await store.write(look) == leases.Free([], 0, 0, 1)
    assert ask(postgres_url, _MESSAGES)[1] == (2, "held", True, None)


_HANGS = RECORDER.replace("return Receipt(", "await asyncio.Event().wait()\n        return Receipt(")


async def test_a_send_that_outlasts_the_grace_is_due_again_when_its_daemon_has_ended(
    postgres_url: str, tmp_path: Path
) -> None:
    """It may have left, which the row says; nobody has to come and find the daemon dead."""
    settings = f'[store]\nurl = "{postgres_url}"\n[daemon]\ngrace = "0.1s"\n'
    contact = Customer(id="c1", preferred_channels=("chat",))
    async with running(daemon(business(tmp_path, plugin=_HANGS, config=settings))):
        async with store_on(postgres_url) as command:
            arrival = incoming("r1", customer="c1", contact=contact)
            await command.write(partial(ratings.take_in, arrivals=[arrival], now=NOW))
        await until((tmp_path / "sent.log").exists)
    assert ask(postgres_url, _MESSAGES) == [(1, "queued", True, None)]
