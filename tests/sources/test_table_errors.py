"""What a database says when it cannot be read: of rows, which it likes to quote, nothing is shown."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.running import business
from tests.servers import free_port
from tests.sources.test_contract import command

SECRET = "Ann Smith"


def _down(tmp_path: Path, url: str) -> str:
    """Run until nothing is left and return why the source is down."""
    table = f'[plugins.database_table]\nurl = "{url}"\ntable = "ratings"\nkey = "number"\n'
    ended = command(business(tmp_path, config=table), "run", "--drain")
    assert SECRET not in ended.stdout + ended.stderr
    (said,) = [line for line in ended.stdout.splitlines() if line.startswith("source ")]
    return said.removeprefix("source database_table is down, its ratings wait: ")


def test_a_cast_that_fails_on_a_customers_words_does_not_show_them(tmp_path: Path, postgres_url: str) -> None:
    """PostgreSQL quotes them; its kind of error and SQLSTATE say enough."""
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as shop:
        shop.execute("CREATE TABLE written (number int, words text)")
        shop.execute("INSERT INTO written VALUES (1, %s)", (SECRET,))
        shop.execute("CREATE VIEW ratings AS SELECT number, words::int AS rating FROM written")
    reason = _down(tmp_path, postgres_url)
    assert reason.endswith(": cannot read ratings: InvalidTextRepresentation (22P02)")


def test_what_sqlite_quotes_of_a_row_is_not_shown(tmp_path: Path) -> None:
    """Its kind of error and its name say enough."""
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as shop, shop:
        shop.execute("CREATE TABLE written (number, words)")
        shop.execute("INSERT INTO written VALUES (1, ?)", (SECRET,))
        shop.execute("CREATE VIEW ratings AS SELECT number, json_extract('{}', words) AS rating FROM written")
    assert _down(tmp_path, f"sqlite:///{path}") == (
        f"sqlite:///{path}: cannot read ratings: OperationalError (SQLITE_ERROR)"
    )


@pytest.mark.parametrize("far", [True, False])
def test_a_database_that_cannot_be_reached_says_why_in_its_own_words(tmp_path: Path, *, far: bool) -> None:
    """Nothing was read yet."""
    port = free_port()
    url = f"postgresql+psycopg://reader@127.0.0.1:{port}/shop" if far else f"sqlite:///{tmp_path}/no.db"
    wanted = f"port {port} failed: Connection refused" if far else "unable to open database file"
    assert wanted in _down(tmp_path, url)
