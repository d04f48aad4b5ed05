"""The figures of one local day, read from the ledger.

How the lowest rated items are ranked. The plain mean would put an item with a single bad rating above one
that disappoints all day. So each item's mean is shrunken towards the mean of the day, as if it had begun with
k ratings of just that mean:

    (sum of the item's ratings + k · mean of the day) / (number of the item's ratings + k),  k = 5

One 1 on a day with the mean 4.2 counts as 3.67, six 2s count as 3.0 and lead. (Known as the Bayesian average
or damped mean; k is how many ratings it takes until an item's own word weighs as much as what is usual.)

How a day is compared with the seven before: each of them that had ratings gives its number, average and low
share, and the day is set against the plain means of these. Days without ratings are left out: a shop that is
closed on Sundays is not told each Monday that it grew.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import fmean
from typing import TYPE_CHECKING, Protocol

from feedback_app.report.due import day_bounds
from feedback_app.report.facts import Fact, facts_of
from feedback_app.report.plain import plain, shorten
from feedback_app.store import report_queries as ledger
from feedback_app.store import rollups

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from zoneinfo import ZoneInfo

    from sqlalchemy import Connection

    from feedback_app.model import Milliseconds
    from feedback_app.store.report_queries import Span
    from feedback_app.store.rollups import Rollup

COMMENT_LENGTH = 300  # characters
ITEM_LENGTH = 80  # characters
SHRINKAGE = 5  # ratings of the day's mean that every item begins with
DAYS_BEFORE = 7
MOST_STEPS = 21  # a finer scale lists only the ratings that were given


class Scale(Protocol):
    """Which ratings there are."""

    @property
    def minimum(self) -> float: ...  # noqa: D102
    @property
    def maximum(self) -> float: ...  # noqa: D102
    @property
    def step(self) -> float: ...  # noqa: D102


@dataclass(frozen=True, kw_only=True, slots=True)
class Star:
    """How often one rating was given."""

    rating: float
    count: int
    share: float  # of the day's ratings, 0 to 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What the day is compared with, and by how much it differs."""

    days: int  # how many days with ratings stand behind it
    base_ratings: float  # per day
    base_average: float
    base_low_share: float
    ratings: float  # more than the base
    average: float | None  # None on a day without ratings
    low_share: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One of the day's lowest rated items."""

    item: str
    ratings: int
    average: float
    low: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Comment:
    """What a customer who gave a low rating said."""

    number: int  # the rating's number in the ledger
    item: str | None
    rating: float
    comment: str  # shortened
    received_at: Milliseconds


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenLow:
    """Low ratings that nobody took up yet, at the moment of reading."""

    count: int
    oldest_since: Milliseconds | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Deliveries:
    """How messages to customers and to the team fare."""

    sent: int  # on that day
    suppressed: int  # on that day: nothing was sent, because the customer opted out meanwhile
    died: int  # on that day: given up
    queued: int  # at the moment of reading, as all below
    sending: int
    held: int  # may have left, a person must decide
    dead: int  # given up and not retried since
    oldest_waiting_since: Milliseconds | None


@dataclass(frozen=True, kw_only=True, slots=True)
class DayFigures:
    """One local day in figures; customers' words in it are fit to be shown (see `report.plain`)."""

    date: date
    timezone: str
    start: Milliseconds
    end: Milliseconds  # exclusive
    read_at: Milliseconds  # before `end`: the day is not over, the figures are so far
    ratings: int
    average: float | None  # None without ratings, as all shares and changes below
    stars: tuple[Star, ...]  # highest first
    low_below: float
    low: int
    low_share: float | None
    day_before: Change | None  # None where the day before had no ratings
    week_before: Change | None  # None where none of the 7 days before had
    lowest_items: tuple[Item, ...]
    low_comments: tuple[Comment, ...]  # newest first
    ended: Mapping[str, int]  # where the day's ratings ended (model.Ended), most frequent first
    history: int  # ratings taken in without wanting to thank anyone
    open_low: OpenLow
    deliveries: Deliveries
    facts: tuple[Fact, ...] = ()  # by analyser and name, of each the most frequent values
    low_deleted: int = 0  # low ratings that retention deleted, comments and all


@dataclass(frozen=True, kw_only=True, slots=True)
class _Level:
    """What is compared between days."""

    ratings: float
    average: float
    low_share: float


