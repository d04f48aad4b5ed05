"""What the daily report asks the ledger, and the rows that remember which reports were made.

Everything about ratings goes through the index on their arrival, everything about messages through the
partial indices: a report costs what its day costs, however long the history grows. What was deleted of a day is in its
`Rollup` and counted along.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from sqlalchemy import ColumnElement, Connection, and_, func, literal_column, select, text

from feedback_app.store.sql import Rows, Statement
from feedback_app.store.tables import feedback, low_rating, message, meta, report_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from feedback_app.model import Milliseconds
    from feedback_app.store.rollups import Rollup

Span: TypeAlias = tuple[int, int]  # epoch milliseconds, the second one exclusive

LOWEST_ITEMS = 5
LOW_COMMENTS = 10
COMMENT_READ = 1_200  # characters; a comment may be a megabyte long

# The conditions of the partial indices, word for word: SQLite sees that `state = 'held'` lies within an IN list only
# where the query repeats that list.
_QUEUED = message.c.state == literal_column("'queued'")
_STUCK = text("message.state IN ('sending', 'held', 'suppressed', 'dead')")
_UNRESOLVED = low_rating.c.state != literal_column("'resolved'")


def _arrived(span: Span) -> ColumnElement[bool]:
    return and_(feedback.c.received_at >= span[0], feedback.c.received_at < span[1])


def rating_counts(connection: Connection, span: Span, gone: Rollup) -> dict[float, int]:
    """Return how often each rating arrived, lowest first; read from the index alone."""
    query = select(feedback.c.rating, func.count()).where(_arrived(span)).group_by(feedback.c.rating)
    found = gone.ratings
    for rating, count in connection.execute(query):
        found[float(rating)] += count
    return dict(sorted(found.items()))


def endings(connection: Connection, span: Span, gone: Rollup) -> list[tuple[str, bool, int, int]]:
    """Return (where the road ended or else the rating's state, whether thanking was wanted, count, analysed ones).

    What was deleted stands beside the rest; of that, `gone` knows what was analysed.
    """
    ended = func.coalesce(feedback.c.ended, feedback.c.state)
    query = select(ended, feedback.c.thank, func.count(), func.count(feedback.c.analysis)).where(
        _arrived(span)
    )
    found = connection.execute(query.group_by(ended, feedback.c.thank))
    return [tuple(row) for row in found] + [(*key, count, 0) for key, count in gone.endings.items()]


_LOWEST = """SELECT item, sum(n), sum(rating * n) / sum(n), coalesce(sum(n) FILTER (WHERE rating < ?), 0)
  FROM (SELECT item, rating, 1 AS n FROM feedback
         WHERE received_at >= ? AND received_at < ? AND item IS NOT NULL %s) AS given
 GROUP BY item HAVING sum(n) FILTER (WHERE rating < ?) > 0 OR sum(rating * n) / sum(n) < ?
 ORDER BY (sum(rating * n) + ?) / (sum(n) + ?), sum(n) DESC, item LIMIT ?"""
_LOWEST_THERE = Statement(_LOWEST % "")  # a tenth faster where nothing was deleted
_LOWEST_OF_ALL = Statement(
    _LOWEST % "UNION ALL SELECT item, rating, n FROM {rows} AS gone",
    columns={"item": "text", "rating": "double precision", "n": "bigint"},
)


def lowest_items(
    connection: Connection, span: Span, gone: Rollup, *, low_below: float, mean: float, weight: float
) -> list[tuple[str, int, float, int]]:
    """Return (item, ratings, average, low ratings), lowest shrunken mean first, see `report.figures`.

    Items without a low rating that are no worse than `mean` are left out.
    """
    deleted = gone.items
    statement, more = (_LOWEST_OF_ALL, (Rows(deleted),)) if deleted else (_LOWEST_THERE, ())
    found = statement(
        connection, low_below, *span, *more, low_below, mean, mean * weight, weight, LOWEST_ITEMS
    )
    return [(item, int(count), float(average), int(low)) for item, count, average, low in found]


def low_comments(
    connection: Connection, span: Span, low_below: float
) -> list[tuple[int, str | None, float, str, int]]:
    """Return (number, item, rating, the comment's beginning, arrival) of newest low ratings with words."""
    comment = func.substr(feedback.c.comment, 1, COMMENT_READ)
    query = (
        select(feedback.c.id, feedback.c.item, feedback.c.rating, comment, feedback.c.received_at)
        .where(_arrived(span), feedback.c.rating < low_below, func.trim(comment, " \t\r\n") != "")
        .order_by(feedback.c.received_at.desc(), feedback.c.id.desc())
        .limit(LOW_COMMENTS)
    )
    return [tuple(row) for row in connection.execute(query)]


def open_low_ratings(connection: Connection) -> tuple[int, int | None]:
    """Return how many low ratings are open now, and since when the oldest is."""
    query = select(func.count(), func.min(low_rating.c.stored_at)).where(
        _UNRESOLVED, low_rating.c.state == "open"
    )
    count, oldest = connection.execute(query).one()
    return count, oldest


def messages_settled(connection: Connection, span: Span, gone: Rollup) -> dict[str, int]:
    """Return how many messages became sent, suppressed or dead in the range, by state; tests do not count."""
    in_span = and_(message.c.settled_at >= span[0], message.c.settled_at < span[1])
    query = select(message.c.state, func.count()).where(
        message.c.state.in_(("sent", "suppressed", "dead")), in_span
    )
    found = Counter(gone.messages)
    found.update(dict(connection.execute(query.group_by(message.c.state)).all()))
    found.subtract(_tests(connection, in_span))
    return found


def messages_in(connection: Connection, state: str) -> int:
    """Return how many messages are sending, held, suppressed or dead now; tests do not count."""
    query = select(func.count()).select_from(message).where(message.c.state == state, _STUCK)
    return int(connection.execute(query).scalar_one()) - _tests(connection, message.c.state == state)[state]


def _tests(connection: Connection, condition: ColumnElement[bool]) -> Counter[str]:
    """Count messages of `notify test` by state.

    Subtracted, because they are few and found by the index on the rating, which they lack as reports do; to leave them
    out of the counts would be to read every message instead of an index.
    """
    is_test = and_(message.c.feedback_id.is_(None), message.c.purpose == "test")
    query = select(message.c.state, func.count()).where(is_test, condition).group_by(message.c.state)
    return Counter(dict(connection.execute(query).all()))


def queue(connection: Connection) -> tuple[int, Milliseconds | None]:
    """Return how many messages wait for their turn, and since when the oldest does, where that is known."""
    # Numbers rise with time and stand in the partial index, so one row is read however long the queue. Asked for
    # alone, min(id) would make SQLite walk through all that was ever sent.
    count, oldest = connection.execute(select(func.count(), func.min(message.c.id)).where(_QUEUED)).one()
    if oldest is None:
        return 0, None
    # A damaged ledger may have it in the index alone.
    return count, connection.execute(select(message.c.created_at).where(message.c.id == oldest)).scalar()


class Waiting(NamedTuple):
    """The report messages that have not left yet: queued, being sent or held."""

    how_many: int
    newest: int  # id; 0 where there is none


def waiting_reports(connection: Connection) -> Waiting:
    """Return which reports wait to leave."""
    waiting = select(func.count(), func.coalesce(func.max(message.c.id), 0)).where(
        message.c.purpose == "report"
    )
    found = [
        connection.execute(waiting.where(condition)).one()
        for condition in (_QUEUED, and_(_STUCK, message.c.state.in_(("sending", "held"))))
    ]
    return Waiting(sum(count for count, _ in found), max(newest for _, newest in found))


def _first_date_key(name: str) -> str:
    return f"report_first_date:{name}"


def first_date(connection: Connection, name: str) -> date | None:
    """Return the first local date that the schedule answers for, None when it never ran."""
    found = connection.execute(select(meta.c.value).where(meta.c.key == _first_date_key(name))).scalar()
    return None if found is None else date.fromisoformat(found)


def remember_first_date(connection: Connection, name: str, first: date) -> None:
    """Write down the first date; where there is one, the earlier of the two stays."""
    known = first_date(connection, name)
    if known is None:
        connection.execute(meta.insert().values(key=_first_date_key(name), value=first.isoformat()))
    elif first < known:
        here = meta.c.key == _first_date_key(name)
        connection.execute(meta.update().where(here).values(value=first.isoformat()))


def made_dates(connection: Connection, name: str, first: date, last: date) -> set[date]:
    """Return the dates from `first` to `last`, both included, whose report exists."""
    query = select(report_run.c.local_date).where(
        report_run.c.name == name, report_run.c.local_date.between(first.isoformat(), last.isoformat())
    )
    return {date.fromisoformat(day) for day in connection.execute(query).scalars()}


def unmade_before(connection: Connection, name: str, day: date, first: date) -> int:
    """Return how many dates directly before `day`, but not before `first`, have no report."""
    query = select(func.max(report_run.c.local_date)).where(
        report_run.c.name == name, report_run.c.local_date < day.isoformat()
    )
    newest = connection.execute(query).scalar()
    begin = first if newest is None else max(first, date.fromisoformat(newest) + timedelta(days=1))
    return max((day - begin).days, 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One report made: a row of `report_run`."""

    name: str
    local_date: str  # ISO, in `timezone`
    timezone: str
    made_at: Milliseconds
    occasion: str  # scheduled, late, manual
    figures: str  # JSON


def add_run(connection: Connection, run: Run) -> None:
    """Remember a report; the caller has looked, in this transaction, that its date was not made yet.

    Two writers at once are kept apart by SQLite's BEGIN IMMEDIATE, elsewhere by the unique (name, date): the
    slower one's unit fails as a whole.
    """
    connection.execute(report_run.insert().values(asdict(run)))


def runs(connection: Connection, names: Sequence[str]) -> list[Run]:
    """Return the reports made under these names, newest date first."""
    query = select(report_run).where(report_run.c.name.in_(names))
    found = connection.execute(query.order_by(report_run.c.local_date.desc(), report_run.c.name))
    return [
        Run(
            name=row.name,
            local_date=row.local_date,
            timezone=row.timezone,
            made_at=row.made_at,
            occasion=row.occasion,
            figures=row.figures,
        )
        for row in found
    ]
