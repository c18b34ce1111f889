"""Which tables keep the manual runs: what was asked, what was looked at, what differed, and what was signed?

Names are a promise, as in `reconciler.db.tables`.
"""

from sqlalchemy import Boolean, Column, Date, Index, PrimaryKeyConstraint, Table, Text

from reconciler.db.tables import metadata
from reconciler.db.types import BigInt, UtcDateTime

__all__ = [
    "discrepancies",
    "metadata",
    "payouts",
    "reconcile_runs",
    "reconcile_slices",
    "reconcile_touched",
    "signed_items",
]

# `closing` is the balance by currency at `covered_until`, as JSON; null where Stripe did not say it.
reconcile_runs = Table(
    "reconcile_runs",
    metadata,
    Column("id", BigInt, primary_key=True, autoincrement=True),
    Column("first_day", Date, nullable=False),
    Column("last_day", Date, nullable=False),
    Column("zone", Text, nullable=False),
    Column("is_dry", Boolean, nullable=False),
    Column("state", Text, nullable=False, index=True),
    Column("asked_by", Text, nullable=False),
    Column("by_daemon", Boolean, nullable=False, server_default="0"),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Column("covered_from", UtcDateTime),
    Column("covered_until", UtcDateTime),
    Column("day_not_over", Boolean, nullable=False, server_default="0"),
    Column("requests", BigInt, nullable=False, server_default="0"),
    Column("objects", BigInt, nullable=False, server_default="0"),
    Column("closing", Text),
    Column("totals", Text),
    Column("error", Text),
    Column("signed_by", Text),
    Column("signed_at", UtcDateTime),
)

# A stretch of one list. `sums` is what Stripe's list of balance transactions says of each day and currency, as JSON.
reconcile_slices = Table(
    "reconcile_slices",
    metadata,
    Column("run_id", BigInt, nullable=False),
    Column("list", Text, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("until", UtcDateTime, nullable=False),
    Column("is_done", Boolean, nullable=False),
    Column("at_stripe", BigInt, nullable=False, server_default="0"),
    Column("here", BigInt, nullable=False, server_default="0"),
    Column("left_alone", BigInt, nullable=False, server_default="0"),
    Column("gap", BigInt, nullable=False, server_default="0"),
    Column("sums", Text),
    PrimaryKeyConstraint("run_id", "list", "since"),
)

# What was known of a payment before a run first changed it; `before` is null where nothing was.
reconcile_touched = Table(
    "reconcile_touched",
    metadata,
    Column("run_id", BigInt, nullable=False),
    Column("payment_id", Text, nullable=False),
    Column("before", Text),
    PrimaryKeyConstraint("run_id", "payment_id"),
)

discrepancies = Table(
    "discrepancies",
    metadata,
    Column("run_id", BigInt, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("payment_id", Text, nullable=False),
    Column("invoice_ids", Text, nullable=False, server_default=""),
    Column("here", Text, nullable=False),
    Column("there", Text, nullable=False),
    Column("since", UtcDateTime),
    Column("missed_by", Text, nullable=False, server_default=""),
    Column("outcome", Text, nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    PrimaryKeyConstraint("run_id", "kind", "subject"),
    Index("ix_discrepancies_subject", "subject"),
)

# What each object of a signed report was worth when it was signed; `value` is that in words, `amount` in minor units.
signed_items = Table(
    "signed_items",
    metadata,
    Column("run_id", BigInt, nullable=False),
    Column("object_id", Text, nullable=False),
    Column("day", Date, nullable=False),
    Column("currency", Text, nullable=False),
    Column("amount", BigInt, nullable=False),
    Column("value", Text, nullable=False),
    PrimaryKeyConstraint("run_id", "object_id"),
    Index("ix_signed_items_object_id", "object_id"),
)

payouts = Table(
    "payouts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account", Text, nullable=False, server_default="default"),
    Column("status", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("amount", BigInt, nullable=False),
    Column("is_automatic", Boolean, nullable=False),
    Column("is_complete", Boolean, nullable=False),
    Column("arrives_on", Date),
    Column("stripe_created_at", UtcDateTime, nullable=False, index=True),
    Column("read_at", UtcDateTime, nullable=False),
    Column("composition_read", Boolean, nullable=False, server_default="0"),
)
