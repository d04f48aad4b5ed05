"""What the analysers said of many ratings, counted in the database: one query, whichever analysers there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feedback_app.store.rollups import LONGEST
from feedback_app.store.sql import POSTGRESQL, SQLITE, Rows, Statement

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from feedback_app.store.report_queries import Span
    from feedback_app.store.rollups import Rollup

VALUES = 10  # of one fact, the most frequent ones
ROWS = 200  # of all facts together

# From the analysis {"tags": {"of": ["a", "b"]}} come the rows (tags, of, a) and (tags, of, b), once for each rating. A
# number says something else of every rating, so numbers are not counted, nor what is nested deeper.
_FACTS = Statement(
    """SELECT analyser, fact, value, ratings, low FROM (
  SELECT analyser, fact, value, sum(ratings) AS ratings, sum(low) AS low,
         row_number() OVER (PARTITION BY analyser, fact ORDER BY sum(ratings) DESC, value) AS place
    FROM (SELECT analyser, fact, value, count(DISTINCT id) AS ratings,
                 count(DISTINCT id) FILTER (WHERE rating < ?) AS low
    FROM (SELECT feedback.id, feedback.rating, analyser.key AS analyser, fact.key AS fact, {value} AS value
            FROM feedback {unfolded}
           WHERE feedback.received_at >= ? AND feedback.received_at < ? AND feedback.analysis IS NOT NULL
             AND {counted}) AS said
   WHERE length(value) BETWEEN 1 AND ?
   GROUP BY analyser, fact, value
   UNION ALL SELECT analyser, fact, value, ratings, low FROM {rows} AS gone) AS parts
   GROUP BY analyser, fact, value) AS counted
 WHERE place <= ? ORDER BY analyser, fact, place LIMIT ?""",
    columns={"analyser": "text", "fact": "text", "value": "text", "ratings": "bigint", "low": "bigint"},
    only={
        "unfolded": {
            SQLITE: """, json_each(feedback.analysis) AS analyser
            , json_each(CASE analyser.type WHEN 'object' THEN analyser.value ELSE '{}' END) AS fact
            , json_each(CASE fact.type WHEN 'array' THEN fact.value WHEN 'text' THEN json_array(fact.atom)
                        WHEN 'true' THEN '[true]' WHEN 'false' THEN '[false]' ELSE '[]' END) AS one""",
            POSTGRESQL: """CROSS JOIN LATERAL jsonb_each(feedback.analysis::jsonb) AS analyser
            CROSS JOIN LATERAL jsonb_each(CASE jsonb_typeof(analyser.value) WHEN 'object' THEN analyser.value
                                          ELSE '{}' END) AS fact
            CROSS JOIN LATERAL jsonb_array_elements(CASE jsonb_typeof(fact.value) WHEN 'array' THEN fact.value
                                                    ELSE jsonb_build_array(fact.value) END) AS one (value)""",
        },
        "value": {
            SQLITE: "CASE one.type WHEN 'text' THEN one.atom ELSE one.type END",
            POSTGRESQL: "one.value #>> '{}'",
        },
        "counted": {
            SQLITE: "one.type IN ('text', 'true', 'false')",
            # NUL, which it cannot read; looked for in the row, before the row is unfolded.
            POSTGRESQL: "jsonb_typeof(one.value) IN ('string', 'boolean')"
            r" AND position('\u0000' in feedback.analysis) = 0",
        },
    },
)


def count_facts(
    connection: Connection, span: Span, gone: Rollup, low_below: float
) -> list[tuple[str, str, str, int, int]]:
    """Return (analyser, fact, value, ratings, low ratings) of a day, the most frequent value of each fact first.

    Values longer than `rollups.LONGEST` characters are left out.
    """
    parts = Rows(gone.facts(low_below))
    found = _FACTS(connection, low_below, *span, LONGEST, parts, VALUES, ROWS)
    return [(analyser, fact, value, int(ratings), int(low)) for analyser, fact, value, ratings, low in found]
