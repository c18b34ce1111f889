"""Push notifications: the browsers that want them, and what became of each message.

Revision ID: 0006
"""

import sqlalchemy as sa
from alembic import op

from reconciler.db.types import BigInt, UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables, and let only those notifications stand in the index that wait to be looked at."""
    _subscriptions()
    _deliveries()
    op.drop_index("ix_notifications_state", "notifications")
    pending = sa.text("state = 'pending'")
    op.create_index(
        "ix_notifications_pending",
        "notifications",
        ["id"],
        unique=False,
        sqlite_where=pending,
        postgresql_where=pending,
    )


def _subscriptions() -> None:
    op.create_table(
        "push_subscriptions",
        sa.Column("id", BigInt, autoincrement=True, nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("p256dh", sa.Text(), nullable=False),
        sa.Column("auth", sa.Text(), nullable=False),
        sa.Column("vapid_key", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'active'"), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("confirmed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_push_subscriptions")),
        sa.UniqueConstraint("endpoint", name=op.f("uq_push_subscriptions_endpoint")),
        sqlite_autoincrement=True,
    )
    name = op.f("ix_push_subscriptions_user_id")
    op.create_index(name, "push_subscriptions", ["user_id"], unique=False)


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", BigInt, autoincrement=True, nullable=False),
        sa.Column("notification_id", BigInt, nullable=False),
        sa.Column("subscription_id", BigInt, nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'waiting'"), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("claimed_until", UtcDateTime(), nullable=True),
        sa.Column("claim", sa.Text(), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint(
            "notification_id",
            "subscription_id",
            name=op.f("uq_deliveries_notification_id_subscription_id"),
        ),
    )
    waiting, ended = sa.text("state = 'waiting'"), sa.text("ended_at IS NOT NULL")
    for name, columns, rows in (
        ("ix_deliveries_waiting", ["host", "due_at"], waiting),
        ("ix_deliveries_waiting_subscription_id", ["subscription_id"], waiting),
        ("ix_deliveries_ended_at", ["ended_at"], ended),
    ):
        op.create_index(
            name, "deliveries", columns, unique=False, sqlite_where=rows, postgresql_where=rows
        )
