"""Which invoices may be meant by money that has no place? A bounded pool of those that wait for money, to be ranked."""

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from typing import Any, Final

from sqlalchemy import ColumnElement, case, desc, func, or_, select

from reconciler.core.candidates import NEAR, WRITTEN, Prospect, Wanted, written
from reconciler.core.invoice import Invoice
from reconciler.core.observation import ReferenceKind
from reconciler.db import invoices as invoice_rows
from reconciler.db.invoice_table import InvoiceTable
from reconciler.db.session import Tx
from reconciler.db.tables import settlements

POOL_MAX: Final = 300
_SIGNS: Final = "- /_.#"
# A Payment Link may be on thousands of invoices: it is asked for in the pool, which is bounded.
_EXACT: Final = WRITTEN | {ReferenceKind.PAYMENT_INTENT, ReferenceKind.CHECKOUT_SESSION}


def prospects(
    tx: Tx, invoices: InvoiceTable, payable: Iterable[str], wanted: Wanted
) -> list[Prospect]:
    """Payable invoices in the same currency with the amount, the e-mail, the link, such a number or a near day.

    Besides them those that the payment names exactly, whatever their state. At most a few hundred; rows that can't be
    reckoned with are left out.
    """
    ids = _ids(tx, invoices, sorted(payable), wanted)
    typed = [each for each in wanted.references if each.kind in _EXACT and each.value]
    found = {**_found(tx, invoices, ids, ()), **_found(tx, invoices, (), typed)}
    received = _received(tx, found)
    return [
        Prospect(invoice=each, received_minor=received.get(id_, 0))
        for id_, each in sorted(found.items())
    ]


def _ids(tx: Tx, invoices: InvoiceTable, payable: Sequence[str], wanted: Wanted) -> list[str]:
    column, settled = invoices.column, settlements.c
    received = (
        select(settled.received).where(settled.invoice_id == invoices.text("id")).scalar_subquery()
    )
    missing = invoices.minor() - func.coalesce(received, 0)
    same = [missing == wanted.amount_minor, *_of_payer(invoices, wanted)]
    near: list[ColumnElement[bool]] = []
    if wanted.at is not None and "created_at" in invoices.columns:
        near = [column("created_at").between(wanted.at - NEAR, wanted.at + NEAR)]
    asked = (
        select(column("id"))
        .where(
            invoices.rows(),
            invoices.word().in_(payable),
            invoices.currency() == wanted.currency,
            or_(*same, *near),
        )
        .order_by(*(desc(case((each, 1), else_=0)) for each in same), column("id").desc())
        .limit(POOL_MAX)
    )
    return [str(each) for each in tx.scalars(asked)]


def _of_payer(invoices: InvoiceTable, wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    """What the payer may have in common with an invoice."""
    if wanted.email and "customer_email" in invoices.columns:
        yield func.lower(invoices.text("customer_email")) == wanted.email.strip().lower()
    numbers = sorted({_bare(each) for each in written(wanted.references)} - {""})
    if numbers and "number" in invoices.columns:
        bare: Any = func.lower(invoices.text("number"))
        bare = reduce(lambda text, sign: func.replace(text, sign, ""), _SIGNS, bare)
        yield bare.in_(numbers)
    links = {value for kind, value in wanted.references if kind is ReferenceKind.PAYMENT_LINK}
    if links and "stripe_payment_link_id" in invoices.columns:
        yield invoices.text("stripe_payment_link_id").in_(sorted(links))


def _bare(text: str) -> str:
    return reduce(lambda left, sign: left.replace(sign, ""), _SIGNS, text.lower())


def _found(
    tx: Tx, invoices: InvoiceTable, ids: Iterable[str], references: Iterable[Any]
) -> dict[str, Invoice]:
    """The invoices that can be read, of all or else one by one."""
    wanted, named = list(ids), list(references)
    try:
        return invoice_rows.find(tx, invoices, wanted, named, for_update=False)
    except invoice_rows.UnreadableInvoice:
        if len(wanted) + len(named) <= 1:
            return {}
    found: dict[str, Invoice] = {}
    for id_ in wanted:
        found |= _found(tx, invoices, [id_], ())
    for name in named:
        found |= _found(tx, invoices, (), [name])
    return found


def _received(tx: Tx, ids: Iterable[str]) -> dict[str, int]:
    column = settlements.c
    asked = select(column.invoice_id, column.received).where(column.invoice_id.in_(sorted(ids)))
    return {row.invoice_id: row.received for row in tx.execute(asked)}
