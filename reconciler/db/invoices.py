"""Where do the invoices live, and what are their columns called?

The only module that knows. The default is our embedded table; an app's own table is described by the same map. Three
columns are ever written: `status`, `payment_status` and `paid_at`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    RowMapping,
    Table,
    bindparam,
    case,
    exists,
    or_,
    select,
    update,
)

from reconciler.core.invoice import Invoice, InvoiceWrite
from reconciler.core.observation import Reference, ReferenceKind
from reconciler.db.rows import any_of
from reconciler.db.session import Tx
from reconciler.db.tables import (
    checkout_sessions,
    payments,
)
from reconciler.db.tables import invoices as embedded

WRITTEN = ("status", "payment_status", "paid_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceTable:
    """A table of invoices: our name of each column to the app's column, and our word for a status to the app's."""

    table: Table = embedded
    columns: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)

    def column(self, name: str) -> Column[object]:
        """The app's column for one of our names."""
        return self.table.c[self.columns.get(name, name)]

    def word_out(self, word: str) -> str:
        """The app's word for one of ours."""
        return self.words.get(word, word)

    def word_in(self, word: str) -> str:
        """Our word for one of the app's; one that is not mapped stays as it is, and is not payable."""
        ours = {theirs: mine for mine, theirs in self.words.items()}
        return ours.get(word, word)


EMBEDDED = InvoiceTable()

STORED = (
    "stripe_payment_intent_id",
    "stripe_checkout_session_id",
    "stripe_payment_link_id",
)
NAMING = ("id", "number", *STORED)
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
    condition = any_of(
        (invoices.column("id"), {*ids, *values}),
        (invoices.column("number"), values),
        (
            invoices.column("stripe_payment_intent_id"),
            by_kind.get(ReferenceKind.PAYMENT_INTENT, ()),
        ),
        (
            invoices.column("stripe_checkout_session_id"),
            by_kind.get(ReferenceKind.CHECKOUT_SESSION, ()),
        ),
        (invoices.column("stripe_payment_link_id"), by_kind.get(ReferenceKind.PAYMENT_LINK, ())),
    )
    if condition is None:
        return {}
    columns = [invoices.column(name).label(name) for name in _READ]
    statement = select(*columns).where(condition).order_by(invoices.column("id"))
    if for_update:
        statement = statement.with_for_update()
    found = (_invoice(invoices, row) for row in tx.execute(statement).mappings())
    return {each.id: each for each in found}


class Naming(NamedTuple):
    """An invoice that waits for its payment and names Stripe objects that nobody has seen yet, or a Payment Link."""

    invoice_id: str
    created_at: datetime
    intent_id: str | None
    session_id: str | None
    link_id: str | None


def naming_stripe(
    tx: Tx, invoices: InvoiceTable, payable: Iterable[str], *, after: str, limit: int
) -> list[Naming]:
    """The next page, by id, of payable invoices that name a Stripe object."""
    id_, intent = invoices.column("id"), invoices.column("stripe_payment_intent_id")
    session = invoices.column("stripe_checkout_session_id")
    link = invoices.column("stripe_payment_link_id")
    new_intent = ~exists().where(payments.c.id == intent)
    new_session = ~exists().where(checkout_sessions.c.id == session)
    words = sorted(invoices.word_out(each) for each in payable)
    asked = (
        select(
            id_,
            invoices.column("created_at"),
            case((new_intent, intent)),
            case((new_session, session)),
            link,
        )
        .where(id_ > after, invoices.column("status").in_(words))
        .where(or_(intent.is_not(None), session.is_not(None), link.is_not(None)))
        .order_by(id_)
        .limit(limit)
    )
    return [Naming(*row) for row in tx.execute(asked)]


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
    """Write the three columns of the rows that differ."""
    if not writes:
        return
    values: dict[Any, Any] = {invoices.column(name): bindparam(f"new_{name}") for name in WRITTEN}
    if "updated_at" in invoices.table.c and invoices.table is embedded:
        values[embedded.c.updated_at] = bindparam("new_updated_at")
    statement = update(invoices.table).where(invoices.column("id") == bindparam("key"))
    tx.execute(
        statement.values(values),
        [
            {
                "key": each.invoice_id,
                "new_status": invoices.word_out(each.status),
                "new_payment_status": each.payment_status,
                "new_paid_at": each.paid_at,
                "new_updated_at": now,
            }
            for each in writes
        ],
    )


def _invoice(invoices: InvoiceTable, seen: RowMapping) -> Invoice:
    return Invoice(
        id=str(seen["id"]),
        number=seen["number"] or "",
        currency=seen["currency"],
        amount_due_minor=int(seen["amount_due"]),
        status=invoices.word_in(seen["status"]),
        payment_status=seen["payment_status"],
        paid_at=seen["paid_at"],
        user_id=seen["user_id"],
        customer_email=seen["customer_email"],
        payment_intent_id=seen["stripe_payment_intent_id"],
        checkout_session_id=seen["stripe_checkout_session_id"],
        payment_link_id=seen["stripe_payment_link_id"],
    )
