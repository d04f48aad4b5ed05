"""Where reading a table goes on: behind its own last rows, and from the beginning where they are not there any more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

from feedback_app.plugins._table_position import order_of
from feedback_app.plugins._table_reader import TableReader, checked_url
from feedback_app.plugins.database_table import Settings
from tests.running import business, daemon, rows, running, until
from tests.sources.shop import Shop, ids
from tests.sources.test_contract import drained, taken

SAID = "the table is another one or went back, reading it from its beginning"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Make a table with rows 10 to 19, of which the position is some way behind the first."""
    made = Shop(tmp_path / "shop.db")
    made.add(*((number, f"2026-01-{number}", 5) for number in range(10, 20)))
    return made


def said(caplog: pytest.LogCaptureFixture) -> list[Any]:
    """Return the sources of which it was said that they begin again."""
    return [one.__dict__["source"] for one in caplog.records if one.message == SAID]


@pytest.mark.parametrize("restarted", [False, True])
def test_a_table_that_was_emptied_and_begins_its_keys_anew_is_read(
    shop: Shop, caplog: pytest.LogCaptureFixture, *, restarted: bool
) -> None:
    """While it is read, and between two starts; said once, and not before there is something to read."""
    reader = shop.reader()
    reader.read(100)
    shop.run("DELETE FROM ratings")
    if restarted:
        reader = shop.reader(reader.position)
    assert (ids(reader), said(caplog)) == ([], [])
    shop.add((1, "", 5), (2, "", 5))
    assert (ids(reader), said(caplog)) == (["1", "2"], ["database_table"])
    shop.add((3, "", 5))
    assert (ids(reader), ids(reader), reader.lag(), said(caplog)) == (["3"], [], 0, ["database_table"])
    assert ids(shop.reader(reader.position)) == ["1", "2", "3"]


def test_keys_that_were_handed_over_and_deleted_are_new_when_they_come_again(shop: Shop) -> None:
    """The position is still the first row's: only what is known of the rows themselves would hold them back."""
    reader = shop.reader(revisit=100)
    reader.read(100)
    shop.run("DELETE FROM ratings")
    assert ids(reader) == []
    shop.add((10, "", 4), (11, "", 4))
    assert ids(reader) == ["10", "11"]


def test_a_table_that_was_restored_from_an_older_copy_is_read_again(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    """Its last rows are gone, and what comes now gets their numbers, or smaller ones."""
    reader = shop.reader()
    reader.read(100)
    shop.run("DELETE FROM ratings WHERE id > 11")
    assert ids(reader) == ["10", "11"]
    shop.add((12, "", 5))
    assert ids(reader) == ["12"]
    assert said(caplog) == ["database_table"]


@pytest.mark.parametrize(
    "how", [{"table": "orders"}, {"key": "number"}, {"time": "at"}, {"url": "sqlite:///{folder}/other.db"}]
)
def test_another_table_under_the_same_name_is_read_from_its_beginning(
    shop: Shop, tmp_path: Path, caplog: pytest.LogCaptureFixture, how: dict[str, str]
) -> None:
    """Whatever value its rows have; only the order of the rows makes it another one."""
    reader = shop.reader()
    reader.read(100)
    position = reader.position
    shop.run("ALTER TABLE ratings ADD COLUMN number")
    shop.run("UPDATE ratings SET number = id + 100")
    shop.run("CREATE TABLE orders AS SELECT * FROM ratings")
    (tmp_path / "other.db").write_bytes(shop.path.read_bytes())
    wanted = {key: value.format(folder=tmp_path) for key, value in how.items()}
    assert len(ids(shop.reader(position, **wanted))) == 10
    assert said(caplog) == ["database_table"]


def test_the_same_table_goes_on_however_it_is_reached() -> None:
    """On another host, with another login: a database that moved is not read again."""
    first, then = (
        Settings(url=url, table="ratings", key="number", map=map_, revisit=revisit)
        for url, map_, revisit in (
            ("postgresql+psycopg://reader:old@db1/shop", {}, 100),
            ("postgresql+psycopg://other:new@db2:5433/shop?sslmode=require", {"rating": "stars"}, 5),
        )
    )
    assert order_of(checked_url(first.url), first) == order_of(checked_url(then.url), then)


def test_a_position_of_the_former_form_goes_on(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """It did not say of which table it is."""
    assert ids(shop.reader('["plain", 18]')) == ["18", "19"]
    assert said(caplog) == []


def test_of_another_kind_it_begins_at_the_top(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """To SQLite no number is as large as a text."""
    assert len(ids(shop.reader('["plain", "2026-01-19"]'))) == 10
    assert said(caplog) == ["database_table"]


def test_a_value_that_is_larger_as_a_parameter_than_in_its_column_begins_nothing_anew(
    postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """As 0.7 is, in a column of short floats: the row is before its own position, and there it is found."""
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as far:
        far.execute("CREATE TABLE ratings AS SELECT 1 AS number, 5 AS rating, 0.7::real AS at")
    reader = TableReader(
        checked_url(postgres_url), Settings(url=postgres_url, table="ratings", key="number", time="at")
    )
    reader.open(None)
    assert [ids(reader), ids(reader), ids(reader)] == [["1"], [], []]
    assert said(caplog) == []


async def test_a_daemon_takes_what_comes_into_a_table_that_was_emptied(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And what is in another one that stands in the settings then; nothing of the URL is in the ledger."""
    shop = Shop(tmp_path / "shop.db", columns="id TEXT, at TEXT, rating INT, number INTEGER")
    shop.add(("a", "2026-01-01", 5, 900), ("b", "2026-01-02", 5, 901))
    table = (
        f'[plugins.database_table]\nurl = "sqlite:///{shop.path}"\ntable = "ratings"\npoll_interval = 0.01\n'
    )
    ledger = tmp_path / "feedback.db"
    config = business(tmp_path, config=table + 'key = "number"\n')
    async with running(daemon(config)):
        await until(lambda: taken(ledger) == ["a", "b"])
        shop.run("DELETE FROM ratings")
        shop.add(("c", "2026-01-03", 4, 1))
        await until(lambda: taken(ledger) == ["a", "b", "c"])
    shop.add(("d", "2025-12-31", 4, None))
    await drained(business(tmp_path, config=table + 'key = "id"\ntime = "at"\n'))
    assert taken(ledger) == ["a", "b", "c", "d"]
    assert len(said(caplog)) == 2
    assert "shop" not in str(rows(ledger, "SELECT position FROM source"))
