"""Counts of what was deleted when its time was over."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the counts by the quarter of an hour."""
    op.create_table(
        "rollup",
        sa.Column("quarter", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("part", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("quarter", "part", name="pk_rollup"),
    )
    # Programs that know only 0001 find all that they use. Their reports of days whose ratings were deleted lack these.
    op.execute("UPDATE meta SET value = '0004:0001' WHERE key = 'readable_from'")
