"""Which invoices wait for their payment and name a Stripe object, or come after another one?"""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, case, exists, or_, select

from reconciler.db.foreign import UNREADABLE
from reconciler.db.invoice_table import InvoiceTable
from reconciler.db.session import Tx
from reconciler.db.tables import checkout_sessions, payments


class Naming(NamedTuple):
    """An invoice that waits for its payment and names Stripe objects that nobody has seen yet, or a Payment Link."""

    invoice_id: str
    created_at: datetime | None
    intent_id: str | None
    session_id: str | None
    link_id: str | None


def naming_stripe(
    tx: Tx, invoices: InvoiceTable, payable: Iterable[str], *, after: str | None, limit: int
) -> list[Naming]:
    """The next page, by id, of payable invoices that name a Stripe object."""
    intent, session, link = invoices.stored()
    new_intent = ~exists().where(payments.c.id == intent)
    new_session = ~exists().where(checkout_sessions.c.id == session)
    asked = (
        select(
            invoices.column("id"),
            invoices.column("created_at"),
            case((new_intent, intent)),
            case((new_session, session)),
            link,
        )
        .where(invoices.word().in_(sorted(payable)), beyond(invoices, after))
        .where(or_(intent.is_not(None), session.is_not(None), link.is_not(None)))
        .order_by(invoices.column("id"))
        .limit(limit)
    )
    return [
        Naming(str(id_), None if made is UNREADABLE else made, *rest)
        for id_, made, *rest in tx.execute(asked)
    ]


def beyond(invoices: InvoiceTable, after: str | None) -> ColumnElement[bool]:
    """Which rows count, and come after the one with this id."""
    if after is None:
        return invoices.rows()
    [key] = invoices.values("id", [after])
    return and_(invoices.rows(), invoices.column("id") > key)
