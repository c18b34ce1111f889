"""How many open exceptions are about payments and invoices of a stretch of time?"""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, Table, and_, exists, func, or_, select

from reconciler.core.schedule import Window
from reconciler.db.books import within
from reconciler.db.session import Tx
from reconciler.db.tables import (
    allocations,
    claims,
    disputes,
    exceptions,
    payments,
    refunds,
)

own, paid = exceptions.c, payments.c


def count(tx: Tx, window: Window, *, but: Iterable[str]) -> int:
    """The open exceptions that concern money of a window, of all kinds but some.

    They are about a payment that was paid (or else made) in it, about a refund or dispute that was made in it or is of such a
    payment, or about an invoice that such a payment pays or names.
    """
    mine = and_(own.state == "open", own.kind.not_in(sorted(but)), _about(window))
    return int(tx.scalar(select(func.count()).select_from(exceptions).where(mine)) or 0)


def _about(window: Window) -> ColumnElement[bool]:
    of_window = within(func.coalesce(paid.paid_at, paid.stripe_created_at), window)
    itself = exists().where(paid.id == own.subject, of_window)
    placed = exists().where(
        allocations.c.invoice_id == own.subject, paid.id == allocations.c.payment_id, of_window
    )
    named = exists().where(
        claims.c.invoice_id == own.subject, paid.id == claims.c.holder_id, of_window
    )
    return or_(
        itself, placed, named, *(_back(each, window, of_window) for each in (refunds, disputes))
    )


def _back(table: Table, window: Window, of_window: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether it is about money that went back: in the window, or of a payment of the window."""
    each = table.c
    of_payment = exists().where(paid.id == each.payment_id, of_window)
    made = within(each.stripe_created_at, window)
    return exists().where(each.id == own.subject, or_(made, of_payment))
