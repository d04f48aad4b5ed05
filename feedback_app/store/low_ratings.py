"""Low ratings as cases: lists page by page, and the steps that a person takes.

A step is a unit of work: it looks at the state and changes it while nobody else can, so two people at once cannot
both believe that they were first.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from sqlalchemy import Connection, Row, RowMapping, Select, literal_column, select, update

from feedback_app.errors import FeedbackAppError, NotFound
from feedback_app.store.tables import customer, feedback
from feedback_app.store.tables import low_rating as table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from feedback_app.model import Milliseconds

State: TypeAlias = Literal["open", "acknowledged", "resolved"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """What somebody wrote down about a case."""

    at: Milliseconds
    by: str  # the person's login, or how they call themselves
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A low rating with all that is known about it."""

    id: int  # the case's number
    feedback_id: int  # the rating's number
    state: State
    owner: str | None  # who takes care of it
    notes: tuple[Note, ...]
    stored_at: Milliseconds
    acknowledged_at: Milliseconds | None
    resolved_at: Milliseconds | None
    rating: float
    item: str | None
    customer_id: str | None
    customer_name: str | None  # None also for a customer nobody told us of
    comment: str
    given_at: Milliseconds | None
    received_at: Milliseconds
    source: str
    external_id: str  # the source's own id of the rating
    analysis: Mapping[str, Any]  # by analyser


_CASES = select(
    table.c.id, table.c.feedback_id, table.c.state, table.c.owner, table.c.notes, table.c.stored_at,
    table.c.acknowledged_at, table.c.resolved_at, feedback.c.rating, feedback.c.item, feedback.c.customer_id,
    customer.c.name.label("customer_name"), feedback.c.comment, feedback.c.given_at, feedback.c.received_at,
    feedback.c.source, feedback.c.external_id, feedback.c.analysis,
).select_from(
    table.join(feedback, feedback.c.id == table.c.feedback_id)
    .outerjoin(customer, customer.c.id == feedback.c.customer_id)
)  # fmt: skip


def page(
    connection: Connection, *, state: State | None = None, after: int | None, limit: int
) -> Sequence[Case]:
    """Return the next cases by number, those above `after`; None is any state."""
    query = _CASES.where(table.c.id > (after or 0)).order_by(table.c.id).limit(limit)
    return [_to_case(row) for row in connection.execute(_in_state(query, state)).mappings()]


def _in_state(query: Select[Any], state: State | None) -> Select[Any]:
    if state is None:
        return query
    # A word of our own, never the user's: only literals let SQLite take the partial index of the unresolved.
    if state != "resolved":
        query = query.where(table.c.state != literal_column("'resolved'"))
    return query.where(table.c.state == literal_column(f"'{state}'"))


def get(connection: Connection, number: int) -> Case | None:
    """Return one case, or None."""
    row = connection.execute(_CASES.where(table.c.id == number)).mappings().one_or_none()
    return None if row is None else _to_case(row)


def of_rating(connection: Connection, feedback_id: int) -> Case | None:
    """Return the case of a rating, None when it is not a low one."""
    row = connection.execute(_CASES.where(table.c.feedback_id == feedback_id)).mappings().one_or_none()
    return None if row is None else _to_case(row)


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """What a person does to a case; everything in it happens or nothing."""

    by: str
    to: State | None = None  # None leaves the state as it is
    owner: str | None = None  # None leaves the owner
    note: str | None = None


def take(connection: Connection, number: int, step: Step, now: Milliseconds) -> State:
    """Take a step and return the state before it; being there already is no mistake.

    Raises NotFound when there is no such case, FeedbackAppError for a step that cannot be taken from its state.
    """
    row = connection.execute(select(table).where(table.c.id == number).with_for_update()).one_or_none()
    if row is None:
        raise NotFound(f"no low rating {number}; `low-ratings list` shows them")
    if row.state == "resolved" and step.to == "acknowledged":
        raise FeedbackAppError(f"low rating {number} is resolved; `low-ratings reopen {number}` first")
    changes: dict[str, Any] = _moved(row, step, now) if step.to not in (None, row.state) else {}
    notes = changes.pop("notes", []) + ([_note(step.by, step.note, now)] if step.note is not None else [])
    if notes:
        changes["notes"] = json.dumps([*json.loads(row.notes), *notes], ensure_ascii=False)
    if step.owner is not None:
        changes["owner"] = step.owner
    if changes:
        connection.execute(update(table).where(table.c.id == number).values(changes))
    before: State = row.state
    return before


def _moved(row: Row[Any], step: Step, now: Milliseconds) -> dict[str, Any]:
    """Return the columns of another state."""
    match step.to:
        case "acknowledged":
            return {"state": step.to, "acknowledged_at": now}
        case "resolved":
            return {"state": step.to, "resolved_at": now}
        case _:
            # The times of the first round are given up with the state, so a note keeps that there was one.
            return {
                "state": "open",
                "acknowledged_at": None,
                "resolved_at": None,
                "notes": [_note(step.by, f"reopened, was {row.state}", now)],
            }


def _note(by: str, text: str, now: Milliseconds) -> dict[str, Any]:
    return {"at": now, "by": by, "text": text}


def _to_case(row: RowMapping) -> Case:
    notes = tuple(Note(**note) for note in json.loads(row["notes"]))
    analysis = json.loads(row["analysis"]) if row["analysis"] else {}
    return Case(**{**row, "notes": notes, "analysis": analysis})
