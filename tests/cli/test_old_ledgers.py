"""A ledger of every released schema is upgraded and runs, with nothing lost: `tests/data/ledgers/make.py` made them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from feedback_app.store import migrate
from feedback_app.store.migrate import HEAD
from feedback_app.store.sqlite import file
from tests.cli.conftest import Cli
from tests.copies import ask
from tests.postgres import Server
from tests.running import RECORDER

HERE = Path(__file__).parents[1] / "data" / "ledgers"
# As of the moment of reading, or new since then.
_NOW = {"read_at", "open_low", "low_deleted", "complete"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Old:
    """A ledger of an old program, in a folder with a configuration."""

    schema: str
    url: str
    said: dict[str, Any]  # by the old program, of this ledger


def _restored(place: Path, name: str) -> str:
    with closing(sqlite3.connect(place / "feedback.db", isolation_level=None)) as ledger:
        ledger.executescript((HERE / f"{name}.sql").read_text(encoding="utf-8"))
        ledger.execute("PRAGMA journal_mode = WAL")
    (place / "feedback.db").chmod(0o600)
    return f"sqlite:///{place / 'feedback.db'}"


def _restored_on_a_server(server: Server, name: str) -> str:
    url = server.new_database()
    dump = (HERE / f"{name}.sql").read_text(encoding="utf-8")
    statements = "\n".join(line for line in dump.splitlines() if not line.startswith("\\"))
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(statements.encode())
    return url


@pytest.fixture(params=["0001", "0002", "0003", "0002-postgresql", "0003-postgresql"])
def old(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Old]:
    """Give a ledger of each schema, on each database that it existed on."""
    name: str = request.param
    server: Server | None = None
    if name.endswith("postgresql"):
        server = request.getfixturevalue("postgres_server")
        url = _restored_on_a_server(server, name)
    else:
        url = _restored(tmp_path, name)
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "chat.py").write_text(RECORDER)
    (tmp_path / "config.toml").write_text(
        f'[store]\nurl = "{url}"\n[pipeline]\ndefault_channels = ["chat"]\n'
        '[reports.daily]\nchannel = "chat"\nto = ["team"]\n'
        '[plugins]\ndisabled = ["email_notifier", "sms_notifier"]\n'
    )
    monkeypatch.chdir(tmp_path)
    said = json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))
    yield Old(schema=name[:4], url=url, said=said)
    if server is not None:
        server.drop(url)


def _same(old: Any, new: Any) -> None:
    """Hold what is said today against what was said then; there may be more of it today."""
    if isinstance(old, dict):
        assert old.keys() <= new.keys()
        for key in old.keys() - _NOW:
            _same(old[key], new[key])
    elif isinstance(old, list):
        assert len(old) == len(new)
        for one, other in zip(old, new, strict=True):
            _same(one, other)
    else:
        assert old == new


def _counts(cli: Cli) -> dict[str, Any]:
    status = cli.ok("status", "--json").json
    return {name: status[name] for name in ("feedback", "low_ratings", "messages")}


def _thanks(place: Path) -> list[str]:
    """Return what was sent but reports: one of those is due or not, by the day of the test."""
    sent = (place / "sent.log").read_text().splitlines()
    return [one for one in sent if not one.startswith("report.")]


def test_it_says_the_same_after_the_upgrade(old: Old, cli: Cli) -> None:
    """All that the old program could say, word for word."""
    assert f"upgraded from schema {old.schema} to {HEAD}" in cli.ok("db", "upgrade").out
    assert _counts(cli) == old.said["status"]
    _same(old.said["messages"], cli.ok("messages", "list", "--json").json)
    _same(old.said["low_ratings"], cli.ok("low-ratings", "list", "--json").json)
    _same(old.said["customers"], cli.ok("customers", "list", "--json").json)
    _same(old.said["reports"], cli.ok("report", "list", "--json").json)
    day = old.said["date"]
    _same(old.said["report"], json.loads(cli.ok("report", "build", "--date", day, "--format", "json").out))


def test_it_runs(old: Old, cli: Cli, tmp_path: Path) -> None:
    """What waited is processed and sent, what was sent is not sent again, and a person can go on."""
    cli.ok("db", "upgrade")
    was = old.said["status"]
    cli.ok("run", "--drain")
    now = _counts(cli)
    assert now["feedback"] == {
        "received": 0,
        "processed": was["feedback"]["processed"] + was["feedback"]["received"],
        "dead": was["feedback"]["dead"],
    }
    assert now["low_ratings"] == was["low_ratings"]
    # What was being sent when the old program was killed is held: it may have left.
    assert now["messages"]["sending"] == 0
    assert now["messages"]["held"] == was["messages"]["held"] + was["messages"]["sending"]
    sent = (tmp_path / "sent.log").read_text().splitlines()
    assert len(sent) == len(set(sent)) == now["messages"]["sent"] - was["messages"]["sent"]
    # The new rating's, and one that waited for longer than today's back-off allows.
    assert len(_thanks(tmp_path)) == 2

    for number in (1, 3):
        story = cli.ok("feedback", "explain", str(number), "--json").json
        assert {"story", "messages", "low_rating"} <= story.keys()
    (case,) = [one["id"] for one in cli.ok("low-ratings", "list", "--state", "open", "--json").json]
    cli.ok("low-ratings", "resolve", str(case))
    dead = next(one["id"] for one in cli.ok("messages", "list", "--json").json if one["state"] == "dead")
    cli.ok("messages", "retry", str(dead))
    cli.ok("run", "--drain")
    # From 0003 on the address of the dead one is known to be bad.
    expected = 2 if old.schema == "0003" else 3
    assert len(_thanks(tmp_path)) == expected
    assert cli.ok("db", "trim", "--json").json["complete"]


def test_its_schema_is_that_of_a_new_ledger(
    old: Old, cli: Cli, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """To the last column, default and index; and it is whole, with a copy of the old one beside it."""
    before = None
    if old.url.startswith("sqlite"):
        before = _dump(tmp_path / "feedback.db")
    cli.ok("db", "upgrade")
    if before is None:
        server: Server = request.getfixturevalue("postgres_server")
        fresh = server.new_ledger()
        assert _columns(old.url) == _columns(fresh)
        server.drop(fresh)
        return
    assert before == _dump(tmp_path / f"feedback.db.before-{HEAD}")
    assert ask(old.url, "PRAGMA integrity_check") == [("ok",)]
    assert ask(old.url, "PRAGMA foreign_key_check") == []
    (tmp_path / "new").mkdir()
    config = tmp_path / "new" / "config.toml"
    config.write_text("")
    cli.ok("--config", str(config), "db", "upgrade")
    fresh = f"sqlite:///{tmp_path / 'new' / 'feedback.db'}"
    for query in ("PRAGMA user_version", "PRAGMA application_id", _SCHEMA):
        assert ask(old.url, query) == ask(fresh, query)


@pytest.mark.parametrize("head", ["0002", "0003"])
def test_programs_that_knew_less_can_work_on_a_new_ledger(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, head: str
) -> None:
    """So that daemons of two versions run side by side while a fleet is upgraded."""
    cli.ok("db", "upgrade")
    for place in (migrate, file):
        monkeypatch.setattr(place, "HEAD", head)
    assert file.check(tmp_path / "feedback.db") == HEAD


_SCHEMA = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
_COLUMNS = """SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns
 WHERE table_schema = 'public' ORDER BY 1, 2"""
_INDICES = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
_CONSTRAINTS = """SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
 WHERE connamespace = 'public'::regnamespace AND contype <> 'n' ORDER BY 1"""
_OPTIONS = "SELECT relname, reloptions FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1"


def _columns(url: str) -> list[Any]:
    return [ask(url, query) for query in (_COLUMNS, _INDICES, _CONSTRAINTS, _OPTIONS)]


def _dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as ledger:
        return [*ledger.iterdump()]
