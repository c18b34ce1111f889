"""What do people and reports ask the database? Named reads that never lock."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Select, Table, and_, func, or_, select

from reconciler.db import tables
from reconciler.db.session import Tx

Found = list[dict[str, Any]]


def _found(tx: Tx, statement: Select[Any]) -> Found:
    return [dict(row) for row in tx.execute(statement).mappings()]


def payment_ids(tx: Tx, *, after: str, limit: int) -> list[str]:
    """The next page of payment ids."""
    column = tables.payments.c.id
    return list(tx.scalars(select(column).where(column > after).order_by(column).limit(limit)))


def settled_invoice_ids(tx: Tx, *, after: str, limit: int) -> list[str]:
    """The next page of invoices that were ever settled."""
    column = tables.settlements.c.invoice_id
    return list(tx.scalars(select(column).where(column > after).order_by(column).limit(limit)))


def allocated_minor(tx: Tx, payment_id: str) -> int:
    """How much of a payment is allocated, in minor units of its currency."""
    column = tables.allocations.c
    total = tx.scalar(
        select(func.coalesce(func.sum(column.amount), 0)).where(column.payment_id == payment_id)
    )
    return int(total or 0)


def observations_of(tx: Tx, object_ids: Iterable[str]) -> Found:
    """All that was ever observed of these objects, oldest first."""
    wanted, column = sorted(object_ids), tables.observations.c
    found: Found = []
    for start in range(0, len(wanted), 1000):
        part = wanted[start : start + 1000]
        found += _found(tx, select(tables.observations).where(column.object_id.in_(part)))
    return sorted(found, key=lambda row: (row["first_ms"], row["object_id"], row["digest"]))


def invoices(
    tx: Tx, *, status: str | None = None, payment_status: str | None = None, limit: int = 50
) -> Found:
    """Embedded invoices, newest change first."""
    column = tables.invoices.c
    asked = select(tables.invoices).order_by(column.updated_at.desc(), column.id).limit(limit)
    if status is not None:
        asked = asked.where(column.status == status)
    if payment_status is not None:
        asked = asked.where(column.payment_status == payment_status)
    return _found(tx, asked)


def invoice(tx: Tx, key: str) -> dict[str, Any] | None:
    """One embedded invoice by its id, else by its number if that is unambiguous."""
    column = tables.invoices.c
    found = _found(tx, select(tables.invoices).where(or_(column.id == key, column.number == key)))
    exact = [row for row in found if row["id"] == key]
    chosen = exact or found
    return chosen[0] if len(chosen) == 1 else None


def settlement(tx: Tx, invoice_id: str) -> dict[str, Any] | None:
    """What an invoice has received and still holds."""
    column = tables.settlements.c.invoice_id
    found = _found(tx, select(tables.settlements).where(column == invoice_id))
    return found[0] if found else None


def allocations_of_invoice(tx: Tx, invoice_id: str) -> Found:
    """The payments of an invoice, and those whose names disagree about it."""
    column, paid = tables.allocations.c, tables.payments.c
    return _found(
        tx,
        select(tables.allocations, paid.status, paid.currency, paid.amount_received)
        .join(tables.payments, paid.id == column.payment_id)
        .where(column.invoice_id == invoice_id)
        .order_by(column.payment_id),
    )


def claims_of_invoice(tx: Tx, invoice_id: str) -> Found:
    """Payments and Sessions that name an invoice without being allocated to it."""
    column = tables.claims.c.invoice_id
    return _found(tx, select(tables.claims).where(column == invoice_id))


def payments(tx: Tx, *, status: str | None = None, limit: int = 50) -> Found:
    """Payments, newest change first."""
    column = tables.payments.c
    asked = select(tables.payments).order_by(column.updated_at.desc(), column.id).limit(limit)
    return _found(tx, asked if status is None else asked.where(column.status == status))


def payment(tx: Tx, payment_id: str) -> dict[str, Any] | None:
    """One payment with everything around it."""
    found = _found(tx, select(tables.payments).where(tables.payments.c.id == payment_id))
    if not found:
        return None
    around: tuple[tuple[str, Table], ...] = (
        ("allocations", tables.allocations),
        ("references", tables.payment_references),
        ("refunds", tables.refunds),
        ("disputes", tables.disputes),
        ("checkout_sessions", tables.checkout_sessions),
        ("balance_transactions", tables.balance_transactions),
    )
    extra = {
        name: _found(tx, select(table).where(table.c.payment_id == payment_id))
        for name, table in around
    }
    return {**found[0], **extra}


def events(tx: Tx, *, state: str | None = None, limit: int = 50) -> Found:
    """Stored events without their bodies, newest first."""
    column = tables.stripe_events.c
    columns = [each for each in column if each.name != "body"]
    asked = select(*columns).order_by(column.received_at.desc(), column.id).limit(limit)
    return _found(tx, asked if state is None else asked.where(column.state == state))


def event(tx: Tx, event_id: str) -> dict[str, Any] | None:
    """One stored event with its body."""
    found = _found(tx, select(tables.stripe_events).where(tables.stripe_events.c.id == event_id))
    return found[0] if found else None


def events_about(tx: Tx, object_ids: Iterable[str]) -> Found:
    """Stored events about these objects, oldest first, without their bodies."""
    column = tables.stripe_events.c
    columns = [each for each in column if each.name != "body"]
    wanted = sorted(object_ids)
    asked = select(*columns).where(column.object_id.in_(wanted))
    return _found(tx, asked.order_by(column.created, column.id))


def open_exceptions(tx: Tx, *, now: datetime, limit: int = 200) -> Found:
    """What needs a person now; those still in their time of grace are not shown."""
    column = tables.exceptions.c
    return _found(
        tx,
        select(tables.exceptions)
        .where(and_(column.state == "open", column.counts_from <= now))
        .order_by(column.opened_at, column.id)
        .limit(limit),
    )


def exception(tx: Tx, exception_id: int) -> dict[str, Any] | None:
    """One exception."""
    found = _found(tx, select(tables.exceptions).where(tables.exceptions.c.id == exception_id))
    return found[0] if found else None


def transitions_of(tx: Tx, subjects: Iterable[str]) -> Found:
    """The audit trail of these subjects, in the order in which it was written."""
    column = tables.transitions.c
    asked = select(tables.transitions).where(column.subject_id.in_(sorted(subjects)))
    return _found(tx, asked.order_by(column.id))


def notifications_of(tx: Tx, invoice_id: str) -> Found:
    """What was enqueued to be told about an invoice."""
    column = tables.notifications.c
    asked = select(tables.notifications).where(column.invoice_id == invoice_id)
    return _found(tx, asked.order_by(column.id))


def health(tx: Tx) -> dict[str, Any] | None:
    """The counts and last moments of good and bad deliveries."""
    found = _found(tx, select(tables.webhook_health))
    return found[0] if found else None


_DIGESTED: tuple[tuple[Table, tuple[str, ...]], ...] = (
    (
        tables.payments,
        (
            "id",
            "status",
            "currency",
            "amount",
            "amount_received",
            "amount_refunded",
            "amount_disputed",
            "settled_gross",
            "settled_fee",
            "settled_net",
            "failure_code",
            "customer_email",
            "is_foreign",
            "final",
            "paid_at",
        ),
    ),
    (tables.refunds, ("id", "payment_id", "status", "currency", "amount")),
    (tables.disputes, ("id", "payment_id", "status", "currency", "amount")),
    (tables.checkout_sessions, ("id", "payment_id", "payment_status", "amount_total")),
    (tables.balance_transactions, ("id", "payment_id", "amount", "fee", "net", "currency")),
    (tables.allocations, ("payment_id", "invoice_id", "amount", "rule", "decided_by")),
    (
        tables.settlements,
        (
            "invoice_id",
            "currency",
            "amount_due",
            "received",
            "refunded",
            "refund_pending",
            "disputed",
            "net",
            "payment_status",
            "paid_at",
        ),
    ),
)


def digest(tx: Tx) -> str:
    """A digest of everything that is a function of the set of evidence: equal books, equal digest."""
    whole = sha256()
    for table, names in _DIGESTED:
        asked = select(*(table.c[name] for name in names)).order_by(*table.primary_key)
        if table is tables.settlements:
            # An invoice that a payment has named and left keeps an empty row: history, not state.
            asked = asked.where(or_(table.c.payment_status != "unpaid", table.c.net != 0))
        _feed(whole, tx, asked)
    column = tables.exceptions.c
    # This kind looks at the invoice's own word, which is the app's and outside the digest.
    asked = select(column.kind, column.subject).where(
        column.state == "open", column.kind != "paid_here_not_at_stripe"
    )
    _feed(whole, tx, asked.order_by(column.kind, column.subject))
    return whole.hexdigest()


def _feed(whole: Any, tx: Tx, statement: Select[Any]) -> None:
    rows: Sequence[Any] = tx.execute(statement).all()
    whole.update(repr(sorted(map(repr, map(tuple, rows)))).encode())
