"""What the analysers said of a day's ratings, counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from feedback_app.report.plain import plain, shorten
from feedback_app.store.facts import count_facts
from feedback_app.store.rollups import LONGEST

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from feedback_app.store.report_queries import Span
    from feedback_app.store.rollups import Rollup


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """How often an analyser said the same of the day's ratings."""

    analyser: str
    name: str  # the key of the fact
    value: str  # a text, an entry of a list, or "true" and "false"; numbers are not counted
    ratings: int
    low: int


def facts_of(connection: Connection, span: Span, gone: Rollup, low_below: float) -> tuple[Fact, ...]:
    """Count them; a fact of an analyser has its most frequent values only."""
    return tuple(
        Fact(
            analyser=shorten(plain(analyser), LONGEST),
            name=shorten(plain(name), LONGEST),
            value=plain(value),
            ratings=ratings,
            low=low,
        )
        for analyser, name, value, ratings, low in count_facts(connection, span, gone, low_below)
    )
