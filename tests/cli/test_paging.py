"""Long lists: page by page, without holding or sorting the whole table."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from feedback_app.cli.paging import PAGE, pages
from feedback_app.store import customers, low_ratings, message_queries, rating_queries
from feedback_app.store.message_queries import MessageFilter
from feedback_app.store.rating_queries import RatingFilter
from feedback_app.store.sqlite.engines import writing_engine
from tests.making import incoming

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from feedback_app.store.sqlite.store import SqliteStore
    from tests.cli.conftest import Cli, Ledger

MANY = 100_000
MEGABYTES = 150


class Row:
    """A row with its key."""

    def __init__(self, key: int) -> None:
        self.id = key


async def test_pages_follow_each_other_without_a_gap(store: SqliteStore) -> None:
    """The limit holds over all of them, and rows that come meanwhile are found."""
    numbers = range(1, 2 * PAGE + 2)
    found = list(numbers)

    def query(connection: Connection, *, after: int | None, limit: int) -> list[Row]:
        return [Row(number) for number in found if number > (after or 0)][:limit]

    async def sizes(limit: int | None) -> list[int]:
        return [len(page) async for page in pages(store, query, limit)]

    assert await sizes(None) == [PAGE, PAGE, 1]
    assert await sizes(PAGE) == [PAGE]
    assert await sizes(PAGE + 1) == [PAGE, 1]
    found.clear()
    assert await sizes(None) == []


QUERIES: dict[str, Callable[..., object]] = {
    "ratings": partial(rating_queries.page, wanted=RatingFilter()),
    "ratings of a source": partial(rating_queries.page, wanted=RatingFilter(source="shop")),
    "received ratings": partial(rating_queries.page, wanted=RatingFilter(state="received")),
    "dead ratings": partial(rating_queries.page, wanted=RatingFilter(state="dead", source="shop")),
    "low ratings": low_ratings.page,
    "open low ratings": partial(low_ratings.page, state="open"),
    "messages": partial(message_queries.page, wanted=MessageFilter()),
    **{
        f"{state} messages": partial(message_queries.page, wanted=MessageFilter(state=state, channel="email"))
        for state in ("queued", "sending", "sent", "held", "suppressed", "dead")
    },
    "customers": customers.page,
    "customers out": partial(customers.page, opted_out=True),
}


# What is rare is found through its own index, however long the history grows.
RARE = {
    "received ratings": "ix_feedback_pending",
    "dead ratings": "ix_feedback_dead",
    "open low ratings": "ix_low_rating_unresolved",
    **{f"{state} messages": "ix_message_stuck" for state in ("sending", "held", "suppressed", "dead")},
}


@pytest.mark.parametrize("name", QUERIES)
def test_no_page_sorts_the_table(ledger: Ledger, name: str) -> None:
    """Each query walks an index in the order of its keys, from where the last page ended."""
    ledger.take_in(incoming())
    engine = writing_engine(ledger.path)
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        statements: list[str] = []
        driver.set_trace_callback(statements.append)
        QUERIES[name](connection, after="5" if "customers" in name else 5, limit=10)
        driver.set_trace_callback(None)
        plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statements[-1]}")]
    engine.dispose()

    assert not [step for step in plan if "TEMP B-TREE" in step], plan
    assert plan[0].startswith("SEARCH"), plan
    assert RARE.get(name, "") in plan[0], plan


def test_a_long_list_needs_little_memory(cli: Cli, ledger: Ledger) -> None:
    """100,000 ratings as JSON, in a process of its own, stay under the limit."""
    for start in range(0, MANY, 20_000):
        ledger.take_in(
            *(incoming(f"r{number}", comment="so so " * 20) for number in range(start, start + 20_000))
        )
    code = (
        "import re, sys; from feedback_app.cli import run_command_line;"
        "run_command_line(['feedback', 'list', '--json']);"
        # Not ru_maxrss, which begins with the memory of the process that started this one.
        "print(int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]) // 1024, file=sys.stderr)"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ledger.path.parent, capture_output=True, check=True
    )

    assert done.stdout.count(b'"external_id"') == MANY
    assert int(done.stderr) < MEGABYTES
