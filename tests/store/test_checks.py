"""What `db check` and `db size` say, on both databases."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from feedback_app.errors import BadData, NotFound
from feedback_app.store import checks
from feedback_app.store.ledger import Ledger
from feedback_app.store.migrate import HEAD
from feedback_app.store.postgresql.ledger import PostgresLedger
from feedback_app.store.sqlite import file, sizing
from feedback_app.store.sqlite.ledger import SqliteLedger
from tests.copies import SQLITE, ask
from tests.postgres import Server

_FEEDBACK = (
    "INSERT INTO feedback (id, source, external_id, content_hash, rating, comment, received_at, thank, state, ended)"
    " VALUES (1, 's', 'r1', '\\x00', 5, '', 1, true, 'processed', 'thanked')"
)
_MESSAGE = (
    "INSERT INTO message (id, message_id, dedupe_key, purpose, feedback_id, channel, recipient, subject, text, html,"
    " state, created_at, next_attempt_at, settled_at) VALUES (1, 'm1', 'thanks:1', 'thanks', 1, 'email', 'a', '', '',"
    " '', 'sent', 1, 1, 2)"
)
_LOW = "INSERT INTO low_rating (id, feedback_id, state, stored_at) VALUES (1, 1, 'open', 1)"
_TRY = (
    "INSERT INTO delivery_attempt (id, message_number, started_at, ended_at, provider, outcome)"
    " VALUES (1, 1, 1, 2, 'p', 'sent')"
)
_REPORT = (
    "INSERT INTO report_run (id, name, local_date, timezone, made_at, occasion, figures)"
    " VALUES ({}, 'daily', '2027-01-15', 'UTC', 1, 'scheduled', '{{}}')"
)
SOUND = (_FEEDBACK, _MESSAGE, _LOW, _TRY, _REPORT.format(1))

# What breaks a rule → the rule. Where the database itself forbids it, the constraint is dropped first.
BREAKS = {
    "UPDATE feedback SET state = 'lost', ended = NULL": "each rating is received, processed or dead",
    "UPDATE feedback SET ended = NULL": "each processed rating says where its road ended, no other does",
    "UPDATE feedback SET ended = 'nowhere'": "roads end where the program lets them end",
    "UPDATE low_rating SET feedback_id = 99": "each low rating has its rating",
    "UPDATE low_rating SET state = 'forgotten'": "each low rating is open, acknowledged or resolved",
    "UPDATE message SET state = 'flying', settled_at = NULL": "each message is in a state that there is",
    "UPDATE message SET purpose = 'spam'": "each message has a purpose that there is",
    "UPDATE message SET feedback_id = 99": "a message about a rating has that rating",
    _MESSAGE.replace("(1, 'm1', 'thanks:1'", "(2, 'm2', 'thanks:2'"): "a rating is thanked for at most once",
    "UPDATE message SET settled_at = NULL": "each message that ended says when, no other does",
    "UPDATE message SET lease_owner = 'boot'": "each message that is being sent says by whom, no other does",
    "UPDATE delivery_attempt SET message_number = 99": "each delivery attempt has its message",
    "DELETE FROM meta": "the ledger has its id",
}


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Ledger]]:
    """Give the URL of a ledger with a row of each kind, and the ledger."""
    if request.param == "sqlite":
        path = tmp_path / "feedback.db"
        file.create(path)
        url, ledger = f"{SQLITE}{path}", SqliteLedger(path)
        yield _filled(url), ledger
    else:
        server: Server = request.getfixturevalue("postgres_server")
        url = server.new_ledger()
        yield _filled(url), PostgresLedger(url)
        server.drop(url)


def _filled(url: str) -> str:
    for statement in SOUND:
        ask(url, statement)
    return url


def test_a_sound_ledger_passes(database: tuple[str, Ledger]) -> None:
    """Every rule was asked."""
    checked = database[1].check()
    assert checked.problems == []
    assert checked.schema == HEAD
    assert {one.check for one in checked.findings} >= {*checks.RULES, "the ledger has its id"}


@pytest.mark.parametrize("statement", BREAKS, ids=list(BREAKS.values()))
def test_a_rule_that_is_broken_is_named(database: tuple[str, Ledger], statement: str) -> None:
    """With how many rows and one of them."""
    url, ledger = database
    ask(url, statement)
    found = {one.check: one.problem for one in ledger.check().problems}
    assert BREAKS[statement] in found
    if BREAKS[statement] in checks.RULES:
        assert found[BREAKS[statement]].startswith("1 not so, such as number 1")


@pytest.mark.parametrize(
    ("index", "statement", "rule"),
    [
        ("uq_low_rating_feedback_id", _LOW.replace("(1, 1", "(2, 1"), "a rating is a low one at most once"),
        (
            "uq_message_dedupe_key",
            _MESSAGE.replace("(1, 'm1', 'thanks:1', 'thanks', 1", "(2, 'm2', 'thanks:1', 'report', NULL"),
            "a dedupe key is given once",
        ),
        ("uq_report_run_name_local_date", _REPORT.format(2), "there is one report for a name and date"),
    ],
)
def test_what_only_a_lost_constraint_allows_is_found(
    postgres_server: Server, index: str, statement: str, rule: str
) -> None:
    """As a restore from a dump without its constraints would be."""
    url = _filled(postgres_server.new_ledger())
    table = checks.RULES[rule].partition(" FROM ")[2].split()[0]
    ask(url, f"ALTER TABLE {table} DROP CONSTRAINT {index}")
    ask(url, statement)
    found = {one.check: one.problem for one in PostgresLedger(url).check().problems}
    postgres_server.drop(url)
    assert list(found) == [rule]


def test_sizes_add_up(database: tuple[str, Ledger]) -> None:
    """Rows and bytes of each table, the largest first."""
    size = database[1].size()
    named = {one.name: one for one in size.tables}
    assert named["feedback"].rows == named["message"].rows == 1
    assert named["feedback"].table > 0
    assert named["feedback"].indices > 0
    totals = [one.total for one in size.tables]
    assert totals == sorted(totals, reverse=True)
    assert size.exact
    if database[0].startswith(SQLITE):
        assert size.free is not None
        assert sum(totals) + size.free == size.total
    else:
        assert sum(totals) < size.total


# --- in a file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Make a ledger in a file."""
    path = tmp_path / "feedback.db"
    file.create(path)
    _filled(f"{SQLITE}{path}")
    return path


