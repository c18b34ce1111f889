"""Manual runs: what was asked, looked at and found, what was signed; payouts; and when each Session was made.

Revision ID: 0005
"""

import json
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from reconciler.db.types import BigInt, UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables, and date the Sessions that are there."""
    _differences()
    _payouts()
    _runs()
    _progress()
    _signed()
    _times()
    _date_sessions()


def _differences() -> None:
    op.create_table(
        "discrepancies",
        sa.Column("run_id", BigInt, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("invoice_ids", sa.Text(), server_default="", nullable=False),
        sa.Column("here", sa.Text(), nullable=False),
        sa.Column("there", sa.Text(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=True),
        sa.Column("missed_by", sa.Text(), server_default="", nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("run_id", "kind", "subject", name=op.f("pk_discrepancies")),
    )
    op.create_index("ix_discrepancies_subject", "discrepancies", ["subject"], unique=False)


def _payouts() -> None:
    op.create_table(
        "payouts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), server_default="default", nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount", BigInt, nullable=False),
        sa.Column("is_automatic", sa.Boolean(), nullable=False),
        sa.Column("is_complete", sa.Boolean(), nullable=False),
        sa.Column("arrives_on", sa.Date(), nullable=True),
        sa.Column("stripe_created_at", UtcDateTime(), nullable=False),
        sa.Column("read_at", UtcDateTime(), nullable=False),
        sa.Column("composition_read", sa.Boolean(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payouts")),
    )
    op.create_index(
        op.f("ix_payouts_stripe_created_at"), "payouts", ["stripe_created_at"], unique=False
    )


def _runs() -> None:
    op.create_table(
        "reconcile_runs",
        sa.Column("id", BigInt, autoincrement=True, nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("is_dry", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("by_daemon", sa.Boolean(), server_default="0", nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("covered_from", UtcDateTime(), nullable=True),
        sa.Column("covered_until", UtcDateTime(), nullable=True),
        sa.Column("day_not_over", sa.Boolean(), server_default="0", nullable=False),
        sa.Column("requests", BigInt, server_default="0", nullable=False),
        sa.Column("objects", BigInt, server_default="0", nullable=False),
        sa.Column("closing", sa.Text(), nullable=True),
        sa.Column("totals", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("signed_by", sa.Text(), nullable=True),
        sa.Column("signed_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconcile_runs")),
    )
    op.create_index(op.f("ix_reconcile_runs_state"), "reconcile_runs", ["state"], unique=False)


def _progress() -> None:
    op.create_table(
        "reconcile_slices",
        sa.Column("run_id", BigInt, nullable=False),
        sa.Column("list", sa.Text(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.Column("is_done", sa.Boolean(), nullable=False),
        sa.Column("at_stripe", BigInt, server_default="0", nullable=False),
        sa.Column("here", BigInt, server_default="0", nullable=False),
        sa.Column("left_alone", BigInt, server_default="0", nullable=False),
        sa.Column("gap", BigInt, server_default="0", nullable=False),
        sa.Column("sums", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("run_id", "list", "since", name=op.f("pk_reconcile_slices")),
    )
    op.create_table(
        "reconcile_touched",
        sa.Column("run_id", BigInt, nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("run_id", "payment_id", name=op.f("pk_reconcile_touched")),
    )


def _signed() -> None:
    op.create_table(
        "signed_items",
        sa.Column("run_id", BigInt, nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount", BigInt, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "object_id", name=op.f("pk_signed_items")),
    )
    op.create_index("ix_signed_items_object_id", "signed_items", ["object_id"], unique=False)


def _times() -> None:
    op.add_column("checkout_sessions", sa.Column("stripe_created_at", UtcDateTime(), nullable=True))
    op.create_index(
        op.f("ix_checkout_sessions_stripe_created_at"),
        "checkout_sessions",
        ["stripe_created_at"],
        unique=False,
    )
    for table in ("refunds", "disputes"):
        name = op.f(f"ix_{table}_stripe_created_at")
        op.create_index(name, table, ["stripe_created_at"], unique=False)
    unsettled = sa.text("settled_gross IS NULL AND amount_received > 0")
    op.create_index(
        "ix_payments_unsettled",
        "payments",
        ["paid_at"],
        unique=False,
        sqlite_where=unsettled,
        postgresql_where=unsettled,
    )


def _date_sessions() -> None:
    sessions = sa.table(
        "checkout_sessions",
        sa.column("id", sa.Text()),
        sa.column("facts", sa.Text()),
        sa.column("stripe_created_at", UtcDateTime()),
    )
    connection, after = op.get_bind(), ""
    asked = sa.select(sessions.c.id, sessions.c.facts).order_by(sessions.c.id).limit(1000)
    while rows := connection.execute(asked.where(sessions.c.id > after)).all():
        for id_, facts in rows:
            created_ms = json.loads(facts).get("created_ms")
            if created_ms is not None:
                at = datetime.fromtimestamp(created_ms / 1000, UTC)
                mine = sessions.c.id == id_
                connection.execute(sa.update(sessions).where(mine).values(stripe_created_at=at))
        after = rows[-1][0]
