"""What goes when its time is over and what stays, on both databases."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from feedback_app.store import rollups
from feedback_app.store.bulk import insert_rows
from feedback_app.store.retention import steps
from feedback_app.store.retention.inbox import Ratings
from feedback_app.store.retention.kind import deleted_before
from feedback_app.store.retention.pace import believed
from feedback_app.store.sqlite.store import SqliteStore
from feedback_app.store.store import Store
from tests.making import NOW
from tests.postgres import store_on
from tests.store.old_rows import ALL, DAY, OLD, YOUNG, ids, message, put, rating, trimmer


async def test_nothing_is_deleted_unless_asked(store: Store) -> None:
    """By default all is kept for ever."""
    await put(store, ratings=[rating(1)], messages=[message(1)], attempts=[(1, OLD)])
    assert (await trimmer(store).run()).deleted.total() == 0
    assert await ids(store, "feedback") == {1}


async def test_what_is_past_its_time_goes_with_all_that_belongs_to_it(store: Store) -> None:
    """A rating, its message, the tries of it, its low rating; a young one stays whole."""
    await put(
        store,
        ratings=[rating(1), rating(2, rating=1.0, ended="low"), rating(3, YOUNG)],
        messages=[message(1), message(3, at=YOUNG)],
        attempts=[(1, OLD), (1, OLD + 1), (3, YOUNG)],
        cases=[(2, "resolved", OLD)],
    )
    expected = Counter(attempts=2, messages=1, low_ratings=1, ratings=2)
    assert +(await trimmer(store, **ALL).look()) == expected
    assert +(await trimmer(store, **ALL).run()).deleted == expected
    for table in ("feedback", "message"):
        assert await ids(store, table) == {3}
    assert await ids(store, "delivery_attempt", "message_number") == {3}
    assert await ids(store, "low_rating") == set()
    assert +(await trimmer(store, **ALL).look()) == Counter()


@pytest.mark.parametrize(
    "waiting",
    [
        {"cases": [(1, "open", OLD)]},
        {"cases": [(1, "acknowledged", OLD)]},
        {"cases": [(1, "resolved", YOUNG)]},
        *(
            {"messages": [message(1, state)], "attempts": [(1, OLD)]}
            for state in ("queued", "sending", "held")
        ),
        {"messages": [message(1, at=YOUNG)]},
    ],
    ids=["open", "acknowledged", "resolved lately", "queued", "sending", "held", "sent lately"],
)
async def test_what_waits_for_somebody_stays_with_its_rating(store: Store, waiting: dict[str, Any]) -> None:
    """Whatever its age."""
    await put(store, ratings=[rating(1)], **waiting)
    assert +(await trimmer(store, **ALL).look()) == Counter()
    assert +(await trimmer(store, **ALL).run()).deleted == Counter()
    assert await ids(store, "feedback") == {1}


@pytest.mark.parametrize("state", ["received", "dead"])
async def test_ratings_that_were_not_processed_stay(store: Store, state: str) -> None:
    """They wait, or a person may look after them."""
    await put(store, ratings=[rating(1, state=state, ended=None)])
    assert +(await trimmer(store, **ALL).run()).deleted == Counter()


async def test_each_class_has_its_own_time(store: Store) -> None:
    """A dead message is kept without its tries, and keeps its rating; a rating stays when its message has gone."""
    await put(
        store,
        ratings=[rating(1), rating(2)],
        messages=[message(1), message(2, "dead"), message(9, feedback_id=None, purpose="report")],
        attempts=[(1, OLD), (2, OLD), (9, OLD)],
        cases=[(2, "resolved", OLD)],
    )
    done = await trimmer(store, messages="30d", attempts="50d", low_ratings="101d").run()
    assert +done.deleted == Counter(messages=2, attempts=3)
    assert (await ids(store, "feedback"), await ids(store, "message")) == ({1, 2}, {2})
    done = await trimmer(store, messages="30d", ratings="60d").run()
    assert +done.deleted == Counter(ratings=1)
    assert await ids(store, "feedback") == {2}


async def test_a_report_that_was_made_stays_known_and_says_a_little(store: Store) -> None:
    """So that it is not made again; its comments go."""
    figures = json.dumps(
        {"date": "2026-01-01", "ratings": 7, "average": 3.5, "low": 2, "low_comments": ["x"]}
    )
    columns = ("name", "local_date", "timezone", "made_at", "occasion", "figures")
    rows = [
        ("daily", "2026-01-01", "UTC", OLD, "scheduled", figures),
        ("daily", "2026-04-01", "UTC", YOUNG, "late", figures),
    ]
    await store.write(lambda connection: insert_rows(connection, "report_run", columns, rows))
    for expected in (1, 0):
        assert (await trimmer(store, **ALL).look())["reports"] == expected
        assert (await trimmer(store, **ALL).run()).deleted["reports"] == expected
    kept = json.dumps({"deleted": True, "ratings": 7, "average": 3.5, "low": 2})
    assert await ids(store, "report_run", "figures") == {kept, figures}


async def test_dead_letters_and_starts_go_but_the_newest_start(store: Store) -> None:
    """The newest one tells whether the last daemon ended in order."""
    letters = [("s", bytes([number]), b"?", "no", at) for number, at in enumerate((OLD, YOUNG))]
    starts = [
        (f"boot-{number}", "h", 1, at, at, at) for number, at in enumerate((OLD, OLD + 1, YOUNG - 30 * DAY))
    ]

    def unit(connection: Connection) -> None:
        insert_rows(connection, "dead_letter", ("source", "key", "payload", "reason", "received_at"), letters)
        columns = ("boot_id", "host", "pid", "started_at", "heartbeat_at", "stopped_at")
        insert_rows(connection, "daemon", columns, starts)

    await store.write(unit)
    assert +(await trimmer(store, **ALL).look()) == Counter(dead_letters=1, daemons=2)
    assert +(await trimmer(store, **ALL).run()).deleted == Counter(dead_letters=1, daemons=2)
    assert await ids(store, "daemon", "boot_id") == {"boot-2"}


async def test_many_rows_go_in_many_steps_and_some_in_each(store: Store) -> None:
    """Those that stay in between hold nothing up."""
    numbers = range(1, 1501)
    await put(
        store,
        ratings=[rating(number, OLD + number % 7) for number in numbers],
        messages=[message(number, "dead" if number % 5 == 0 else "sent") for number in numbers],
        attempts=[(number, OLD) for number in numbers],
        cases=[(number, "open", OLD) for number in numbers if number % 3 == 0],
    )
    done = await trimmer(store, **ALL | {"dead_messages": "forever"}).run()
    assert +done.deleted == Counter(attempts=1500, messages=1200, ratings=800)
    assert done.steps > 5
    assert len(await ids(store, "feedback")) == 700


async def test_a_step_ends_when_its_time_is_over(store: Store) -> None:
    """Whatever the last rows took: a thousand short ones may be followed by as many of a megabyte."""
    numbers = list(range(1, 101))
    await put(store, ratings=[rating(number, comment="x" * 10_000) for number in numbers])
    cutoffs = trimmer(store, **ALL).cutoffs(NOW)
    unit = partial(steps.step, kind=Ratings(), cutoffs=cutoffs, ids=numbers, seconds=0.0)
    step = await store.write(unit)
    assert step is not None
    assert 1 <= step.tried == step.deleted["ratings"] <= 10
    assert await ids(store, "feedback") == set(numbers[step.tried :])


async def test_counts_of_many_items_that_came_at_once_lie_in_parts(store: Store) -> None:
    """Of a large import, so that no step rewrites the counts of all others; the sum is what it was."""
    numbers = range(1, 2001)
    await put(store, ratings=[rating(number, item=f"item {number % 1500}") for number in numbers])
    await trimmer(store, **ALL).run()
    query = "SELECT max(part), max(length(counts)), count(*) FROM rollup"
    part, length, rows = await store.read(lambda one: one.exec_driver_sql(query).one())
    assert (part + 1, True) == (rows, length < 40_000)
    assert part > 0
    span = (OLD // rollups.QUARTER * rollups.QUARTER, OLD + rollups.QUARTER)
    found = await store.read(lambda one: rollups.between(one, span))
    counted: Counter[str] = Counter()
    for item, _, count in found.items:
        counted[item] += count
    assert counted == Counter(f"item {number % 1500}" for number in numbers)


async def test_it_stops_when_asked_and_goes_on_another_time(store: Store) -> None:
    """In between others get their turn."""
    await put(store, ratings=[rating(number) for number in range(1, 201)])
    stopping = asyncio.Event()
    stopping.set()
    assert not (await trimmer(store, **ALL).run(stopping)).is_whole
    assert (await trimmer(store, **ALL).run(asyncio.Event())).deleted["ratings"] == 200


async def test_of_which_ratings_messages_may_be_gone_is_remembered(store: Store) -> None:
    """So that nobody is thanked twice by a replay."""
    await put(store, ratings=[rating(1)], messages=[message(1)])
    assert await store.read(deleted_before) == 0
    await trimmer(store, messages="50d").run()
    assert await store.read(deleted_before) == NOW - 50 * DAY


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
async def test_several_at_once_count_each_row_once(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Daemons that share a ledger, or a command beside one: whoever is first deletes, and nothing is counted twice."""
    places: list[Store] = [
        SqliteStore(tmp_path / "feedback.db")
        if database == "sqlite"
        else store_on(request.getfixturevalue("postgres_url"))
        for _ in range(3)
    ]
    async with contextlib.AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(one) for one in places]
        numbers = range(1, 1201)
        await put(
            stores[0],
            ratings=[rating(number, OLD + number % 3) for number in numbers],
            messages=[message(number) for number in numbers],
        )
        done = await asyncio.gather(*(trimmer(one, **ALL).run() for one in stores))
        done.append(await trimmer(stores[0], **ALL).run())  # another one was at it
        assert sum((one.deleted for one in done), Counter()) == Counter(ratings=1200, messages=1200)
        span = (OLD // rollups.QUARTER * rollups.QUARTER, OLD + DAY)
        gone = await stores[0].read(lambda connection: rollups.between(connection, span))
        assert gone.ratings == {5.0: 1200}
        assert gone.messages == {"sent": 1200}


async def test_the_time_that_is_believed_is_no_further_ahead_than_it_may_be(store: Store) -> None:
    """Of the furthest that was believed before, which a clock that is set back does not take back."""
    for now, most, expected in (
        (NOW, 0, NOW),
        (NOW + 1000 * DAY, DAY, NOW + DAY),
        (NOW - DAY, 0, NOW - DAY),
        (NOW + 5 * DAY, DAY, NOW + 2 * DAY),
        (NOW + 5 * DAY, 9 * DAY, NOW + 5 * DAY),
    ):
        assert await store.write(partial(believed, now=now, most=most)) == expected