def collect(
    connection: Connection, *, date: date, zone: ZoneInfo, scale: Scale, low_below: float, now: Milliseconds
) -> DayFigures:
    """Read the figures of local `date` in `zone`; ratings below `low_below` are low."""
    span = day_bounds(date, zone)
    gone = rollups.between(connection, span)
    counts = ledger.rating_counts(connection, span, gone)
    level = _level(counts, low_below)
    spans = [day_bounds(date - timedelta(days=back), zone) for back in range(1, DAYS_BEFORE + 1)]
    before = [
        _level(ledger.rating_counts(connection, one, rollups.between(connection, one)), low_below)
        for one in spans
    ]
    endings = ledger.endings(connection, span, gone)
    analysed = gone.has_facts or any(analysed for *_, analysed in endings)
    return DayFigures(
        date=date,
        timezone=zone.key,
        start=span[0],
        end=span[1],
        read_at=now,
        ratings=sum(counts.values()),
        average=level.average if level else None,
        stars=_stars(counts, scale),
        low_below=low_below,
        low=_low(counts, low_below),
        low_share=level.low_share if level else None,
        day_before=_change(level, before[:1]),
        week_before=_change(level, before),
        lowest_items=_lowest_items(connection, span, gone, low_below, level),
        low_comments=_low_comments(connection, span, low_below),
        ended=_ended(endings),
        low_deleted=_low(gone.ratings, low_below),
        history=sum(count for _, thank, count, _ in endings if not thank),
        open_low=_open_low(connection),
        deliveries=_deliveries(connection, span, gone),
        facts=facts_of(connection, span, gone, low_below) if analysed else (),
    )


def local_today(now: datetime, zone: ZoneInfo) -> date:
    """Return the date that the wall clock of `zone` shows at `now` (aware)."""
    return now.astimezone(zone).date()


def _low(counts: Mapping[float, int], low_below: float) -> int:
    return sum(count for rating, count in counts.items() if rating < low_below)


def _level(counts: Mapping[float, int], low_below: float) -> _Level | None:
    ratings = sum(counts.values())
    if not ratings:
        return None
    total = sum(rating * count for rating, count in counts.items())
    return _Level(ratings=ratings, average=total / ratings, low_share=_low(counts, low_below) / ratings)


def _change(level: _Level | None, before: Sequence[_Level | None]) -> Change | None:
    days = [day for day in before if day]
    if not days:
        return None
    base = _Level(
        ratings=fmean(day.ratings for day in days),
        average=fmean(day.average for day in days),
        low_share=fmean(day.low_share for day in days),
    )
    return Change(
        days=len(days),
        base_ratings=base.ratings,
        base_average=base.average,
        base_low_share=base.low_share,
        ratings=(level.ratings if level else 0) - base.ratings,
        average=level.average - base.average if level else None,
        low_share=level.low_share - base.low_share if level else None,
    )


def _stars(counts: Mapping[float, int], scale: Scale) -> tuple[Star, ...]:
    """List every step of the scale and whatever else was given, when it was another scale."""
    steps = round((scale.maximum - scale.minimum) / scale.step)
    listed = {round(scale.minimum + step * scale.step, 6) for step in range(steps + 1)}
    if len(listed) > MOST_STEPS:
        listed = set()
    total = sum(counts.values())
    return tuple(
        Star(rating=rating, count=(count := counts.get(rating, 0)), share=count / total if total else 0.0)
        for rating in sorted(listed | counts.keys(), reverse=True)
    )


def _lowest_items(
    connection: Connection, span: Span, gone: Rollup, low_below: float, day: _Level | None
) -> tuple[Item, ...]:
    if day is None:
        return ()
    found = ledger.lowest_items(
        connection, span, gone, low_below=low_below, mean=day.average, weight=SHRINKAGE
    )
    return tuple(
        Item(item=shorten(plain(item), ITEM_LENGTH), ratings=ratings, average=average, low=low)
        for item, ratings, average, low in found
    )


def _low_comments(connection: Connection, span: Span, low_below: float) -> tuple[Comment, ...]:
    return tuple(
        Comment(
            number=number,
            item=None if item is None else shorten(plain(item), ITEM_LENGTH),
            rating=rating,
            comment=shorten(plain(comment), COMMENT_LENGTH),
            received_at=received_at,
        )
        for number, item, rating, comment, received_at in ledger.low_comments(connection, span, low_below)
    )


def _ended(endings: Sequence[tuple[str, bool, int, int]]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for ended, _, count, _ in endings:
        sums[ended] = sums.get(ended, 0) + count
    return dict(sorted(sums.items(), key=lambda one: (-one[1], one[0])))


def _open_low(connection: Connection) -> OpenLow:
    count, oldest = ledger.open_low_ratings(connection)
    return OpenLow(count=count, oldest_since=oldest)


def _deliveries(connection: Connection, span: Span, gone: Rollup) -> Deliveries:
    settled = ledger.messages_settled(connection, span, gone)
    queued, oldest = ledger.queue(connection)
    return Deliveries(
        sent=settled.get("sent", 0),
        suppressed=settled.get("suppressed", 0),
        died=settled.get("dead", 0),
        queued=queued,
        sending=ledger.messages_in(connection, "sending"),
        held=ledger.messages_in(connection, "held"),
        dead=ledger.messages_in(connection, "dead"),
        oldest_waiting_since=oldest,
    )
