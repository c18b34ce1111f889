"""How are invoices read, held and written, whatever table they live in?"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    and_,
    bindparam,
    case,
    exists,
    or_,
    select,
    update,
)

from reconciler.core.invoice import Invoice, InvoiceWrite
from reconciler.core.observation import Reference, ReferenceKind
from reconciler.db.invoice_table import STORED, InvoiceTable
from reconciler.db.rows import any_of
from reconciler.db.session import Tx
from reconciler.db.tables import checkout_sessions, payments
from reconciler.db.tables import invoices as embedded

_READ = (
    "id",
    "number",
    "currency",
    "amount_due",
    "status",
    "payment_status",
    "paid_at",
    "user_id",
    "customer_email",
    *STORED,
)


def find(
    tx: Tx,
    invoices: InvoiceTable,
    ids: Iterable[str],
    references: Iterable[Reference] = (),
    *,
    for_update: bool = True,
) -> dict[str, Invoice]:
    """Read the invoices with these ids and every one that a reference could fit, locked in id order.

    The app writes these rows too, so whoever decides about them must hold them; whoever only looks need not.
    """
    by_kind: dict[ReferenceKind, set[str]] = {}
    for kind, value in references:
        by_kind.setdefault(kind, set()).add(value)
    stored = {ReferenceKind.PAYMENT_INTENT, ReferenceKind.CHECKOUT_SESSION}
    stored |= {ReferenceKind.PAYMENT_LINK, ReferenceKind.CHARGE}
    values = {v for kind, found in by_kind.items() if kind not in stored for v in found}
    asked = {
        "id": {*ids, *values},
        "number": values,
        "stripe_payment_intent_id": by_kind.get(ReferenceKind.PAYMENT_INTENT, ()),
        "stripe_checkout_session_id": by_kind.get(ReferenceKind.CHECKOUT_SESSION, ()),
        "stripe_payment_link_id": by_kind.get(ReferenceKind.PAYMENT_LINK, ()),
    }
    condition = any_of(
        *((invoices.column(name), invoices.values(name, found)) for name, found in asked.items())
    )
    if condition is None:
        return {}
    columns = [invoices.column(name).label(name) for name in _READ]
    statement = select(*columns).where(condition, invoices.rows()).order_by(invoices.column("id"))
    if for_update and invoices.written:
        statement = statement.with_for_update()
    found = (_invoice(invoices, row) for row in tx.execute(statement).mappings())
    return {each.id: each for each in found}


class UnreadableInvoice(ValueError):  # noqa: N818 - it names a state of a row
    """A row of the invoices says something that can't be reckoned with."""


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
    return [Naming(str(id_), *rest) for id_, *rest in tx.execute(asked)]


def beyond(invoices: InvoiceTable, after: str | None) -> ColumnElement[bool]:
    """Which rows count, and come after the one with this id."""
    if after is None:
        return invoices.rows()
    [key] = invoices.values("id", [after])
    return and_(invoices.rows(), invoices.column("id") > key)


def names_of(invoices: Iterable[Invoice]) -> frozenset[str]:
    """Every value by which a payment could name one of these invoices."""
    return frozenset(
        value
        for each in invoices
        for value in (
            each.id,
            each.number,
            each.payment_intent_id,
            each.checkout_session_id,
            each.payment_link_id,
        )
        if value
    )


def write(tx: Tx, invoices: InvoiceTable, writes: Sequence[InvoiceWrite], now: datetime) -> None:
    """Write the three columns of the rows that differ, as far as the table has them."""
    if not writes or not invoices.written:
        return
    values: dict[Any, Any] = {
        invoices.column(name): bindparam(f"new_{name}") for name in invoices.written
    }
    if invoices.is_ours:
        values[embedded.c.updated_at] = bindparam("new_updated_at")
    statement = update(invoices.table).where(invoices.column("id") == bindparam("key"))
    tx.execute(statement.values(values), [_row(invoices, each, now) for each in writes])


def _row(invoices: InvoiceTable, each: InvoiceWrite, now: datetime) -> dict[str, Any]:
    [key] = invoices.values("id", [each.invoice_id])
    row = {
        "status": invoices.word_out(each.status),
        "payment_status": each.payment_status,
        "paid_at": each.paid_at,
    }
    new = {f"new_{name}": row[name] for name in invoices.written}
    return {"key": key, **new} | ({"new_updated_at": now} if invoices.is_ours else {})


def _invoice(invoices: InvoiceTable, seen: RowMapping) -> Invoice:
    currency = str(seen["currency"]).strip().lower()
    try:
        due_minor = invoices.minor_in(seen["amount_due"], currency)
    except (ValueError, ArithmeticError) as error:
        raise UnreadableInvoice(f"invoice {seen['id']}: {error}") from None
    return Invoice(
        id=str(seen["id"]),
        number=_text(seen["number"]) or "",
        currency=currency,
        amount_due_minor=due_minor,
        status=invoices.word_in(str(seen["status"])),
        payment_status=_text(seen["payment_status"]),
        paid_at=seen["paid_at"],
        paid_on_day_in=invoices.day_zone,
        user_id=_text(seen["user_id"]),
        customer_email=_text(seen["customer_email"]),
        payment_intent_id=_text(seen["stripe_payment_intent_id"]),
        checkout_session_id=_text(seen["stripe_checkout_session_id"]),
        payment_link_id=_text(seen["stripe_payment_link_id"]),
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
