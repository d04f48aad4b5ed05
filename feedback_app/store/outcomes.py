"""What the pipeline decided for many ratings, made true in one transaction."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from feedback_app import failpoints
from feedback_app.store.bulk import insert_rows
from feedback_app.store.outbox import enqueue

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from feedback_app.model import Milliseconds, Outcome

_DONE = """UPDATE feedback
   SET state = 'processed', processed_at = ?, ended = json_extract(done.value, '$[1]'),
       analysis = json_extract(done.value, '$[2]')
  FROM json_each(?) AS done
 WHERE feedback.id = json_extract(done.value, '$[0]')"""


def commit(connection: Connection, outcomes: Sequence[Outcome], now: Milliseconds) -> None:
    """Mark the ratings as processed, keep the low ones, put the messages into the outbox."""
    done = [
        (one.feedback.number, one.ended, json.dumps(one.analysis) if one.analysis else None)
        for one in outcomes
    ]
    connection.exec_driver_sql(_DONE, (now, json.dumps(done)))
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