def _problems(path: Path) -> dict[str, str]:
    return {one.check: one.problem for one in SqliteLedger(path).check().problems}


def _overwrite(path: Path, at: int, text: bytes) -> None:
    with path.open("r+b") as opened:
        opened.seek(at)
        opened.write(text)


def _torn_page(path: Path) -> None:
    with closing(sqlite3.connect(path)) as base:
        root = base.execute("SELECT rootpage FROM sqlite_master WHERE name = 'feedback'").fetchone()[0]
    _overwrite(path, (root - 1) * 4096, b"\xff" * 100)


def _torn_schema(path: Path) -> None:
    _overwrite(path, 100, b"\xff" * 100)


def _noise(path: Path) -> None:
    path.write_bytes(b"noise" * 1000)


@pytest.mark.parametrize("tear", [_torn_page, _torn_schema, _noise])
def test_damage_is_a_finding(path: Path, tear: Callable[[Path], None]) -> None:
    """However deep it goes: the rest is still looked at where it can be."""
    tear(path)
    before = path.read_bytes()
    assert _problems(path)
    assert path.read_bytes() == before


def test_what_a_text_holds_is_not_shown(path: Path) -> None:
    """Neither of JSON that is none nor of bytes that are no text."""
    ask(f"{SQLITE}{path}", "UPDATE feedback SET analysis = 'canary {'")
    ask(f"{SQLITE}{path}", "UPDATE meta SET value = CAST(x'63616e617279ff' AS TEXT) WHERE key = 'ledger_id'")
    found = _problems(path)
    assert "what is to be JSON is" in found
    assert "canary" not in str(found)


def test_other_schemas_are_named(path: Path) -> None:
    """With what to do about an older one."""
    ask(f"{SQLITE}{path}", "UPDATE alembic_version SET version_num = '0002'")
    (problem,) = _problems(path).values()
    assert "run `feedback-app db upgrade`" in problem
    ask(f"{SQLITE}{path}", "UPDATE alembic_version SET version_num = '9999'")
    (problem,) = _problems(path).values()
    assert "knows up to" in problem


def test_what_is_no_ledger_is_refused(tmp_path: Path) -> None:
    """Nothing there, and a database of another program."""
    with pytest.raises(NotFound):
        SqliteLedger(tmp_path / "none.db").check()
    with pytest.raises(NotFound):
        SqliteLedger(tmp_path / "none.db").size()
    ask(f"{SQLITE}{tmp_path}/theirs.db", "CREATE TABLE t (x)")
    with pytest.raises(BadData):
        SqliteLedger(tmp_path / "theirs.db").check()


def test_an_older_schema_is_measured_too(database: tuple[str, Ledger]) -> None:
    """As before an upgrade, when the room that it needs is asked for."""
    url, ledger = database
    ask(url, "DROP TABLE rollup")
    assert "rollup" not in {one.name for one in ledger.size().tables}


def test_without_dbstat_sizes_are_estimated(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And it is said that they are."""
    monkeypatch.setattr(sizing, "_MEASURED", "SELECT * FROM dbstat_that_was_not_built")
    ask(f"{SQLITE}{path}", f"UPDATE feedback SET comment = '{'x' * 1000}'")
    size = SqliteLedger(path).size()
    assert not size.exact
    assert size.tables[0].name == "feedback"
    assert 1000 < size.tables[0].table < 1200
