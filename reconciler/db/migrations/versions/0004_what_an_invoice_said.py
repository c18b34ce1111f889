"""What an invoice said when it was settled, and when its payments were looked for.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

from reconciler.db.types import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the invoice's word to its settlement, and the table of lookups."""
    op.add_column("settlements", sa.Column("status", sa.Text(), nullable=True))
    op.create_table(
        "lookups",
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("looked_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("invoice_id", name=op.f("pk_lookups")),
    )
