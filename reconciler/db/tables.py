"""Which tables are ours, and what does each column hold?

Names are a promise: other programs read these tables. Amounts are BIGINT in Stripe's minor units, times are aware UTC,
`facts` is the canonical JSON of the record in `reconciler.core.facts`, and every other column of such a row is derived
from it in the same statement. No foreign key points to a table that is not ours.
"""

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from reconciler.db.types import BigInt, UtcDateTime

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _account() -> Column[str]:
    return Column("account", Text, nullable=False, server_default="default")


installation = Table(
    "installation",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

invoices = Table(
    "invoices",
    metadata,
    Column("id", Text, primary_key=True),
    Column("number", Text),
    Column("customer_name", Text),
    Column("customer_email", Text),
    Column("user_id", Text),
    Column("currency", Text, nullable=False),
    Column("amount_due", BigInt, nullable=False),
    Column("status", Text, nullable=False, server_default="open"),
    Column("payment_status", Text),
    Column("paid_at", UtcDateTime),
    Column("stripe_payment_intent_id", Text, index=True),
    Column("stripe_checkout_session_id", Text, index=True),
    Column("stripe_payment_link_id", Text, index=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Index("ix_invoices_number", "number"),
)

settlements = Table(
    "settlements",
    metadata,
    Column("invoice_id", Text, primary_key=True),
    Column("currency", Text, nullable=False),
    Column("amount_due", BigInt, nullable=False),
    Column("received", BigInt, nullable=False),
    Column("refunded", BigInt, nullable=False),
    Column("refund_pending", BigInt, nullable=False),
    Column("disputed", BigInt, nullable=False),
    Column("net", BigInt, nullable=False),
    Column("payment_status", Text, nullable=False),
    Column("paid_at", UtcDateTime),
    Column("paid_rank", Integer),
    Column("status", Text),
    Column("prior_status", Text),
    Column("written_paid_at", UtcDateTime),
    Column("covered_amount_due", BigInt),
    Column("updated_at", UtcDateTime, nullable=False),
)

allocations = Table(
    "allocations",
    metadata,
    Column("payment_id", Text, nullable=False),
    Column("invoice_id", Text, nullable=False, index=True),
    Column("amount", BigInt, nullable=False),
    Column("rule", Text, nullable=False),
    Column("decided_by", Text, nullable=False, server_default=""),
    Column("reason", Text, nullable=False, server_default=""),
    Column("decided_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("payment_id", "invoice_id"),
)

assignments = Table(
    "assignments",
    metadata,
    Column("serial", BigInt, primary_key=True, autoincrement=True),
    Column("payment_id", Text, nullable=False, index=True),
    Column("shares", Text, nullable=False),
    Column("decided_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("decided_at", UtcDateTime, nullable=False),
)

claims = Table(
    "claims",
    metadata,
    Column("holder_id", Text, nullable=False),
    Column("invoice_id", Text, nullable=False, index=True),
    Column("kind", Text, nullable=False),
    PrimaryKeyConstraint("holder_id", "invoice_id"),
)

# Under which names, and for what amount, the payments of an invoice were looked for last.
lookups = Table(
    "lookups",
    metadata,
    Column("invoice_id", Text, primary_key=True),
    Column("asked", Text, nullable=False),
    Column("looked_at", UtcDateTime, nullable=False),
)

_UNSETTLED = text("settled_gross IS NULL AND amount_received > 0")

payments = Table(
    "payments",
    metadata,
    Column("id", Text, primary_key=True),
    _account(),
    Column("status", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("amount", BigInt, nullable=False),
    Column("amount_received", BigInt, nullable=False),
    Column("amount_refunded", BigInt, nullable=False),
    Column("amount_refund_pending", BigInt, nullable=False),
    Column("amount_disputed", BigInt, nullable=False),
    Column("dispute_open", Boolean, nullable=False),
    Column("settlement_currency", Text, nullable=False),
    Column("settled_gross", BigInt),
    Column("settled_fee", BigInt),
    Column("settled_net", BigInt),
    Column("paid_at", UtcDateTime),
    Column("paid_rank", Integer),
    Column("customer_email", Text, nullable=False),
    Column("failure_code", Text, nullable=False),
    Column("is_foreign", Boolean, nullable=False),
    Column("facts", Text, nullable=False),
    Column("final", Boolean, nullable=False),
    Column("next_check_at", UtcDateTime, index=True),
    Column("first_seen_source", Text, nullable=False),
    Column("first_seen_at", UtcDateTime, nullable=False),
    Column("stripe_created_at", UtcDateTime, index=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    # What was paid and is in no known transaction yet counts by the time at which it was paid.
    Index(
        "ix_payments_unsettled",
        "paid_at",
        sqlite_where=_UNSETTLED,
        postgresql_where=_UNSETTLED,
    ),
)

payment_references = Table(
    "payment_references",
    metadata,
    Column("payment_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("value", Text, nullable=False, index=True),
    PrimaryKeyConstraint("payment_id", "kind", "value"),
)


def _around_a_payment(name: str, *columns: Column[object]) -> Table:
    """A table whose row is the facts of one object that belongs, or will belong, to a payment."""
    return Table(
        name,
        metadata,
        Column("id", Text, primary_key=True),
        _account(),
        Column("payment_id", Text, index=True),
        *columns,
        Column("facts", Text, nullable=False),
    )


refunds = _around_a_payment(
    "refunds",
    Column("charge_id", Text, index=True),
    Column("status", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("amount", BigInt, nullable=False),
    Column("stripe_created_at", UtcDateTime, index=True),
)

disputes = _around_a_payment(
    "disputes",
    Column("charge_id", Text, index=True),
    Column("status", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("amount", BigInt, nullable=False),
    Column("respond_by", UtcDateTime),
    Column("stripe_created_at", UtcDateTime, index=True),
)

checkout_sessions = _around_a_payment(
    "checkout_sessions",
    Column("payment_status", Text, nullable=False),
    Column("client_reference_id", Text),
    Column("payment_link_id", Text, index=True),
    Column("amount_total", BigInt),
    Column("currency", Text),
    Column("stripe_created_at", UtcDateTime, index=True),
)

balance_transactions = _around_a_payment(
    "balance_transactions",
    Column("source_id", Text, nullable=False, index=True),
    Column("type", Text, nullable=False),
    Column("reporting_category", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("amount", BigInt, nullable=False),
    Column("fee", BigInt, nullable=False),
    Column("net", BigInt, nullable=False),
    Column("exchange_rate", Text, nullable=False),
    Column("created", UtcDateTime, nullable=False, index=True),
    Column("available_on", UtcDateTime, nullable=False),
    Column("payout_id", Text, index=True),
)

stripe_events = Table(
    "stripe_events",
    metadata,
    Column("id", Text, primary_key=True),
    _account(),
    Column("livemode", Boolean, nullable=False),
    Column("type", Text, nullable=False),
    Column("api_version", Text),
    Column("object_id", Text, index=True),
    Column("created", UtcDateTime, nullable=False, index=True),
    Column("body", LargeBinary, nullable=False),
    Column("source", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_attempt_at", UtcDateTime),
    Column("error", Text),
    Column("received_at", UtcDateTime, nullable=False),
    Index("ix_stripe_events_state_next_attempt_at", "state", "next_attempt_at"),
)

observations = Table(
    "observations",
    metadata,
    Column("kind", Text, nullable=False),
    Column("object_id", Text, nullable=False),
    Column("digest", Text, nullable=False),
    _account(),
    Column("first_ms", BigInt, nullable=False),
    Column("lo_ms", BigInt, nullable=False),
    Column("hi_ms", BigInt, nullable=False),
    Column("is_read", Boolean, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("projection", Text, nullable=False),
    Column("observed_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("object_id", "kind", "digest"),
)

transitions = Table(
    "transitions",
    metadata,
    Column("id", BigInt, primary_key=True, autoincrement=True),
    Column("subject_kind", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("field", Text, nullable=False),
    Column("old", Text),
    Column("new", Text),
    Column("rule", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Index("ix_transitions_subject_id", "subject_id"),
    Index("ix_transitions_at", "at"),
)

exceptions = Table(
    "exceptions",
    metadata,
    Column("id", BigInt, primary_key=True, autoincrement=True),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("amount", BigInt),
    Column("currency", Text, nullable=False),
    Column("count", Integer, nullable=False, server_default="1"),
    Column("stripe_at", UtcDateTime),
    Column("counts_from", UtcDateTime, nullable=False),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("closed_at", UtcDateTime),
    Column("resolved_by", Text),
    Column("reason", Text),
    UniqueConstraint("kind", "subject"),
    Index("ix_exceptions_subject", "subject"),
    Index("ix_exceptions_state", "state"),
)

fetches = Table(
    "fetches",
    metadata,
    Column("kind", Text, nullable=False),
    Column("object_id", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("due_at", UtcDateTime, nullable=False, index=True),
    Column("asked_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("kind", "object_id"),
)

_PENDING = text("state = 'pending'")

notifications = Table(
    "notifications",
    metadata,
    Column("id", BigInt, primary_key=True, autoincrement=True),
    Column("milestone", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("invoice_id", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("amount", BigInt, nullable=False),
    Column("currency", Text, nullable=False),
    Column("stripe_at", UtcDateTime, nullable=False),
    Column("state", Text, nullable=False, server_default=text("'pending'")),
    Column("enqueued_at", UtcDateTime, nullable=False),
    UniqueConstraint("milestone", "user_id"),
    Index("ix_notifications_pending", "id", sqlite_where=_PENDING, postgresql_where=_PENDING),
)

webhook_health = Table(
    "webhook_health",
    metadata,
    Column("id", Text, primary_key=True),
    Column("good", BigInt, nullable=False),
    Column("bad", BigInt, nullable=False),
    Column("last_good_at", UtcDateTime),
    Column("last_bad_at", UtcDateTime),
    Column("last_bad_reason", Text, nullable=False),
)

cursors = Table(
    "cursors",
    metadata,
    Column("name", Text, primary_key=True),
    Column("position", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

# Who may sweep until when. The token grows with every change of hands, so that whoever lost it is told apart.
leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("token", BigInt, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
)

# Objects that a list showed and that are applied: the same bytes again say nothing new.
sightings = Table(
    "sightings",
    metadata,
    Column("object_id", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
)

# What a sweep has looked at: all of Stripe's time from `covered_from` until `covered_until`, the latter not included.
sweep_runs = Table(
    "sweep_runs",
    metadata,
    Column("id", BigInt, primary_key=True, autoincrement=True),
    Column("sweep", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("covered_from", UtcDateTime),
    Column("covered_until", UtcDateTime),
    Column("objects", BigInt, nullable=False, server_default="0"),
    Column("found", BigInt, nullable=False, server_default="0"),
    Column("error", Text),
    Index("ix_sweep_runs_sweep_started_at", "sweep", "started_at"),
)
