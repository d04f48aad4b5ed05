"""What far sides say of messages later, and addresses that nothing more is sent to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add receipts of messages, suppressed addresses."""
    op.add_column("message", sa.Column("receipt", sa.Text()))
    op.add_column("message", sa.Column("receipt_at", sa.BigInteger()))
    op.add_column("message", sa.Column("receipt_detail", sa.Text()))
    op.add_column("delivery_attempt", sa.Column("detail", sa.Text()))
    op.create_table(
        "suppressed_address",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "address", name="pk_suppressed_address"),
    )
    # Programs that know only 0001 find all that they use.
    op.execute("UPDATE meta SET value = '0003:0001' WHERE key = 'readable_from'")
