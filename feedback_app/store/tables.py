"""The ledger's tables. Times are epoch milliseconds; states are words, so that a person can read the file.

The indices on what is still to do are partial: claiming stays O(log n) however long the history grows.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite numbers rows by itself only for INTEGER; PostgreSQL wants the eight bytes said.
RowId = BigInteger().with_variant(Integer(), "sqlite")
Moment = BigInteger


def _where(condition: str) -> dict[str, Any]:
    """Return the options of an index over these rows only."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


feedback = Table(
    "feedback",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("source", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("content_hash", LargeBinary, nullable=False),  # tells a duplicate from a conflict
    Column("customer_id", Text),  # no foreign key: a rating of a customer nobody told us of is kept
    Column("item", Text),
    Column("rating", Float, nullable=False),
    Column("comment", Text, nullable=False),
    Column("given_at", Moment),
    Column("received_at", Moment, nullable=False),
    Column("thank", Boolean, nullable=False),
    Column("state", Text, nullable=False),  # received, processed, dead
    Column("ended", Text),  # where its road ended, see model.Ended
    Column("analysis", Text),  # JSON object by analyser, NULL when there is none
    Column("processed_at", Moment),
    Column("attempts", Integer, nullable=False, server_default="0"),  # failed ones only
    Column("retry_at", Moment),  # set after a failed attempt
    Column("error", Text),  # of the last failed attempt
    Column("lease_owner", Text),  # where daemons share the ledger: boot id of the one that has it in hand
    Column("suspicion", Integer, nullable=False, server_default="0"),  # daemons that died with it in hand
    UniqueConstraint("source", "external_id"),
    Index("ix_feedback_pending", "id", **_where("state = 'received'")),  # on PostgreSQL over id + 0
    Index("ix_feedback_retry", "retry_at", **_where("state = 'received' AND retry_at IS NOT NULL")),
    Index("ix_feedback_dead", "id", **_where("state = 'dead'")),
    Index("ix_feedback_arrival", "received_at", "rating"),
    sqlite_autoincrement=True,  # a number once told to a person is never given to another rating
)

customer = Table(
    "customer",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text),
    Column("email", Text),
    Column("phone", Text),
    Column("preferred_channels", Text, nullable=False, server_default=""),  # in order, comma-separated
    Column("addresses", Text),  # JSON object channel → address
    Column("locale", Text),
    Column("timezone", Text),
    Column("opted_out_at", Moment),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
)

low_rating = Table(
    "low_rating",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("feedback_id", RowId, ForeignKey("feedback.id"), nullable=False, unique=True),
    Column("state", Text, nullable=False),  # open, acknowledged, resolved
    Column("owner", Text),
    Column("notes", Text, nullable=False, server_default="[]"),  # JSON list of {at, by, text}
    Column("due_at", Moment),
    Column("stored_at", Moment, nullable=False),
    Column("acknowledged_at", Moment),
    Column("resolved_at", Moment),
    Index("ix_low_rating_unresolved", "state", **_where("state <> 'resolved'")),
)

