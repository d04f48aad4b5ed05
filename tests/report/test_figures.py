"""What a day comes to: its ratings, its comparisons, its items and its comments; and by which queries."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event

from feedback_app.report.facts import Fact
from feedback_app.report.figures import collect
from feedback_app.store.sqlite.store import SqliteStore
from tests.report.ledgers import BERLIN, DAY, arrive, at
from tests.report.reading import WHOLE, figures

if TYPE_CHECKING:
    from sqlalchemy import Connection

HALVES = SimpleNamespace(minimum=0.5, maximum=5.0, step=0.5)


async def test_counts_each_star_from_the_highest_with_zeros(store: SqliteStore) -> None:
    """Count, average and shares are those of the day's ratings."""
    await arrive(store, 5, 5, 4, 2, 1, 1, 1, 5)
    found = await figures(store)
    assert (found.ratings, found.average, found.low, found.low_share) == (8, 3.0, 4, 0.5)
    stars = [(star.rating, star.count, star.share) for star in found.stars]
    assert stars == [(5, 3, 0.375), (4, 1, 0.125), (3, 0, 0), (2, 1, 0.125), (1, 3, 0.375)]


async def test_half_stars_and_ratings_of_an_older_scale_are_listed(store: SqliteStore) -> None:
    """Every step of the scale is there, and what was given beyond it as well."""
    await arrive(store, 4.5, 0.5, 7)
    found = await figures(store, scale=HALVES)
    assert [star.rating for star in found.stars] == [7, 5, 4.5, 4, 3.5, 3, 2.5, 2, 1.5, 1, 0.5]
    assert next(star.count for star in found.stars if star.rating == 4.5) == 1


async def test_a_fine_scale_lists_only_what_was_given(store: SqliteStore) -> None:
    """A hundred rows of zeros say nothing."""
    await arrive(store, 98, 13)
    found = await figures(store, scale=SimpleNamespace(minimum=0, maximum=100, step=1))
    assert [star.rating for star in found.stars] == [98, 13]


async def test_a_day_begins_and_ends_at_local_midnight(store: SqliteStore) -> None:
    """The first millisecond counts, the one after the last does not."""
    start, end = at(DAY, "00:00"), at(DAY + timedelta(days=1), "00:00")
    for moment in (start - 1, start, end - 1, end):
        await arrive(store, 4, moment=moment)
    found = await figures(store)
    assert (2, start, end) == (found.ratings, found.start, found.end)


async def test_compares_with_the_day_before_and_with_the_days_of_the_week_that_had_ratings(
    store: SqliteStore,
) -> None:
    """The mean is over three days here: the other four had no ratings, and the eighth is too old."""
    before = {1: (5, 5, 2, 4), 3: (1,), 7: (4, 4, 4, 4), 8: (1, 1, 1, 1, 1, 1)}
    for days, given in before.items():
        await arrive(store, *given, moment=at(DAY - timedelta(days=days)))
    await arrive(store, 5, 1)
    found = await figures(store)
    assert found.day_before
    assert (
        found.day_before.days,
        found.day_before.base_ratings,
        found.day_before.ratings,
        found.day_before.average,
        found.day_before.low_share,
    ) == (1, 4, -2, -1, 0.25)
    assert found.week_before
    assert (
        found.week_before.days,
        found.week_before.base_ratings,
        found.week_before.base_average,
        found.week_before.ratings,
        found.week_before.average,
    ) == (3, 3, 3, -1, 0)
    assert pytest.approx(0.5 - (0.25 + 1 + 0) / 3) == found.week_before.low_share


async def test_with_nothing_before_it_a_day_is_compared_with_nothing(store: SqliteStore) -> None:
    """No change is said, rather than one against zero."""
    await arrive(store, 5)
    found = await figures(store)
    assert found.day_before is None
    assert found.week_before is None


async def test_a_day_without_ratings_has_no_average_but_a_change_of_number(store: SqliteStore) -> None:
    """Nothing is divided by zero."""
    await arrive(store, 5, 3, moment=at(DAY - timedelta(days=1)))
    found = await figures(store)
    assert (found.ratings, found.average, found.low_share, found.lowest_items) == (0, None, None, ())
    assert found.day_before
    assert (
        found.day_before.ratings,
        found.day_before.average,
        found.day_before.low_share,
    ) == (-2, None, None)


