"""Who may sweep, and which listed objects say nothing new.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op

from reconciler.db.types import BigInt, UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables, and the index by which the lateness of payments is told."""
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("token", BigInt, nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "sightings",
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("object_id", name=op.f("pk_sightings")),
    )
    op.create_index("ix_transitions_at", "transitions", ["at"], unique=False)
