"""Tables: equal times, rows that become visible late, odd names; nothing is ever written."""

from __future__ import annotations

import asyncio
import decimal
import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_app import Batch, Received, SourceDown
from feedback_app.plugins._table_reader import TableReader, _received, checked_url
from feedback_app.plugins.database_table import Settings, make_source
from tests.running import business, rows, until
from tests.sources.shop import Shop, ids
from tests.sources.test_contract import drained, taken


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Make a table."""
    return Shop(tmp_path / "shop.db")


def test_rows_come_in_the_order_of_the_key_once(shop: Shop) -> None:
    """In portions; new ones behind them."""
    shop.add((2, "", 5), (1, "", 5), (3, "", 5))
    reader = shop.reader()
    assert [ids(reader, 2), ids(reader, 2), ids(reader, 2)] == [["1", "2"], ["3"], []]
    shop.add((4, "", 5))
    assert ids(reader) == ["4"]


def test_rows_with_equal_times_are_all_read(shop: Shop) -> None:
    """Also those that come with the time of the last one, and more of them than a portion."""
    shop.add(*((f"a{number}", "2026-01-01", 5) for number in range(7)))
    reader = shop.reader(time="at")
    found = [*ids(reader, 3), *ids(reader, 3), *ids(reader, 3)]
    shop.add(("A", "2026-01-01", 5), ("z", "2026-01-01", 5))
    assert sorted([*found, *ids(reader)]) == ["A", *(f"a{number}" for number in range(7)), "z"]


def test_a_row_that_becomes_visible_late_is_read(shop: Shop) -> None:
    """A transaction that took its key earlier and committed later."""
    shop.add((1, "", 5), (3, "", 5), (4, "", 5))
    reader = shop.reader()
    assert ids(reader) == ["1", "3", "4"]
    shop.add((2, "", 5))
    assert ids(reader) == ["2"]
    assert ids(reader) == []


def test_a_new_start_goes_on_a_little_before_where_it_was(shop: Shop) -> None:
    """The ledger tells the duplicates."""
    shop.add(*((number, "", 5) for number in range(10)))
    first = shop.reader()
    first.read(100)
    assert ids(shop.reader(first.position)) == ["7", "8", "9"]


def test_rows_that_are_deleted_are_forgotten(shop: Shop) -> None:
    """They neither come again nor hold anything up."""
    shop.add((1, "", 5), (2, "", 5))
    reader = shop.reader()
    reader.read(100)
    shop.run("DELETE FROM ratings")
    shop.add((3, "", 5), (4, "", 5))
    assert ids(reader) == ["3", "4"]
    assert ids(reader) == []


def test_rows_without_the_time_are_left_out(shop: Shop) -> None:
    """They have no place in the order; once they have one they come."""
    shop.add(("a", None, 5), ("b", "2026-01-01", 5))
    reader = shop.reader(time="at")
    assert ids(reader) == ["b"]
    assert reader.lag() == 0


def test_rows_without_a_key_are_left_out(shop: Shop) -> None:
    """Also where the time is there: nothing would tell them apart."""
    shop.add((None, "2026-01-01", 5), (None, "2026-01-02", 4), ("b", "2026-01-03", 5))
    reader = shop.reader(time="at")
    assert reader.lag() == 1
    assert ids(reader) == ["b"]


@settings(max_examples=50, deadline=None)
@given(
    portions=st.lists(
        st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), max_size=6), min_size=1, max_size=6
    ),
    limit=st.integers(1, 4),
    revisit=st.integers(0, 3),
)
def test_whatever_the_times_each_row_behind_is_read_once(
    portions: list[list[tuple[int, int]]], limit: int, revisit: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Times that never fall from one portion to the next, equal ones as many as there may be."""
    shop = Shop(tmp_path_factory.mktemp("shop") / "shop.db")
    reader = shop.reader(time="at", revisit=revisit)
    number, base, found = 0, 0, []
    for portion in portions:
        for step, _ in sorted(portion):
            number += 1
            shop.add((number, base + step, 5))
        base += max((step for step, _ in portion), default=0)
        while more := ids(reader, limit):
            found += more
    assert sorted(map(int, found)) == list(range(1, number + 1))