async def test_one_bad_rating_of_a_rare_item_does_not_lead_over_a_consistently_bad_one(
    store: SqliteStore,
) -> None:
    """Means are shrunken towards the day's; items that are fine are not listed."""
    await arrive(store, *[5] * 40, item="umbrella")
    await arrive(store, 1, item="rare scarf")
    await arrive(store, *[2] * 6, item="boots")
    await arrive(store, 1, 1)  # no item
    listed = [
        (item.item, item.ratings, item.average, item.low) for item in (await figures(store)).lowest_items
    ]
    assert listed == [("boots", 6, 2.0, 6), ("rare scarf", 1, 1.0, 1)]


async def test_at_most_five_items_are_listed(store: SqliteStore) -> None:
    """The list is for a glance."""
    for number in range(9):
        await arrive(store, 1, 2, item=f"item {number}")
    assert len((await figures(store)).lowest_items) == 5


async def test_shows_the_newest_ten_low_comments_shortened_and_without_empty_ones(store: SqliteStore) -> None:
    """Newest first, with item, rating and number; the words fit a glance."""
    for minute in range(12):
        await arrive(
            store, 2, comment=f"bad {minute} " + "word " * 100, item="hat", moment=at(DAY, f"10:{minute:02}")
        )
    await arrive(store, 1, comment=" \n ", moment=at(DAY, "11:00"))
    await arrive(store, 4, comment="fine", moment=at(DAY, "11:00"))
    shown = (await figures(store)).low_comments
    assert [f"bad {minute}" for minute in range(11, 1, -1)] == [
        " ".join(one.comment.split()[:2]) for one in shown
    ]
    assert (12, "hat", 2, at(DAY, "10:11")) == (
        shown[0].number,
        shown[0].item,
        shown[0].rating,
        shown[0].received_at,
    )
    assert shown[0].comment.endswith("word…")
    assert len(shown[0].comment) <= 300


async def test_words_that_pose_as_others_are_laid_open(store: SqliteStore) -> None:
    """Line breaks, direction overrides and zero-width characters cannot fake anything."""
    await arrive(
        store,
        1,
        item="gift\u202ecard\u200b",
        comment="one\r\ntwo\x1b[2J \u2066x\u2069 \U0001f468\u200d\U0001f467",
    )
    found = await figures(store)
    assert found.lowest_items[0].item == "gift[U+202E]card[U+200B]"
    assert found.low_comments[0].comment == "one two[U+001B][2J [U+2066]x[U+2069] \U0001f468\U0001f467"


async def test_no_query_walks_through_a_whole_table(store: SqliteStore) -> None:
    """However long the history, a report reads its days and the partial indices."""
    await arrive(store, 1, 5, item="hat", comment="bad")
    statements: list[str] = []

    def traced(connection: Any) -> list[str]:
        driver = connection.connection.driver_connection
        driver.set_trace_callback(statements.append)
        collect(connection, date=DAY, zone=BERLIN, scale=WHOLE, low_below=3, now=0)
        driver.set_trace_callback(None)
        return [
            row[3]
            for statement in statements
            if statement.startswith("SELECT")
            for row in driver.execute(f"EXPLAIN QUERY PLAN {statement}")
        ]

    plan = await store.write(traced)
    touching = [step for step in plan if step.startswith(("SCAN", "SEARCH"))]
    assert len(touching) >= 15
    partial = ("ix_message_due", "ix_message_stuck", "ix_message_settled", "ix_low_rating_unresolved")
    walks = [
        step for step in touching if step.startswith("SCAN") and not any(name in step for name in partial)
    ]
    assert walks == []
    assert all("ix_feedback_arrival" in step for step in touching if "feedback" in step.split()[1])


async def _asked(store: SqliteStore) -> list[str]:
    """Return the statements by which a day's figures are read."""
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        asked.append(statement)

    def read(connection: Connection) -> None:
        event.listen(connection, "before_cursor_execute", note)
        collect(connection, date=DAY, zone=BERLIN, scale=WHOLE, low_below=3, now=at(DAY))

    await store.read(read)
    return asked


async def test_what_analysers_said_is_counted(store: SqliteStore) -> None:
    """By one query, and by none on a day of which no analyser said anything."""
    await arrive(store, 5, 1, 1)
    assert (await figures(store)).facts == ()
    assert not any("json_each(feedback.analysis)" in statement for statement in await _asked(store))

    said = '{"words": {"tags": ["late \\u202e"]}}'
    await store.write(
        lambda connection: connection.exec_driver_sql(
            "UPDATE feedback SET analysis = ? WHERE id < 3", (said,)
        )
    )
    assert (await figures(store)).facts == (
        Fact(analyser="words", name="tags", value="late [U+202E]", ratings=2, low=1),
    )
    assert sum("json_each(feedback.analysis)" in statement for statement in await _asked(store)) == 1
