"""The story of one rating, from its arrival to the last delivery attempt, in the order of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from feedback_app.cli.context import iso, shortened, shown
from feedback_app.cli.facts import by_analyser
from feedback_app.cli.low_ratings import case_data
from feedback_app.cli.messages import detail_data
from feedback_app.cli.typed import plain
from feedback_app.errors import NotFound
from feedback_app.store import low_ratings, message_queries, rating_queries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from feedback_app.model import Milliseconds
    from feedback_app.store.low_ratings import Case
    from feedback_app.store.message_queries import Detail
    from feedback_app.store.rating_queries import StoredRating

Event: TypeAlias = "tuple[Milliseconds | None, str]"  # when, None where no time was kept, and what

_NO_TIME = "(no time kept)"

_ENDED = {
    "low": "it is a low rating",
    "thanked": "a thank-you was formed",
    "no_customer": "nobody thanked: the rating names no customer",
    "unknown_customer": "nobody thanked: nobody had told the ledger of the customer",
    "no_channel": "nobody thanked: no installed channel reaches the customer",
    "opted_out": "nobody thanked: the customer had opted out",
    "history": "nobody thanked: it was taken in as history",
}
_ENDS = {
    "queued": "waits",
    "sending": "is being sent",
    "sent": "sent",
    "held": "held back, because it may have left: retry or cancel it",
    "suppressed": "suppressed",
    "dead": "given up",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Story:
    """All that the ledger has about one rating."""

    rating: StoredRating
    case: Case | None  # where it is a low one
    messages: tuple[Detail, ...]


def read(connection: Connection, number: int) -> Story:
    """Read the story of the rating with this number. Raises NotFound."""
    rating = rating_queries.get(connection, number)
    if rating is None:
        raise NotFound(f"no rating {number}; `feedback list` shows them")
    return Story(
        rating=rating,
        case=low_ratings.of_rating(connection, number),
        messages=tuple(message_queries.of_rating(connection, number)),
    )


def data(story: Story) -> dict[str, Any]:
    """Return what followed from the rating in JSON's own types."""
    return {
        "low_rating": case_data(story.case) if story.case is not None else None,
        "messages": [detail_data(one) for one in story.messages],
        "story": [{"at": iso(at), "event": what} for at, what in _events(story)],
    }


def lines(story: Story) -> Iterator[str]:
    """Yield a line for each event, beginning with its time in UTC."""
    for at, what in _events(story):
        yield f"{iso(at) or _NO_TIME:<24}  {shown(what)}"


def _events(story: Story) -> list[Event]:
    events = [*_of_rating(story.rating)]
    if story.case is not None:
        events += _of_case(story.case)
    for one in story.messages:
        events += _of_message(one)
    # Stable, so that what happened in one millisecond stays in the order of cause and effect.
    last = max((at for at, _ in events if at is not None), default=0)
    return sorted(events, key=lambda event: last if event[0] is None else event[0])


def _of_rating(rating: StoredRating) -> Iterator[Event]:
    who = f" by customer {rating.customer_id}" if rating.customer_id else ""
    what = f" of {rating.item}" if rating.item else ""
    if rating.given_at is not None:
        yield rating.given_at, f"given{who}"
    came = f"{plain(rating.rating):g}{what}{who}, source {rating.source}, external id {rating.external_id}"
    yield rating.received_at, f"received as rating {rating.id}: {came}"
    if rating.comment:
        yield rating.received_at, f"comment: {shortened(rating.comment, 200)}"
    if rating.attempts:
        times = "once" if rating.attempts == 1 else f"{rating.attempts} times"
        retry = f", tried again from {iso(rating.retry_at)}" if rating.state == "received" else ""
        yield None, f"processing failed {times}, last with {rating.error}{retry}"
    if rating.state == "received" and not rating.attempts:
        yield None, "waits to be processed"
    if rating.state == "dead":
        yield None, "given up: it will not be processed"
    if rating.state == "processed":
        for analyser, said in by_analyser(rating.analysis):
            yield rating.processed_at, f"analysed by {analyser}: {shortened(said, 200)}"
        ended = rating.ended or ""
        yield rating.processed_at, f"processed, ended as {ended}: {_ENDED.get(ended, ended)}"


def _of_case(case: Case) -> Iterator[Event]:
    owner = f", owner {case.owner}" if case.owner else ""
    yield case.stored_at, f"kept as low rating {case.id}, now {case.state}{owner}"
    for note in case.notes:
        yield note.at, f"low rating {case.id}: {note.by} noted: {note.text}"
    if case.acknowledged_at is not None:
        yield case.acknowledged_at, f"low rating {case.id} acknowledged"
    if case.resolved_at is not None:
        yield case.resolved_at, f"low rating {case.id} resolved"


def _of_message(detail: Detail) -> Iterator[Event]:
    message = detail.message
    name = f"message {message.id}"
    # Only the last channel is kept; tries by several plugins may mean that there was another one before.
    way = ", by now" if len({one.provider for one in detail.tries}) > 1 else ""
    where = f"{way} for {message.channel} to {message.recipient}"
    yield message.created_at, f"{name} ({message.purpose}) queued{where}, id {message.message_id}"
    for number, one in enumerate(detail.tries, 1):
        said = one.error or one.detail or (f"provider's id {one.provider_id}" if one.provider_id else "")
        yield one.ended_at, f"{name}, try {number} by {one.provider}: {one.outcome}{said and f', {said}'}"
    if message.receipt in ("delivered", "delayed"):
        yield message.receipt_at, f"{name} {message.receipt}: {message.receipt_detail}".rstrip(": ")
    reason = f": {message.error}" if message.error else ""
    end = _ENDS[message.state]
    if message.state == "sent" and detail.tries:
        return  # the last try says so
    if message.state == "queued":
        yield None, f"{name} {end} for its next try, due {iso(message.next_attempt_at)}"
    else:
        yield message.settled_at, f"{name} {end}{'' if message.state == 'sent' else reason}"
