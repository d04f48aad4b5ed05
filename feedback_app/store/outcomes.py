"""What the pipeline decided for many ratings, made true in one transaction."""

from __future__ import annotations

import json
from itertools import repeat
from typing import TYPE_CHECKING

from feedback_app import failpoints
from feedback_app.store.bulk import insert_rows
from feedback_app.store.outbox import enqueue
from feedback_app.store.sql import POSTGRESQL, SQLITE, Rows, Statement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from feedback_app.model import Milliseconds, Outcome

_DONE = Statement(
    """UPDATE feedback
   SET state = 'processed', processed_at = ?, ended = done.ended, analysis = done.analysis {given_back}
  FROM {rows} AS done WHERE feedback.id = done.number {still_ours}""",
    columns={"number": "bigint", "ended": "text", "analysis": "text", "owner": "text"},
    only={
        "given_back": {POSTGRESQL: ", lease_owner = NULL"},
        "still_ours": {
            POSTGRESQL: "AND feedback.state = 'received'"
            " AND (done.owner IS NULL OR feedback.lease_owner = done.owner) RETURNING done.number"
        },
    },
)


def commit(
    connection: Connection,
    outcomes: Sequence[Outcome],
    now: Milliseconds,
    owners: Sequence[str | None] | None = None,
) -> None:
    """Mark the ratings as processed, keep the low ones, put the messages into the outbox.

    Where daemons share the ledger, `owners` are the leases under which they were claimed: one that was lost in between
    leaves nothing of its outcome.
    """
    done = [
        (one.feedback.number, one.ended, json.dumps(one.analysis) if one.analysis else None, owner)
        for one, owner in zip(outcomes, owners or repeat(None), strict=False)
    ]
    found = _DONE(connection, now, Rows(done))
    if connection.dialect.name != SQLITE:
        ours = set(found.scalars())
        outcomes = [one for one in outcomes if one.feedback.number in ours]
    insert_rows(
        connection,
        "low_rating",
        ("feedback_id", "state", "stored_at"),
        [(one.feedback.number, "open", now) for one in outcomes if one.keep_low],
        tail="ON CONFLICT (feedback_id) DO NOTHING",
    )
    # One thank-you per rating, whatever its channel or purpose: a changed preference cannot thank twice.
    enqueue(
        connection,
        [(f"thanks:{one.feedback.number}", message) for one in outcomes for message in one.messages],
        now,
    )
    failpoints.reached("pipeline.decided")
