"""Which invoices may be meant by money that has no place? A bounded pool of those that wait for money, to be ranked."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import reduce
from operator import add
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, case, desc, func, or_, select, union

from reconciler.core.candidates import (
    NEAR,
    WEIGHTS,
    WRITTEN,
    Prospect,
    Reason,
    Wanted,
    written,
)
from reconciler.core.invoice import PAID_WORD, Invoice
from reconciler.core.observation import ReferenceKind
from reconciler.db import invoices as invoice_rows
from reconciler.db.invoice_table import InvoiceTable
from reconciler.db.session import Tx
from reconciler.db.tables import settlements

EACH_MAX: Final = 30
"""So many of each reason that were made before the money came, and so many that were made later."""
_SIGNS: Final = "- /_.#"
# A Payment Link may be on thousands of invoices: it is asked for in the pool, which is bounded.
_EXACT: Final = WRITTEN | {ReferenceKind.PAYMENT_INTENT, ReferenceKind.CHECKOUT_SESSION}


def prospects(
    tx: Tx, invoices: InvoiceTable, payable: Iterable[str], wanted: Wanted
) -> list[Prospect]:
    """Invoices that wait for money in the same currency, with the amount, the e-mail, the link, such a number or a near day.

    Besides them those that the payment names exactly, whatever their state. At most a few hundred; rows that can't be
    reckoned with are left out.
    """
    ids = _ids(tx, invoices, sorted(payable), wanted)
    typed = [each for each in wanted.references if each.kind in _EXACT and each.value]
    found = {**_found(tx, invoices, ids, ()), **_found(tx, invoices, (), typed)}
    held = _held(tx, found)
    return [
        Prospect(invoice=each, net_minor=held.get(id_, 0)) for id_, each in sorted(found.items())
    ]


def _ids(tx: Tx, invoices: InvoiceTable, payable: Sequence[str], wanted: Wanted) -> list[str]:
    """The best ids for each reason: thousands that share one reason must not push out who has another."""
    true = dict(_reasons(invoices, wanted))
    dated = wanted.at is not None and "created_at" in invoices.columns
    weight = reduce(add, (case((each, WEIGHTS[why]), else_=0) for why, each in true.items()))
    fits = (
        select(
            invoices.column("id").label("id"),
            weight.label("weight"),
            *(case((each, 1), else_=0).label(why.value) for why, each in true.items()),
            *([invoices.column("created_at").label("made")] if dated else []),
        )
        .where(invoices.rows(), _waits(invoices, payable))
        .where(invoices.currency() == wanted.currency, or_(*true.values()))
        .cte("fits")
    )
    best = [
        select(fits.c.id)
        .where(fits.c[why.value] == 1, *side)
        .order_by(desc(fits.c.weight), *nearest, desc(fits.c.id))
        .limit(EACH_MAX)
        .subquery()
        for why in true
        for side, nearest in (_sides(fits.c.made, wanted.at) if dated else [((), ())])
    ]
    return [str(each) for each in tx.scalars(union(*(select(each.c.id) for each in best)))]


_Side = tuple[tuple[ColumnElement[bool], ...], tuple[ColumnElement[Any], ...]]


def _sides(made: ColumnElement[Any], at: datetime | None) -> tuple[_Side, _Side]:
    """What was made before the money came, and the rest, each with the nearest first.

    An app's column may hold moments in any form: they are compared, and no database is asked for their distance.
    """
    after = or_(made > at, made.is_(None))
    return ((made <= at,), (desc(made),)), ((after,), (made.asc().nulls_last(),))


def _waits(invoices: InvoiceTable, payable: Sequence[str]) -> ColumnElement[bool]:
    """Which invoices ask for money: those that may be paid, and those with our `paid` that is no longer borne out."""
    column = settlements.c
    uncovered = select(column.invoice_id).where(
        column.prior_status.is_not(None), column.received < column.amount_due
    )
    return or_(
        invoices.word().in_(payable),
        and_(invoices.word() == PAID_WORD, invoices.text("id").in_(uncovered)),
    )


def _reasons(
    invoices: InvoiceTable, wanted: Wanted
) -> Iterator[tuple[Reason, ColumnElement[bool]]]:
    """What an invoice may have in common with the money."""
    held = (
        select(settlements.c.net)
        .where(settlements.c.invoice_id == invoices.text("id"), settlements.c.net > 0)
        .scalar_subquery()
    )
    yield Reason.SAME_AMOUNT, invoices.minor() == wanted.amount_minor + func.coalesce(held, 0)
    if wanted.email and "customer_email" in invoices.columns:
        email = func.lower(invoices.text("customer_email"))
        yield Reason.SAME_EMAIL, email == wanted.email.strip().lower()
    numbers = sorted({_bare(each) for each in written(wanted.references)} - {""})
    if numbers and "number" in invoices.columns:
        bare: Any = func.lower(invoices.text("number"))
        bare = reduce(lambda text, sign: func.replace(text, sign, ""), _SIGNS, bare)
        yield Reason.LOOK_ALIKE, bare.in_(numbers)
    links = {value for kind, value in wanted.references if kind is ReferenceKind.PAYMENT_LINK}
    if links and "stripe_payment_link_id" in invoices.columns:
        yield Reason.SAME_LINK, invoices.text("stripe_payment_link_id").in_(sorted(links))
    if wanted.at is not None and "created_at" in invoices.columns:
        made = invoices.column("created_at")
        yield Reason.CLOSE_IN_TIME, made.between(wanted.at - NEAR, wanted.at + NEAR)


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


def _held(tx: Tx, ids: Iterable[str]) -> dict[str, int]:
    column = settlements.c
    asked = select(column.invoice_id, column.net).where(column.invoice_id.in_(sorted(ids)))
    return {row.invoice_id: row.net for row in tx.execute(asked)}
