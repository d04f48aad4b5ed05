"""Many daemons on one ledger, ratings from other systems."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

RowId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add leases of ratings, what daemons know of each other, sources, dead letters, providers' limits."""
    op.add_column("feedback", sa.Column("lease_owner", sa.Text()))
    op.add_column("feedback", sa.Column("suspicion", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("daemon", sa.Column("sources", sa.Text(), nullable=False, server_default="{}"))
    op.add_column("daemon", sa.Column("process", sa.Text()))
    op.add_column("daemon", sa.Column("fenced_at", sa.BigInteger()))
    op.create_table(
        "source",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", sa.Text()),
        sa.Column("paused_at", sa.BigInteger()),
        sa.Column("received", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("received_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("name", name="pk_source"),
    )
    op.create_table(
        "dead_letter",
        sa.Column("id", RowId, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("external_id", sa.Text()),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_dead_letter"),
        sa.UniqueConstraint("source", "key", name="uq_dead_letter_source_key"),
    )
    op.create_table(
        "rate",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("provider", name="pk_rate"),
    )
    op.create_table(
        "tries_by_minute",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("minute", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("provider", "minute", name="pk_tries_by_minute"),
    )
    # Programs that know only 0001 find all that they use.
    op.execute("INSERT INTO meta (key, value) VALUES ('readable_from', '0002:0001')")
