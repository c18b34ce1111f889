"""Are two books equal? One digest over everything that is a function of the set of evidence."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from sqlalchemy import Select, Table, or_, select

from reconciler.core.exceptions import ExceptionKind
from reconciler.db import tables
from reconciler.db.session import Tx

# The app's own word decides over the first, and how it went with Stripe over the others: none is a function of evidence.
_NOT_OF_EVIDENCE = (
    ExceptionKind.PAID_HERE_NOT_AT_STRIPE.value,
    ExceptionKind.MISSING_AT_STRIPE.value,
    ExceptionKind.READ_FORBIDDEN.value,
    ExceptionKind.SWEEP_FAILING.value,
    ExceptionKind.PUSH_REFUSED.value,
)

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
    asked = select(column.kind, column.subject).where(
        column.state == "open", column.kind.not_in(_NOT_OF_EVIDENCE)
    )
    _feed(whole, tx, asked.order_by(column.kind, column.subject))
    return whole.hexdigest()


def _feed(whole: Any, tx: Tx, statement: Select[Any]) -> None:
    rows: Sequence[Any] = tx.execute(statement).all()
    whole.update(repr(sorted(map(repr, map(tuple, rows)))).encode())