def test_odd_names_are_identifiers_and_never_sql(tmp_path: Path) -> None:
    """Quoted by the dialect."""
    odd = 'a"; DROP TABLE x; --'
    shop = Shop(tmp_path / "shop.db", table="ra;ting s", columns='"select", "a""; DROP TABLE x; --"')
    shop.add((1, 5))
    (row,) = shop.reader(key="select", map={"rating": odd}).read(10)
    assert row.payload == b'{"select": 1, "a\\"; DROP TABLE x; --": 5}'


def test_only_the_columns_that_are_needed_are_read(shop: Shop) -> None:
    """Neither more load nor more personal data than needed."""
    shop.run("ALTER TABLE ratings ADD COLUMN card_number TEXT DEFAULT '4111'")
    shop.add((1, "", 5, "4111"))
    (row,) = shop.reader().read(10)
    assert b"4111" not in row.payload


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"table": "ratngs"}, "has no table ratngs; there are: ratings"),
        ({"key": "number"}, "the table ratings has no column 'number'; its columns are id, at, rating"),
        ({"map": {"rating": "stars"}}, "the table ratings has no column 'stars'"),
    ],
)
def test_what_is_not_there_is_named(shop: Shop, how: dict[str, Any], said: str) -> None:
    """With what there is."""
    with pytest.raises(SourceDown, match=said):
        shop.reader(**how)


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """A reader writes nothing."""
    no = f"sqlite:///{tmp_path / 'no.db'}"
    with pytest.raises(SourceDown, match="unable to open database file"):
        TableReader(checked_url(no), Settings(url=no, table="t", key="k")).open(None)
    assert not (tmp_path / "no.db").exists()


async def test_a_row_without_an_id_takes_none_away_from_another_row(tmp_path: Path) -> None:
    """Its key stands in for the id, and is a number from another row's ids: with the column's name it is none."""
    shop = Shop(tmp_path / "shop.db", columns="number INTEGER PRIMARY KEY, order_id INTEGER, rating")
    shop.add((7, None, 5), (8, 7, 1), (9, 8, 4))
    table = f'[plugins.database_table]\nurl = "sqlite:///{shop.path}"\ntable = "ratings"\nkey = "number"\n'
    await drained(business(tmp_path, config=table + 'map = { id = "order_id" }\n'))
    assert taken(tmp_path / "feedback.db") == ["7", "8", "number=7"]


@pytest.mark.parametrize(
    ("columns", "how", "wanted"),
    [
        ("number, rating, at", {}, "7"),
        ("number, ID, at", {}, "number=7"),
        ("number, id, at", {"map": {"id": "number"}}, "7"),
        ("number, rating, at", {"map": {"id": "at"}}, "number=7"),
        ("ID, rating, at", {"key": "ID"}, "7"),
    ],
)
def test_the_key_is_the_id_where_no_other_column_is(
    tmp_path: Path, columns: str, how: dict[str, Any], wanted: str
) -> None:
    """As it is; beside a column of ids it says of which column it is."""
    shop = Shop(tmp_path / "shop.db", columns=columns)
    shop.add((7, None, None))
    assert ids(shop.reader(**{"key": "number"} | how)) == [wanted]