message = Table(
    "message",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("message_id", Text, nullable=False),  # what the far side sees; derived from the dedupe key
    Column("dedupe_key", Text, nullable=False, unique=True),  # thanks:FEEDBACK, report:NAME:DATE:TO
    Column("purpose", Text, nullable=False),
    Column("feedback_id", RowId, ForeignKey("feedback.id")),
    Column("customer_id", Text),
    Column("customer_name", Text),
    Column("channel", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("locale", Text),
    Column("subject", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("html", Text, nullable=False),
    Column("state", Text, nullable=False),  # queued, sending, sent, held, suppressed, dead
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("created_at", Moment, nullable=False),
    Column("next_attempt_at", Moment, nullable=False),
    Column("lease_owner", Text),  # boot id of the daemon that is sending it
    Column("lease_until", Moment),
    # Where a double must not be, when this try's marker was committed, before the first byte; 0 until then. NULL while
    # it is sent: being claimed is the marker.
    Column("may_leave_at", Moment),
    Column("maybe_sent_at", Moment),  # a copy may have left without our knowing
    Column("settled_at", Moment),  # when it became sent, suppressed or dead
    Column("provider", Text),
    Column("provider_id", Text),
    Column("error", Text),  # of what may have left and waits: none once a person wants it sent all the same
    Column("receipt", Text),  # what the far side said later: delivered, delayed, failed
    Column("receipt_at", Moment),
    Column("receipt_detail", Text),
    Index("ix_message_due", "channel", "next_attempt_at", **_where("state = 'queued'")),
    Index("ix_message_stuck", "state", **_where("state IN ('sending', 'held', 'suppressed', 'dead')")),
    # What was sent on a day, and how many are dead, without reading the messages; it grows only at its ends.
    Index("ix_message_settled", "state", "settled_at", **_where("settled_at IS NOT NULL")),
    Index("ix_message_feedback_id", "feedback_id"),
    sqlite_autoincrement=True,
)

delivery_attempt = Table(
    "delivery_attempt",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("message_number", RowId, ForeignKey("message.id"), nullable=False, index=True),
    Column("started_at", Moment, nullable=False),
    Column("ended_at", Moment, nullable=False),
    Column("provider", Text, nullable=False),
    Column(
        "outcome", Text, nullable=False
    ),  # sent, temporary, permanent, channel_down, unknown, bug, bounced
    Column("provider_id", Text),
    Column("error", Text),
    Column("detail", Text),  # what the far side said when it took the message
)

report_run = Table(
    "report_run",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("name", Text, nullable=False),
    Column("local_date", Text, nullable=False),  # ISO, in the report's zone
    Column("timezone", Text, nullable=False),
    Column("made_at", Moment, nullable=False),
    Column("occasion", Text, nullable=False),  # scheduled, late, manual
    Column("figures", Text, nullable=False),  # JSON
    UniqueConstraint("name", "local_date"),
)

daemon = Table(
    "daemon",
    metadata,
    Column("boot_id", Text, primary_key=True),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("heartbeat_at", Moment, nullable=False),
    Column("stopped_at", Moment),
    Column(
        "channels", Text, nullable=False, server_default="{}"
    ),  # JSON: how its channels fare, as it sees it
    Column("sources", Text, nullable=False, server_default="{}"),  # JSON: how its sources fare
    Column("process", Text),  # JSON: what tells this process from any other on the same host, its version
    Column("fenced_at", Moment),  # its leases were taken away: it was thought dead
)

source = Table(
    "source",
    metadata,
    Column("name", Text, primary_key=True),
    Column("position", Text),  # where the next opening goes on from, for sources that cannot remember it
    Column("paused_at", Moment),
    Column("received", BigInteger, nullable=False, server_default="0"),  # payloads, duplicates included
    Column("received_at", Moment),  # of the last one
)

rate = Table(
    "rate",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("next_at", Moment, nullable=False),  # when it may be given the next message
)

tries_by_minute = Table(
    "tries_by_minute",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("minute", BigInteger, primary_key=True, autoincrement=False),  # since 1970, in which they ended
    Column("tries", BigInteger, nullable=False),
)

suppressed_address = Table(
    "suppressed_address",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("address", Text, primary_key=True),  # as suppressions.normal writes it
    Column("reason", Text, nullable=False),
    Column("since", Moment, nullable=False),
)

dead_letter = Table(
    "dead_letter",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("source", Text, nullable=False),
    Column("key", LargeBinary, nullable=False),  # over id and payload: one that comes again is the same
    Column("external_id", Text),  # the source's own id of the payload, where it has one
    Column("payload", LargeBinary, nullable=False),  # as it came
    Column("reason", Text, nullable=False),  # why it is no rating
    Column("received_at", Moment, nullable=False),
    UniqueConstraint("source", "key"),
)

rollup = Table(
    "rollup",
    metadata,
    Column(
        "quarter", BigInteger, primary_key=True, autoincrement=False
    ),  # quarters of an hour since 1970, UTC
    Column("part", Integer, primary_key=True, autoincrement=False),  # from 0 on
    Column("counts", Text, nullable=False),  # JSON: what was deleted of them, see rollups.py
)

meta = Table(
    "meta",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
