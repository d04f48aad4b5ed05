"""What analysers said, counted by the database."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial

from feedback_app.model import Feedback, Outcome
from feedback_app.store import outcomes, ratings
from feedback_app.store.facts import ROWS, VALUES, count_facts
from feedback_app.store.rollups import LONGEST, Rollup
from feedback_app.store.store import Store
from tests.making import NOW, incoming

SPAN = (NOW, NOW + 1)


async def _processed(store: Store, *found: tuple[float, Mapping[str, object]], now: int = NOW) -> None:
    """Take ratings in and store what the analysers said of each."""
    first = int(
        await store.read(lambda one: one.exec_driver_sql("SELECT count(*) FROM feedback").scalar_one())
    )
    arrivals = [incoming(f"r{first + number}", rating=rating) for number, (rating, _) in enumerate(found)]
    await store.write(partial(ratings.take_in, arrivals=arrivals, now=now))
    done = [
        Outcome(
            feedback=Feedback(number=first + number, rating=rating),
            ended="history",
            analysis=analysis,
            keep_low=False,
        )
        for number, (rating, analysis) in enumerate(found, 1)
    ]
    await store.write(partial(outcomes.commit, outcomes=done, now=now))


async def _counted(store: Store) -> list[tuple[str, str, str, int, int]]:
    return await store.read(partial(count_facts, span=SPAN, gone=Rollup(), low_below=3))


async def test_texts_flags_and_entries_of_lists_are_counted(store: Store) -> None:
    """With the low ratings among them, the most frequent first, each once for a rating."""
    await _processed(
        store,
        (1, {"tags": {"of": ["late", "fit", "late"]}, "mood": {"label": "angry", "score": -0.7}}),
        (5, {"tags": {"of": ["late"]}, "mood": {"label": "glad", "sure": True, "nothing": None}}),
        (2, {"tags": {"of": ["späte"]}, "mood": {"label": "glad", "sure": False, "deep": {"a": "b"}}}),
        (5, {}),
    )
    assert await _counted(store) == [
        ("mood", "label", "glad", 2, 1),
        ("mood", "label", "angry", 1, 1),
        ("mood", "sure", "false", 1, 1),
        ("mood", "sure", "true", 1, 0),
        ("tags", "of", "late", 2, 1),
        ("tags", "of", "fit", 1, 1),
        ("tags", "of", "späte", 1, 1),
    ]


async def test_only_the_day_counts(store: Store) -> None:
    """The millisecond before and the one after do not."""
    for moment in (NOW - 1, NOW + 1):
        await _processed(store, (1, {"a": {"b": "c"}}), now=moment)
    assert await _counted(store) == []


async def test_what_has_no_end_is_cut(store: Store) -> None:
    """Of many values the most frequent, of long ones none, of many facts a fixed number."""
    many = [(5.0, {"a": {"words": [f"w{word:02}" for word in range(number)]}}) for number in range(1, 31)]
    keys = [
        (5.0, {"b": {f"key{number}": "x", "text": "y" * (LONGEST + 1), "empty": ""}}) for number in range(400)
    ]
    await _processed(store, *many, *keys)
    found = await _counted(store)
    assert [row[2:] for row in found[:VALUES]] == [(f"w{n:02}", 30 - n, 0) for n in range(VALUES)]
    assert {row[1] for row in found[VALUES:]} <= {f"key{number}" for number in range(400)}
    assert len(found) == ROWS


async def test_what_is_no_table_of_facts_is_passed_over(store: Store) -> None:
    """A ledger may have been written by another program."""
    odd = {"a": "text", "b": [1], "c": 1, "d": None, "e": {"f": [["g"], {"h": "i"}, 1, "yes"]}}
    await _processed(store, (1, odd))
    assert await _counted(store) == [("e", "f", "yes", 1, 1)]


async def test_an_analysis_with_nul_in_it_hurts_no_other(store: Store) -> None:
    """PostgreSQL cannot read it as JSON; it is told by its text."""
    await _processed(store, (1, {"a": {"b": "x"}}), (1, {"a": {"c": "nul\0"}}))
    assert ("a", "b", "x", 1, 1) in await _counted(store)
    assert json.dumps("\0") == '"\\u0000"'  # how it stands in the ledger