async def test_a_row_that_is_no_utf8_is_a_dead_letter_with_its_bytes(tmp_path: Path) -> None:
    """SQLite keeps any bytes as text; the rows behind it come all the same."""
    shop = Shop(tmp_path / "shop.db", columns="number INTEGER PRIMARY KEY, rating, comment TEXT")
    shop.run("INSERT INTO ratings VALUES (1, 5, CAST(x'636166e9' AS TEXT)), (2, 5, 'fine')")
    table = f'[plugins.database_table]\nurl = "sqlite:///{shop.path}"\ntable = "ratings"\nkey = "number"\n'
    await drained(business(tmp_path, config=table))
    assert taken(tmp_path / "feedback.db") == ["2"]
    ((reason, payload),) = rows(tmp_path / "feedback.db", "SELECT reason, payload FROM dead_letter")
    assert reason == "not UTF-8 at byte 43"
    assert payload == b'{"number": 1, "rating": 5, "comment": "caf\xe9"}'


@pytest.mark.parametrize(
    ("value", "payload"),
    [
        (decimal.Decimal("4.00"), b"4"),
        (decimal.Decimal("4.5"), b"4.5"),
        (decimal.Decimal("Infinity"), b'"Infinity"'),
        (decimal.Decimal("NaN"), b'"NaN"'),
        (decimal.Decimal("1E+9999"), b'"1E+9999"'),
        (b"caf\xe9", b'"caf\xe9"'),
        ({"half": "\ud800"}, b'{"half": "\\ud800"}'),
    ],
)
def test_no_value_of_a_database_stops_the_rows_behind_it(value: object, payload: bytes) -> None:
    """What no field can be becomes a dead letter."""
    assert _received({"id": 1, "rating": value}, "1").payload == b'{"id": 1, "rating": ' + payload + b"}"


async def test_no_more_looks_than_asked_for(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also by one call after the other, each of which ends after two seconds at most."""
    looks = []
    monkeypatch.setattr("feedback_app.plugins.database_table._NOTHING", 0.05)
    monkeypatch.setattr(TableReader, "read", lambda *_: looks.append(1))
    source = make_source(
        Settings(url=f"sqlite:///{shop.path}", table="ratings", key="id", poll_interval=3600)
    )
    await source.open(None)
    for _ in range(3):
        assert await asyncio.wait_for(source.receive(500), 5) == Batch()
    assert len(looks) == 1
    await source.close()


async def test_a_look_that_was_given_up_takes_no_rows_away(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table is locked for longer than a call may take; its thread gets the rows when nobody waits for them."""
    done = threading.Event()

    read = TableReader.read

    def watched(reader: TableReader, limit: int) -> list[Received]:
        try:
            found: list[Received] = read(reader, limit)
            return found
        finally:
            done.set()

    monkeypatch.setattr(TableReader, "read", watched)
    source = make_source(Settings(url=postgres_url, table="ratings", key="number"))
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as shop:
        shop.execute(
            "CREATE TABLE ratings AS SELECT g AS number, 5 AS rating FROM generate_series(1, 3) AS g"
        )
        shop.commit()
        await source.open(None)
        shop.execute("LOCK TABLE ratings")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(source.receive(500), 0.2)
        await source.close()
        await source.open(None)
    await until(done.is_set)
    assert [one.id for one in (await source.receive(500)).received] == ["1", "2", "3"]
    await source.close()


@pytest.mark.parametrize("url", ["shop.db", "nosuch://x", "mysql+nosuch://x", "sqlite+aiosqlite:///x"])
def test_a_url_that_cannot_be_is_refused(url: str) -> None:
    """At the start."""
    with pytest.raises(
        ValueError, match=r"not a database URL|driver of this URL is not installed|for asynchronous"
    ):
        checked_url(url)


async def test_dates_of_the_database_are_moments(tmp_path: Path) -> None:
    """`given_at` from a column of the table."""
    shop = Shop(tmp_path / "shop.db", columns="number INTEGER PRIMARY KEY, stars INTEGER, given_at TEXT")
    shop.add((1, 5, "2026-01-02T03:04:05Z"))
    table = f'[plugins.database_table]\nurl = "sqlite:///{shop.path}"\ntable = "ratings"\nkey = "number"\n'
    await drained(business(tmp_path, config=table + 'map = { rating = "stars" }\n'))
    assert taken(tmp_path / "feedback.db") == ["1"]
