"""What a restore does about what may have happened since the backup: nobody is thanked or asked again on purpose."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from feedback_app.store import ratings
from feedback_app.store.sqlite.backup import Backup
from feedback_app.store.sqlite.store import SqliteStore
from tests.copies import SQLITE, ask, damage
from tests.making import NOW, incoming
from tests.store.restoring import restore, sql


def message(number: int, state: str) -> str:
    """Return the statement that stores a message of a rating."""
    lease = "'boot'" if state == "sending" else "NULL"
    return (
        "INSERT INTO message (message_id, dedupe_key, purpose, feedback_id, channel, recipient, subject, text, html,"
        f" state, created_at, next_attempt_at, lease_owner) VALUES ('m{number}', 'thanks:{number}', 'thanks', {number},"
        f" 'email', 'a@example.com', '', '', '', '{state}', 1, 1, {lease})"
    )


async def _with_ratings(path: Path, count: int) -> None:
    async with SqliteStore(path) as store:
        arrivals = [incoming(f"r{number}") for number in range(1, count + 1)]
        await store.write(partial(ratings.take_in, arrivals=arrivals, now=NOW))


@pytest.mark.parametrize("resend", [False, True])
async def test_what_waits_in_the_backup_may_have_left_since(tmp_path: Path, *, resend: bool) -> None:
    """So it is held and marked, unless somebody wants it to be sent again; what ended stays as it was."""
    path = tmp_path / "feedback.db"
    await _with_ratings(path, 4)
    sql(path, *(message(*one) for one in enumerate(("queued", "sending", "sent", "dead"), 1)))
    Backup(path, tmp_path / "b.db").make()
    done = restore(path, tmp_path / "b.db", resend=resend)
    assert (done.since.held, done.since.left) == ((0, 2) if resend else (2, 0))
    found = ask(
        f"{SQLITE}{path}", "SELECT state, lease_owner, maybe_sent_at IS NOT NULL FROM message ORDER BY id"
    )
    waiting = [("queued", None, 0), ("sending", "boot", 0)] if resend else [("held", None, 1)] * 2
    assert found == [*waiting, ("sent", None, 0), ("dead", None, 0)]


@pytest.mark.parametrize("resend", [False, True])
async def test_a_message_that_ended_since_is_as_the_old_ledger_has_it(
    tmp_path: Path, *, resend: bool
) -> None:
    """With its tries; so that only those are held of which nobody knows, and a `retry` of all doubles none."""
    path = tmp_path / "feedback.db"
    await _with_ratings(path, 6)
    tried = "INSERT INTO delivery_attempt (message_number, started_at, ended_at, provider, outcome) VALUES"
    before = ("queued", "sending", "held", "queued", "queued", "dead")
    sql(path, *(message(*one) for one in enumerate(before, 1)), f"{tried} (1, 10, 11, 'p', 'temporary')")
    Backup(path, tmp_path / "b.db").make()
    sql(
        path,
        "UPDATE message SET state = 'sent', settled_at = 21, provider_id = 'x' WHERE id IN (1, 2, 3)",
        "UPDATE message SET state = 'dead', settled_at = 22 WHERE id = 4",
        "UPDATE message SET state = 'sent', dedupe_key = 'of another' WHERE id = 5",
        f"{tried} (1, 20, 21, 'p', 'sent'), (5, 20, 21, 'p', 'sent')",
    )
    done = restore(path, tmp_path / "b.db", resend=resend)
    assert (done.since.ended, done.since.held, done.since.left) == ((0, 0, 4) if resend else (4, 1, 0))
    found = ask(f"{SQLITE}{path}", "SELECT state, settled_at, provider_id FROM message ORDER BY id")
    states = [(state, None, None) for state in before]
    ended = [("sent", 21, "x")] * 3 + [("dead", 22, None), ("held", None, None), ("dead", None, None)]
    assert found == (states if resend else ended)
    tries = [(1, 10, "temporary")] if resend else [(1, 10, "temporary"), (1, 20, "sent")]
    assert ask(f"{SQLITE}{path}", "SELECT message_number, started_at, outcome FROM delivery_attempt") == tries


async def test_a_ledger_of_an_earlier_schema_tells_what_it_knows(tmp_path: Path) -> None:
    """Before 0003 there were no receipts."""
    path = tmp_path / "feedback.db"
    await _with_ratings(path, 1)
    sql(path, message(1, "queued"))
    Backup(path, tmp_path / "b.db").make()
    sql(
        path,
        "UPDATE message SET state = 'sent', settled_at = 21",
        *(f"ALTER TABLE message DROP COLUMN {name}" for name in ("receipt", "receipt_at", "receipt_detail")),
        "ALTER TABLE delivery_attempt DROP COLUMN detail",
    )
    assert restore(path, tmp_path / "b.db").since.ended == 1
    assert ask(f"{SQLITE}{path}", "SELECT state, settled_at FROM message") == [("sent", 21)]


async def test_nobody_is_thanked_again_whom_the_old_ledger_has_thanked(tmp_path: Path) -> None:
    """A rating that the backup has as new was processed since; one that was not thanked for is thanked for."""
    path = tmp_path / "feedback.db"
    await _with_ratings(path, 3)
    Backup(path, tmp_path / "b.db").make()
    await _with_ratings(path, 5)
    sql(path, message(1, "sent"), message(2, "queued"))
    done = restore(path, tmp_path / "b.db")
    assert (done.since.unprocessed, done.since.thanked, done.since.lost, done.since.same) == (3, 1, 2, True)
    assert ask(f"{SQLITE}{path}", "SELECT id, thank FROM feedback ORDER BY id") == [(1, 0), (2, 1), (3, 1)]


async def test_another_ledger_says_nothing_of_whom_it_has_thanked(tmp_path: Path) -> None:
    """Its numbers are those of others."""
    path, other = tmp_path / "feedback.db", tmp_path / "other.db"
    await _with_ratings(path, 1)
    await _with_ratings(other, 1)
    sql(path, message(1, "sent"))
    Backup(other, tmp_path / "b.db").make()
    done = restore(path, tmp_path / "b.db")
    assert (done.since.same, done.since.thanked) == (False, 0)


async def test_nobody_is_thanked_again_whose_message_retention_has_deleted(tmp_path: Path) -> None:
    """With the rating or without; one that never was processed, or whose message still waits, is thanked for."""
    path = tmp_path / "feedback.db"
    await _with_ratings(path, 5)
    Backup(path, tmp_path / "b.db").make()
    sql(
        path,
        "DELETE FROM feedback WHERE id = 1",
        "UPDATE feedback SET state = 'processed', ended = 'thanked' WHERE id IN (2, 4)",
        message(4, "queued"),
        f"INSERT INTO meta (key, value) VALUES ('deleted_before', '{NOW + 1}')",
    )
    assert restore(path, tmp_path / "b.db").since.thanked == 2
    thanks = [(1, 0), (2, 0), (3, 1), (4, 1), (5, 1)]
    assert ask(f"{SQLITE}{path}", "SELECT id, thank FROM feedback ORDER BY id") == thanks


async def test_who_said_no_since_stays_out(tmp_path: Path) -> None:
    """A customer that the backup lacks, too: a file may bring them once more."""
    path = tmp_path / "feedback.db"
    await _with_ratings(path, 1)
    add = "INSERT INTO customer (id, opted_out_at, created_at, updated_at) VALUES"
    sql(path, f"{add} ('a', NULL, 1, 1), ('b', NULL, 1, 1)")
    Backup(path, tmp_path / "b.db").make()
    sql(
        path,
        "UPDATE customer SET opted_out_at = 7 WHERE id = 'a'",
        f"{add} ('c', 8, 1, 1), ('d', NULL, 1, 1)",
        "INSERT INTO suppressed_address (channel, address, reason, since) VALUES ('email', 'a@b', 'bounced', 9)",
    )
    done = restore(path, tmp_path / "b.db")
    assert (done.since.opted_out, done.since.suppressed) == (2, 1)
    people = [("a", 7), ("b", None), ("c", 8)]
    assert ask(f"{SQLITE}{path}", "SELECT id, opted_out_at FROM customer ORDER BY id") == people
    assert ask(f"{SQLITE}{path}", "SELECT address FROM suppressed_address") == [("a@b",)]


@pytest.mark.parametrize(("is_there", "after"), [(True, 5), (False, 1_000_003)])
async def test_no_number_is_given_twice(tmp_path: Path, *, is_there: bool, after: int) -> None:
    """It makes the Message-ID, by which far sides know a message; which were given, only the old ledger knows."""
    path = tmp_path / "feedback.db"
    await _with_ratings(path, 3)
    Backup(path, tmp_path / "b.db").make()
    await _with_ratings(path, 5)
    if not is_there:
        path.unlink()
    restore(path, tmp_path / "b.db")
    async with SqliteStore(path) as store:
        await store.write(partial(ratings.take_in, arrivals=[incoming("new")], now=NOW))
    found = ask(f"{SQLITE}{path}", "SELECT id FROM feedback WHERE external_id = 'new'")
    assert found == [(after + 1,)]


async def test_a_number_that_an_earlier_restore_gave_anew_is_another_rating(tmp_path: Path) -> None:
    """Ratings are known by what their source calls them."""
    path = tmp_path / "feedback.db"
    await _with_ratings(path, 2)
    Backup(path, tmp_path / "b.db").make()
    sql(path, message(1, "sent"), "UPDATE feedback SET external_id = 'another' WHERE id = 1")
    assert restore(path, tmp_path / "b.db").since.thanked == 0


TAKEN = {"opted_out": 2, "suppressed": 1, "ended": 1, "thanked": 1}


@pytest.mark.parametrize(
    ("broken", "unread"),
    [
        ("message", {"ended", "thanked"}),
        ("sqlite_autoindex_feedback_1", {"thanked"}),
        ("customer", {"opted_out"}),
        ("suppressed_address", {"suppressed"}),
        ("delivery_attempt", {"ended"}),
        ("meta", set(TAKEN)),
        ("sqlite_sequence", set()),
    ],
)
async def test_what_a_damaged_ledger_still_knows_is_taken_over_and_the_rest_is_named(
    tmp_path: Path, broken: str, unread: set[str]
) -> None:
    """A page that cannot be read keeps nothing from being asked of the others."""
    path = tmp_path / "feedback.db"
    await _with_ratings(path, 2)
    add = "INSERT INTO customer (id, opted_out_at, created_at, updated_at) VALUES"
    sql(path, message(1, "queued"), f"{add} ('a', NULL, 1, 1)")
    Backup(path, tmp_path / "b.db").make()
    sql(
        path,
        "UPDATE message SET state = 'sent', settled_at = 21",
        "INSERT INTO delivery_attempt (message_number, started_at, ended_at, provider, outcome)"
        " VALUES (1, 20, 21, 'p', 'sent')",
        "UPDATE customer SET opted_out_at = 7 WHERE id = 'a'",
        f"{add} ('b', 8, 1, 1)",
        "INSERT INTO suppressed_address (channel, address, reason, since) VALUES ('email', 'a@b', 'bounced', 9)",
    )
    damage(path, broken)
    since = restore(path, tmp_path / "b.db").since
    assert {name: getattr(since, name) for name in TAKEN} == {
        name: 0 if name in unread else count for name, count in TAKEN.items()
    }
    assert set(since.unread) == unread
    assert (since.lost is None, since.same) == ("feedback" in broken, None if broken == "meta" else True)
    found = (
        ask(f"{SQLITE}{path}", "SELECT id FROM customer WHERE opted_out_at IS NOT NULL"),
        ask(f"{SQLITE}{path}", "SELECT address FROM suppressed_address"),
        ask(f"{SQLITE}{path}", "SELECT state FROM message"),
    )
    assert found == (
        [] if "opted_out" in unread else [("a",), ("b",)],
        [] if "suppressed" in unread else [("a@b",)],
        [("held",)] if "ended" in unread else [("sent",)],
    )
    ((number,),) = ask(f"{SQLITE}{path}", "SELECT seq FROM sqlite_sequence WHERE name = 'message'")
    assert number == (1_000_001 if broken in {"meta", "sqlite_sequence"} else 1)
