"""Which tables keep the push notifications: the browsers that want them, and what became of each message?

Names are a promise, as in `reconciler.db.tables`.
"""

from sqlalchemy import Column, Index, Integer, Table, Text, UniqueConstraint, text

from reconciler.db.run_tables import metadata
from reconciler.db.types import BigInt, UtcDateTime

__all__ = ["deliveries", "metadata", "push_subscriptions"]

# One browser of one user. The endpoint is a secret: whoever knows it may write to that browser's push service.
# An id is never given again: what was meant for a browser that is gone must not reach the next one.
push_subscriptions = Table(
    "push_subscriptions",
    metadata,
    Column("id", BigInt, primary_key=True, autoincrement=True),
    Column("user_id", Text, nullable=False, index=True),
    Column("endpoint", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("p256dh", Text, nullable=False),
    Column("auth", Text, nullable=False),
    Column("vapid_key", Text, nullable=False),
    Column("locale", Text, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'active'")),
    Column("reason", Text, nullable=False, server_default=""),
    Column("created_at", UtcDateTime, nullable=False),
    Column("confirmed_at", UtcDateTime, nullable=False),
    UniqueConstraint("endpoint"),
    sqlite_autoincrement=True,
)

_WAITING = text("state = 'waiting'")
_ENDED = text("ended_at IS NOT NULL")

# One notification on its way to one browser. Whoever claims it has it until `claimed_until`, by the token in `claim`.
# The indexes hold what waits and what may be forgotten, so that they stay small beside all that has ended.
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", BigInt, primary_key=True, autoincrement=True),
    Column("notification_id", BigInt, nullable=False),
    Column("subscription_id", BigInt, nullable=False),
    Column("host", Text, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'waiting'")),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("due_at", UtcDateTime, nullable=False),
    Column("claimed_until", UtcDateTime),
    Column("claim", Text),
    Column("status", Integer),
    Column("reason", Text, nullable=False, server_default=""),
    Column("created_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    UniqueConstraint("notification_id", "subscription_id"),
    Index(
        "ix_deliveries_waiting",
        "host",
        "due_at",
        sqlite_where=_WAITING,
        postgresql_where=_WAITING,
    ),
    Index(
        "ix_deliveries_waiting_subscription_id",
        "subscription_id",
        sqlite_where=_WAITING,
        postgresql_where=_WAITING,
    ),
    Index("ix_deliveries_ended_at", "ended_at", sqlite_where=_ENDED, postgresql_where=_ENDED),
)
