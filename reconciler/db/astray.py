"""Which invoices did the app change, or add, so that they must be settled again?

Compared in the database, whole tables a minute: what an invoice says with what it said when it was settled, and its names
with those under which its payments were looked for.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import reduce

from sqlalchemy import ColumnElement, Text, and_, cast, exists, func, or_, select

from reconciler.core.invoice import InvoiceStatus
from reconciler.db.invoice_table import NAMING, InvoiceTable
from reconciler.db.invoices import beyond
from reconciler.db.rows import upsert
from reconciler.db.session import Tx
from reconciler.db.tables import (
    allocations,
    claims,
    lookups,
    payment_references,
    payments,
    settlements,
)


def next_page(  # noqa: PLR0913 - a page of a list that three settings shape
    tx: Tx,
    invoices: InvoiceTable,
    payable: Iterable[str],
    *,
    looked_since: datetime,
    after: str | None,
    limit: int,
) -> list[str]:
    """The next page, by id, of invoices that are not as they were settled, or that something names which is not theirs.

    The latter only if their payments were not looked for under these names since `looked_since`: most stay as they are
    for a good reason, like a payer's reference that the amount does not bear out.
    """
    id_ = invoices.column("id")
    looked = exists().where(
        lookups.c.invoice_id == invoices.text("id"),
        lookups.c.asked == _asked(invoices),
        lookups.c.looked_at >= looked_since,
    )
    found = or_(_differs(invoices, payable), and_(_is_called(invoices), ~looked))
    asked = select(id_).where(beyond(invoices, after), found).order_by(id_).limit(limit)
    return [str(each) for each in tx.scalars(asked)]


def looked_for(tx: Tx, invoices: InvoiceTable, ids: Sequence[str], now: datetime) -> None:
    """Remember that the payments of these invoices were looked for, under the names that they have now."""
    id_ = invoices.column("id")
    asked = select(id_, _asked(invoices)).where(id_.in_(invoices.values("id", ids)))
    rows = [
        {"invoice_id": str(invoice_id), "asked": names, "looked_at": now}
        for invoice_id, names in tx.execute(asked)
    ]
    upsert(tx, lookups, rows)


def _asked(invoices: InvoiceTable) -> ColumnElement[str]:
    """All columns by which a payment finds its invoice, as one text."""
    columns = (invoices.text(each) for each in (*NAMING, "currency"))
    texts = (func.coalesce(each, "") for each in (*columns, cast(invoices.minor(), Text)))
    return reduce(lambda left, right: left + "\x1f" + right, texts)


def _differs(invoices: InvoiceTable, payable: Iterable[str]) -> ColumnElement[bool]:
    """Whether an invoice is not as it was when it was settled, in a way that settling again would heal."""
    settled, due, word = settlements.c, invoices.minor(), invoices.word()
    # Nothing is written to an invoice over nothing, unless a Session that asked for nothing makes it paid.
    is_written = or_(due > 0, settled.payment_status == InvoiceStatus.PAID.value)
    said = func.coalesce(invoices.text("payment_status"), "")
    return exists().where(
        settled.invoice_id == invoices.text("id"),
        or_(
            due != settled.amount_due,
            invoices.currency() != settled.currency,
            func.coalesce(settled.status, "") != word,
            and_(is_written, said != settled.payment_status),
            and_(settled.paid_at.is_not(None), invoices.column("paid_at").is_(None)),
            and_(
                word.in_(sorted(payable)),
                settled.amount_due > 0,
                settled.received >= settled.amount_due,
            ),
        ),
    )


def _is_called(invoices: InvoiceTable) -> ColumnElement[bool]:
    """Whether an invoice names what it was never settled with, or is named by what is not allocated to it."""
    id_, intent = invoices.text("id"), invoices.text("stripe_payment_intent_id")
    names = [invoices.text(each) for each in NAMING]
    stored = invoices.stored()

    def apart(holder: ColumnElement[str]) -> ColumnElement[bool]:
        allocated, claimed = allocations.c, claims.c
        return and_(
            ~exists().where(allocated.payment_id == holder, allocated.invoice_id == id_),
            ~exists().where(claimed.holder_id == holder, claimed.invoice_id == id_),
        )

    named = payment_references.c
    return or_(
        and_(
            or_(*(each.is_not(None) for each in stored)),
            ~exists().where(settlements.c.invoice_id == id_),
        ),
        # One question a name: in one `in`, PostgreSQL would read all references for each invoice.
        *(exists().where(named.value == each, apart(named.payment_id)) for each in names),
        exists().where(payments.c.id == intent, apart(payments.c.id)),
    )
