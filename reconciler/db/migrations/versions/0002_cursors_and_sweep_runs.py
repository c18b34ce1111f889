"""What the daemon remembers: how far each sweep has come, and what each run of one has looked at.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

from reconciler.db.types import BigInt, UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "cursors",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_cursors")),
    )
    op.create_table(
        "sweep_runs",
        sa.Column("id", BigInt, autoincrement=True, nullable=False),
        sa.Column("sweep", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("covered_from", UtcDateTime(), nullable=True),
        sa.Column("covered_until", UtcDateTime(), nullable=True),
        sa.Column("objects", BigInt, server_default="0", nullable=False),
        sa.Column("found", BigInt, server_default="0", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sweep_runs")),
    )
    op.create_index(
        "ix_sweep_runs_sweep_started_at", "sweep_runs", ["sweep", "started_at"], unique=False
    )
