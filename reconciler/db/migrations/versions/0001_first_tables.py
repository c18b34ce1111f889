"""The first tables: invoices, payments with their facts, the inbox and the audit trail.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op

from reconciler.db.types import BigInt, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "allocations",
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("amount", BigInt, nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("decided_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("payment_id", "invoice_id", name=op.f("pk_allocations")),
    )
    op.create_index(op.f("ix_allocations_invoice_id"), "allocations", ["invoice_id"], unique=False)
    op.create_table(
        "assignments",
        sa.Column("serial", BigInt, autoincrement=True, nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("shares", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("decided_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("serial", name=op.f("pk_assignments")),
    )
    op.create_index(op.f("ix_assignments_payment_id"), "assignments", ["payment_id"], unique=False)
    op.create_table(
        "balance_transactions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), server_default="default", nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=True),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("reporting_category", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount", BigInt, nullable=False),
        sa.Column("fee", BigInt, nullable=False),
        sa.Column("net", BigInt, nullable=False),
        sa.Column("exchange_rate", sa.Text(), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.Column("available_on", UtcDateTime(), nullable=False),
        sa.Column("payout_id", sa.Text(), nullable=True),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_balance_transactions")),
    )
    op.create_index(
        op.f("ix_balance_transactions_created"), "balance_transactions", ["created"], unique=False
    )
    op.create_index(
        op.f("ix_balance_transactions_payment_id"),
        "balance_transactions",
        ["payment_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_balance_transactions_payout_id"),
        "balance_transactions",
        ["payout_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_balance_transactions_source_id"),
        "balance_transactions",
        ["source_id"],
        unique=False,
    )
    op.create_table(
        "checkout_sessions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), server_default="default", nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=True),
        sa.Column("payment_status", sa.Text(), nullable=False),
        sa.Column("client_reference_id", sa.Text(), nullable=True),
        sa.Column("payment_link_id", sa.Text(), nullable=True),
        sa.Column("amount_total", BigInt, nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checkout_sessions")),
    )
    op.create_index(
        op.f("ix_checkout_sessions_payment_id"), "checkout_sessions", ["payment_id"], unique=False
    )
    op.create_index(
        op.f("ix_checkout_sessions_payment_link_id"),
        "checkout_sessions",
        ["payment_link_id"],
        unique=False,
    )
    op.create_table(
        "claims",
        sa.Column("holder_id", sa.Text(), nullable=False),
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("holder_id", "invoice_id", name=op.f("pk_claims")),
    )
    op.create_index(op.f("ix_claims_invoice_id"), "claims", ["invoice_id"], unique=False)
    op.create_table(
        "disputes",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), server_default="default", nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=True),
        sa.Column("charge_id", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount", BigInt, nullable=False),
        sa.Column("respond_by", UtcDateTime(), nullable=True),
        sa.Column("stripe_created_at", UtcDateTime(), nullable=True),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disputes")),
    )
    op.create_index(op.f("ix_disputes_charge_id"), "disputes", ["charge_id"], unique=False)
    op.create_index(op.f("ix_disputes_payment_id"), "disputes", ["payment_id"], unique=False)
    op.create_table(
        "exceptions",
        sa.Column("id", BigInt, autoincrement=True, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("amount", BigInt, nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), server_default="1", nullable=False),
        sa.Column("stripe_at", UtcDateTime(), nullable=True),
        sa.Column("counts_from", UtcDateTime(), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("resolved_by", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exceptions")),
        sa.UniqueConstraint("kind", "subject", name=op.f("uq_exceptions_kind_subject")),
    )
    op.create_index("ix_exceptions_state", "exceptions", ["state"], unique=False)
    op.create_index("ix_exceptions_subject", "exceptions", ["subject"], unique=False)
    op.create_table(
        "fetches",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "object_id", name=op.f("pk_fetches")),
    )
    op.create_index(op.f("ix_fetches_due_at"), "fetches", ["due_at"], unique=False)
    op.create_table(
        "installation",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_installation")),
    )
    # In a SQLite file that is the app's too, a table of that name is the app's.
    if op.get_bind().dialect.name != "sqlite" or not sa.inspect(op.get_bind()).has_table(
        "invoices"
    ):
        _create_invoices()
    op.create_table(
        "notifications",
        sa.Column("id", BigInt, autoincrement=True, nullable=False),
        sa.Column("milestone", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("amount", BigInt, nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("stripe_at", UtcDateTime(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'pending'"), nullable=False),
        sa.Column("enqueued_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
        sa.UniqueConstraint(
            "milestone", "user_id", name=op.f("uq_notifications_milestone_user_id")
        ),
    )
    op.create_index("ix_notifications_state", "notifications", ["state"], unique=False)
    op.create_table(
        "observations",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), server_default="default", nullable=False),
        sa.Column("first_ms", BigInt, nullable=False),
        sa.Column("lo_ms", BigInt, nullable=False),
        sa.Column("hi_ms", BigInt, nullable=False),
        sa.Column("is_read", sa.Boolean(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("projection", sa.Text(), nullable=False),
        sa.Column("observed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("object_id", "kind", "digest", name=op.f("pk_observations")),
    )
    op.create_table(
        "payment_references",
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("payment_id", "kind", "value", name=op.f("pk_payment_references")),
    )
    op.create_index(
        op.f("ix_payment_references_value"), "payment_references", ["value"], unique=False
    )
    op.create_table(
        "payments",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), server_default="default", nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount", BigInt, nullable=False),
        sa.Column("amount_received", BigInt, nullable=False),
        sa.Column("amount_refunded", BigInt, nullable=False),
        sa.Column("amount_refund_pending", BigInt, nullable=False),
        sa.Column("amount_disputed", BigInt, nullable=False),
        sa.Column("dispute_open", sa.Boolean(), nullable=False),
        sa.Column("settlement_currency", sa.Text(), nullable=False),
        sa.Column("settled_gross", BigInt, nullable=True),
        sa.Column("settled_fee", BigInt, nullable=True),
        sa.Column("settled_net", BigInt, nullable=True),
        sa.Column("paid_at", UtcDateTime(), nullable=True),
        sa.Column("paid_rank", sa.Integer(), nullable=True),
        sa.Column("customer_email", sa.Text(), nullable=False),
        sa.Column("failure_code", sa.Text(), nullable=False),
        sa.Column("is_foreign", sa.Boolean(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("final", sa.Boolean(), nullable=False),
        sa.Column("next_check_at", UtcDateTime(), nullable=True),
        sa.Column("first_seen_source", sa.Text(), nullable=False),
        sa.Column("first_seen_at", UtcDateTime(), nullable=False),
        sa.Column("stripe_created_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments")),
    )
    op.create_index(op.f("ix_payments_next_check_at"), "payments", ["next_check_at"], unique=False)
    op.create_index(
        op.f("ix_payments_stripe_created_at"), "payments", ["stripe_created_at"], unique=False
    )
    op.create_table(
        "refunds",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), server_default="default", nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=True),
        sa.Column("charge_id", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount", BigInt, nullable=False),
        sa.Column("stripe_created_at", UtcDateTime(), nullable=True),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds")),
    )
    op.create_index(op.f("ix_refunds_charge_id"), "refunds", ["charge_id"], unique=False)
    op.create_index(op.f("ix_refunds_payment_id"), "refunds", ["payment_id"], unique=False)
    op.create_table(
        "settlements",
        sa.Column("invoice_id", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount_due", BigInt, nullable=False),
        sa.Column("received", BigInt, nullable=False),
        sa.Column("refunded", BigInt, nullable=False),
        sa.Column("refund_pending", BigInt, nullable=False),
        sa.Column("disputed", BigInt, nullable=False),
        sa.Column("net", BigInt, nullable=False),
        sa.Column("payment_status", sa.Text(), nullable=False),
        sa.Column("paid_at", UtcDateTime(), nullable=True),
        sa.Column("paid_rank", sa.Integer(), nullable=True),
        sa.Column("prior_status", sa.Text(), nullable=True),
        sa.Column("written_paid_at", UtcDateTime(), nullable=True),
        sa.Column("covered_amount_due", BigInt, nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("invoice_id", name=op.f("pk_settlements")),
    )
    op.create_table(
        "stripe_events",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), server_default="default", nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("api_version", sa.Text(), nullable=True),
        sa.Column("object_id", sa.Text(), nullable=True),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", UtcDateTime(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stripe_events")),
    )
    op.create_index(op.f("ix_stripe_events_created"), "stripe_events", ["created"], unique=False)
    op.create_index(
        op.f("ix_stripe_events_object_id"), "stripe_events", ["object_id"], unique=False
    )
    op.create_index(
        "ix_stripe_events_state_next_attempt_at",
        "stripe_events",
        ["state", "next_attempt_at"],
        unique=False,
    )
    op.create_table(
        "transitions",
        sa.Column("id", BigInt, autoincrement=True, nullable=False),
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("old", sa.Text(), nullable=True),
        sa.Column("new", sa.Text(), nullable=True),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transitions")),
    )
    op.create_index("ix_transitions_subject_id", "transitions", ["subject_id"], unique=False)
    op.create_table(
        "webhook_health",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("good", BigInt, nullable=False),
        sa.Column("bad", BigInt, nullable=False),
        sa.Column("last_good_at", UtcDateTime(), nullable=True),
        sa.Column("last_bad_at", UtcDateTime(), nullable=True),
        sa.Column("last_bad_reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_health")),
    )


def _create_invoices() -> None:
    op.create_table(
        "invoices",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("customer_name", sa.Text(), nullable=True),
        sa.Column("customer_email", sa.Text(), nullable=True),
        sa.Column("user_id", sa.Text(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount_due", BigInt, nullable=False),
        sa.Column("status", sa.Text(), server_default="open", nullable=False),
        sa.Column("payment_status", sa.Text(), nullable=True),
        sa.Column("paid_at", UtcDateTime(), nullable=True),
        sa.Column("stripe_payment_intent_id", sa.Text(), nullable=True),
        sa.Column("stripe_checkout_session_id", sa.Text(), nullable=True),
        sa.Column("stripe_payment_link_id", sa.Text(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoices")),
    )
    op.create_index("ix_invoices_number", "invoices", ["number"], unique=False)
    op.create_index(
        op.f("ix_invoices_stripe_checkout_session_id"),
        "invoices",
        ["stripe_checkout_session_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_invoices_stripe_payment_intent_id"),
        "invoices",
        ["stripe_payment_intent_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_invoices_stripe_payment_link_id"),
        "invoices",
        ["stripe_payment_link_id"],
        unique=False,
    )
