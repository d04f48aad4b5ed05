"""Counts of what was deleted, so that reports over the past stay right.

They are kept by the quarter of an hour, UTC: days of every zone of the world begin with one, so a report of any date in
any zone can be put together from them, also in a zone that is configured later. A quarter's counts are the sum of its
parts: once a row is long, the next counts begin another, so that to add some costs the same after a large import, whose
ratings of a hundred thousand items all arrived at once. A row holds one JSON object:

    {"ratings": {KIND: {RATING: n}}, "items": {KIND: {ITEM: {RATING: n}}},
     "facts": {ANALYSER: {FACT: {VALUE: {RATING: n}}}}, "messages": {STATE: n}}

Ratings are counted by when they arrived, those of an item only below "items"; messages by when they were settled. KIND
is where the rating's road ended, with "/history" behind it where nobody was to be thanked.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeAlias

from feedback_app.store.bulk import insert_rows
from feedback_app.store.sql import Members, Statement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import Connection

    from feedback_app.model import Milliseconds
    from feedback_app.store.report_queries import Span

QUARTER = 15 * 60_000  # milliseconds
LONGEST = 60  # characters of a fact's value; a longer one is not counted

Counts: TypeAlias = "dict[str, Any]"  # nested by name down to numbers
_HISTORY = "/history"

_ENOUGH = 16_384  # characters of a row that nothing is added to

_LAST = Statement(
    """SELECT quarter, part, counts FROM rollup WHERE quarter IN ({bigints})
   AND part = (SELECT max(part) FROM rollup AS other WHERE other.quarter = rollup.quarter)"""
)
_BETWEEN = Statement("SELECT counts FROM rollup WHERE quarter >= ? AND quarter < ?")


class Rollup:
    """Counts of what was deleted of one span of time."""

    def __init__(self) -> None:
        self.counts: Counts = {}

    def add_rating(self, row: Sequence[Any]) -> None:
        """Count (item, rating, where its road ended, whether thanking was wanted, analysis as JSON or None)."""
        item, rating, ended, thank, analysis = row
        kind, stars = ended if thank else ended + _HISTORY, _written(rating)
        place = ("ratings", kind, stars) if item is None else ("items", kind, item, stars)
        _merge(self.counts, _nested(place, 1))
        for fact in _facts(json.loads(analysis)) if analysis else ():
            _merge(self.counts, _nested(("facts", *fact, stars), 1))

    def add_message(self, state: str) -> None:
        """Count a message that ended in `state`."""
        _merge(self.counts, {"messages": {state: 1}})

    def add(self, counts: Mapping[str, Any]) -> None:
        """Count what another one has."""
        _merge(self.counts, counts)

    @property
    def ratings(self) -> Counter[float]:
        """How often each rating was given."""
        found: Counter[float] = Counter()
        for _, _, rating, count in self._given():
            found[rating] += count
        return found

    @property
    def endings(self) -> Counter[tuple[str, bool]]:
        """How many ratings' roads ended where, by whether thanking was wanted."""
        found: Counter[tuple[str, bool]] = Counter()
        for kind, _, _, count in self._given():
            found[kind.removesuffix(_HISTORY), not kind.endswith(_HISTORY)] += count
        return found

    @property
    def items(self) -> list[tuple[str, float, int]]:
        """How often each rating was given to each item."""
        return [(item, rating, count) for _, item, rating, count in self._given() if item is not None]

    @property
    def has_facts(self) -> bool:
        """Whether analysers said something."""
        return "facts" in self.counts

    def facts(self, low_below: float) -> list[tuple[str, str, str, int, int]]:
        """Return (analyser, fact, value, ratings, low ratings)."""
        return [
            (analyser, fact, value, sum(stars.values()), _low(stars, low_below))
            for analyser, facts in self.counts.get("facts", {}).items()
            for fact, values in facts.items()
            for value, stars in values.items()
        ]

    @property
    def messages(self) -> dict[str, int]:
        """How many messages ended, by state."""
        return dict(self.counts.get("messages", {}))

    def _given(self) -> Iterator[tuple[str, str | None, float, int]]:
        for kind, stars in self.counts.get("ratings", {}).items():
            yield from ((kind, None, float(rating), count) for rating, count in stars.items())
        for kind, items in self.counts.get("items", {}).items():
            for item, stars in items.items():
                yield from ((kind, item, float(rating), count) for rating, count in stars.items())


def between(connection: Connection, span: Span) -> Rollup:
    """Return what was deleted of a span whose ends are whole quarters of an hour."""
    found = Rollup()
    for (counts,) in _BETWEEN(connection, span[0] // QUARTER, span[1] // QUARTER):
        found.add(json.loads(counts))
    return found


def add(connection: Connection, gone: Mapping[int, Rollup]) -> None:
    """Add to the counts of each quarter; the caller sees to it that nobody else does so at the same time."""
    parts = dict.fromkeys(gone, 0)
    for quarter, part, counts in _LAST(connection, Members(gone)):
        parts[quarter] = part if len(counts) < _ENOUGH else part + 1
        if parts[quarter] == part:
            gone[quarter].add(json.loads(counts))
    rows = [
        (quarter, parts[quarter], json.dumps(one.counts, ensure_ascii=False, separators=(",", ":")))
        for quarter, one in sorted(gone.items())
    ]
    tail = "ON CONFLICT (quarter, part) DO UPDATE SET counts = excluded.counts"
    insert_rows(connection, "rollup", ("quarter", "part", "counts"), rows, tail=tail)


def quarter_of(moment: Milliseconds) -> int:
    """Return the quarter of an hour that a moment lies in."""
    return moment // QUARTER


def _merge(total: Counts, more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, dict):
            _merge(total.setdefault(key, {}), value)
        else:
            total[key] = total.get(key, 0) + value


def _nested(place: Sequence[str], count: int) -> Counts:
    *outer, last = place
    found: Counts = {last: count}
    for key in reversed(outer):
        found = {key: found}
    return found


def _written(rating: float) -> str:
    return repr(int(rating) if float(rating).is_integer() else float(rating))


def _low(stars: Mapping[str, int], low_below: float) -> int:
    return sum(count for rating, count in stars.items() if float(rating) < low_below)


def _facts(analysis: Mapping[str, Any]) -> set[tuple[str, str, str]]:
    """Return what analysers said of one rating, as `facts.count_facts` counts it."""
    return {
        (analyser, fact, value)
        for analyser, said in analysis.items()
        if isinstance(said, dict)
        for fact, values in said.items()
        for one in (values if isinstance(values, list) else [values])
        if (value := _value(one)) is not None
    }


def _value(said: object) -> str | None:
    if isinstance(said, bool):
        return "true" if said else "false"
    return said if isinstance(said, str) and 1 <= len(said) <= LONGEST and "\0" not in said else None
