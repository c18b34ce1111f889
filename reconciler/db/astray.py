"""Which invoices did the app change, or add, so that they must be settled again?

Compared in the database, whole tables a minute: what an invoice says with what it said when it was settled, and its names
with those under which its payments were looked for.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import reduce
from typing import NamedTuple

from sqlalchemy import ColumnElement, Text, and_, case, cast, exists, func, or_, select

from reconciler.core.invoice import InvoiceStatus
from reconciler.db.invoice_table import NAMING, InvoiceTable
from reconciler.db.naming import beyond
from reconciler.db.rows import upsert
from reconciler.db.session import Tx, may_read_all
from reconciler.db.tables import (
    allocations,
    claims,
    lookups,
    payment_references,
    payments,
    settlements,
)


class Stretch(NamedTuple):
    """Invoices that were compared: those that are astray, and the id of the last one; None where there is none behind it."""

    found: list[str]
    last: str | None


def next_stretch(  # noqa: PLR0913 - a stretch of a list that three settings shape
    tx: Tx,
    invoices: InvoiceTable,
    payable: Iterable[str],
    *,
    looked_since: datetime,
    after: str | None,
    length: int,
) -> Stretch:
    """Compare the next invoices, by id: which are not as they were settled, or are named by what is not theirs?

    What was looked at since `looked_since` and has not changed since is left alone: most stays as it is for a good reason, like
    a payer's reference that the amount does not bear out, or a trigger of the app's that undoes what we write.
    """
    id_ = invoices.column("id")
    end = select(id_).where(beyond(invoices, after)).order_by(id_).offset(length - 1).limit(1)
    last = tx.scalar(end)
    is_astray = _is_astray(invoices, payable, looked_since)
    asked = select(id_).where(beyond(invoices, after), is_astray).order_by(id_)
    if last is not None:
        asked = asked.where(id_ <= last)
    return Stretch([str(each) for each in tx.scalars(asked)], None if last is None else str(last))


def waits(
    tx: Tx,
    invoices: InvoiceTable,
    payable: Iterable[str],
    ids: Sequence[str],
    *,
    looked_since: datetime,
) -> bool:
    """Whether the app has changed or added one of these invoices, and it will be settled again."""
    mine = invoices.column("id").in_(invoices.values("id", ids))
    is_astray = _is_astray(invoices, payable, looked_since)
    return tx.scalar(select(invoices.column("id")).where(mine, is_astray).limit(1)) is not None


def stays_apart(
    tx: Tx, invoices: InvoiceTable, payable: Iterable[str], ids: Sequence[str]
) -> list[str]:
    """Those of these invoices that are not as they were settled, although they have just been written."""
    id_ = invoices.column("id")
    mine = id_.in_(invoices.values("id", ids))
    asked = select(id_).where(mine, invoices.rows(), _differs(invoices, payable)).order_by(id_)
    with may_read_all(tx):
        return [str(each) for each in tx.scalars(asked)]


def next_gone(tx: Tx, invoices: InvoiceTable, *, after: str, length: int) -> Stretch:
    """Look for the rows of the next settled invoices, by id: which have none any more, or are none of ours by now?

    With the first of them those that payments name without being theirs: few, for each of them a person is asked.
    """
    settled, id_ = settlements.c, invoices.column("id")
    # A settlement without a word is one whose invoice is known to be gone.
    asked = select(settled.invoice_id).where(
        settled.invoice_id > after, settled.status.is_not(None)
    )
    ids = tx.scalars(asked.order_by(settled.invoice_id).limit(length)).all()
    last = ids[-1] if len(ids) == length else None
    if not after:
        named = select(claims.c.invoice_id).distinct().order_by(claims.c.invoice_id).limit(length)
        ids = sorted({*ids, *tx.scalars(named)})
    mine = id_.in_(invoices.values("id", ids))
    there = {str(each) for each in tx.scalars(select(id_).where(mine, invoices.rows()))}
    return Stretch([each for each in ids if each not in there], last)


def _is_astray(
    invoices: InvoiceTable, payable: Iterable[str], looked_since: datetime
) -> ColumnElement[bool]:
    looked = exists().where(
        lookups.c.invoice_id == invoices.text("id"),
        lookups.c.asked == _asked(invoices),
        lookups.c.looked_at >= looked_since,
    )
    is_new = ~looked.correlate_except(lookups)
    return or_(
        and_(_differs(invoices, payable), or_(is_new, _settled_since(invoices))),
        and_(or_(_is_called(invoices), _is_claimed(invoices)), is_new),
    )


def _settled_since(invoices: InvoiceTable) -> ColumnElement[bool]:
    """Whether something was settled after the invoice was looked at: then the look says nothing any more."""
    settled = exists().where(
        lookups.c.invoice_id == invoices.text("id"),
        settlements.c.invoice_id == invoices.text("id"),
        settlements.c.updated_at > lookups.c.looked_at,
    )
    return settled.correlate_except(lookups, settlements)


def looked_for(tx: Tx, invoices: InvoiceTable, ids: Sequence[str], now: datetime) -> None:
    """Remember that the payments of these invoices were looked for, under the names that they have now."""
    id_ = invoices.column("id")
    mine = id_.in_(invoices.values("id", ids))
    asked = select(id_, _asked(invoices)).where(mine, invoices.rows())
    # By id: an app's table may have two rows with one, of which a person is told elsewhere.
    with may_read_all(tx):
        named = {str(invoice_id): names for invoice_id, names in tx.execute(asked)}
    rows = [{"invoice_id": each, "asked": named[each], "looked_at": now} for each in named]
    upsert(tx, lookups, rows)


def _asked(invoices: InvoiceTable) -> ColumnElement[str]:
    """All that an invoice says, as one text: by what a payment finds it, and what we write."""
    columns = (invoices.text(each) for each in (*NAMING, "currency", "payment_status"))
    is_dated = case((invoices.column("paid_at").is_(None), ""), else_="paid")
    whole = (*columns, invoices.word(), is_dated, cast(invoices.minor(), Text))
    texts = (func.coalesce(each, "") for each in whole)
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


def _is_claimed(invoices: InvoiceTable) -> ColumnElement[bool]:
    """Whether a payment that is at no invoice, or at another one, names an invoice, or did before it was called otherwise."""
    return exists().where(claims.c.invoice_id == invoices.text("id"))


def _is_called(invoices: InvoiceTable) -> ColumnElement[bool]:
    """Whether an invoice names what it was never settled with, or is named by what is not allocated to it."""
    id_, intent = invoices.text("id"), invoices.text("stripe_payment_intent_id")
    names = [invoices.text(each) for each in NAMING]
    stored = invoices.stored()

    def apart(holder: ColumnElement[str]) -> ColumnElement[bool]:
        allocated, claimed = allocations.c, claims.c
        is_allocated = exists().where(allocated.payment_id == holder, allocated.invoice_id == id_)
        is_claimed = exists().where(claimed.holder_id == holder, claimed.invoice_id == id_)
        # Said aloud: left to itself, a question two levels down would ask about any invoice, and not about this one.
        return and_(
            ~is_allocated.correlate_except(allocations), ~is_claimed.correlate_except(claims)
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
