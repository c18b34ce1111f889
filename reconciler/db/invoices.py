"""How are invoices read, held and written, whatever table they live in?"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
    union_all,
    update,
)

from reconciler.core.invoice import Invoice, InvoiceWrite
from reconciler.core.observation import Reference, ReferenceKind
from reconciler.db.foreign import UNREADABLE
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
    "created_at",
    *STORED,
)
# An app's column may have any name, and a parameter must have another one.
_OURS: Final = "reconciler_"
# A Payment Link or a number that thousands of invoices share must not bring, and lock, them all. More than two, because a
# column may take look-alikes for equal that are then told apart.
BEARERS_MAX: Final = 10


class UnreadableInvoice(ValueError):  # noqa: N818 - it names a state of a row
    """A row of the invoices says something that can't be reckoned with."""


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
        "stripe_payment_intent_id": by_kind.get(ReferenceKind.PAYMENT_INTENT, ()),
        "stripe_checkout_session_id": by_kind.get(ReferenceKind.CHECKOUT_SESSION, ()),
    }
    shared = {
        "number": values,
        "stripe_payment_link_id": by_kind.get(ReferenceKind.PAYMENT_LINK, ()),
    }
    id_ = invoices.column("id")
    own = any_of(
        *((invoices.column(name), invoices.values(name, found)) for name, found in asked.items())
    )
    wanted = [_some_of_each(invoices, name, found) for name, found in shared.items() if found]
    wanted += [] if own is None else [select(id_).where(own, invoices.rows())]
    if not wanted:
        return {}
    columns = [invoices.column(name).label(name) for name in _READ]
    # One list of ids: told in several conditions, PostgreSQL would read the whole table.
    statement = select(*columns).where(id_.in_(union_all(*wanted)), invoices.rows()).order_by(id_)
    if for_update and invoices.written:
        # Nothing here changes a key, so that rows which only point to the invoice need not wait.
        statement = statement.with_for_update(key_share=True)
    found = [_invoice(invoices, row) for row in tx.execute(statement).mappings()]
    _require_one_of_each(found)
    return {each.id: each for each in found}


def sample(
    tx: Tx, invoices: InvoiceTable, *, limit: int, is_filtered: bool = True
) -> list[Invoice | UnreadableInvoice]:
    """Some rows that count, or of all there are; one that can't be reckoned with as the reason."""
    columns = [invoices.column(name).label(name) for name in _READ]
    asked = select(*columns).limit(limit)
    found: list[Invoice | UnreadableInvoice] = []
    for row in tx.execute(asked.where(invoices.rows()) if is_filtered else asked).mappings():
        try:
            found.append(_invoice(invoices, row))
        except UnreadableInvoice as unreadable:
            found.append(unreadable)
    return found


def _some_of_each(invoices: InvoiceTable, name: str, values: Iterable[str]) -> Select[Any]:
    """The first that bear one of these values, by their ids; how many do is no matter, for two are too many."""
    id_, column = invoices.column("id"), invoices.column(name)
    place = func.row_number().over(partition_by=column, order_by=id_)
    asked = select(id_.label("id"), place.label("place"))
    borne = asked.where(column.in_(invoices.values(name, values)), invoices.rows()).subquery()
    return select(borne.c.id).where(borne.c.place <= BEARERS_MAX)


def _require_one_of_each(found: Sequence[Invoice]) -> None:
    counted = Counter(each.id for each in found)
    for id_, times in counted.items():
        if times > 1:
            raise UnreadableInvoice(f"invoice {id_}: {times} rows have this id")


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


def shared_links(tx: Tx, invoices: InvoiceTable, links: Iterable[str]) -> frozenset[str]:
    """Those of these Payment Links that name no invoice, because several carry them."""
    wanted = invoices.values("stripe_payment_link_id", links)
    if not wanted:
        return frozenset()
    link = invoices.column("stripe_payment_link_id")
    borne = select(link).where(link.in_(wanted), invoices.rows()).group_by(link)
    return frozenset(map(str, tx.scalars(borne.having(func.count() > 1))))


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


def write(
    tx: Tx,
    invoices: InvoiceTable,
    writes: Sequence[InvoiceWrite],
    before: Mapping[str, Invoice],
    now: datetime,
) -> None:
    """Write what differs in the three columns, as far as the table has them; what stays as it is, is the app's to spell."""
    alike: dict[tuple[str, ...], list[InvoiceWrite]] = {}
    for each in writes:
        old = before[each.invoice_id]
        differs = tuple(
            name for name in invoices.written if getattr(each, name) != getattr(old, name)
        )
        if differs:
            alike.setdefault(differs, []).append(each)
    for names, same in sorted(alike.items()):
        values: dict[Any, Any] = {
            invoices.column(name): bindparam(f"{_OURS}{name}") for name in names
        }
        if invoices.is_ours:
            values[embedded.c.updated_at] = bindparam(f"{_OURS}updated_at")
        mine = invoices.column("id") == bindparam(f"{_OURS}key")
        statement = update(invoices.table).where(mine, invoices.rows()).values(values)
        tx.execute(statement, [_row(invoices, each, names, now) for each in same])


def _row(
    invoices: InvoiceTable, each: InvoiceWrite, names: Sequence[str], now: datetime
) -> dict[str, Any]:
    [key] = invoices.values("id", [each.invoice_id])
    row = {
        "status": invoices.word_out(each.status),
        "payment_status": each.payment_status,
        "paid_at": each.paid_at,
    }
    whole = {"key": key, **{name: row[name] for name in names}}
    whole |= {"updated_at": now} if invoices.is_ours else {}
    return {f"{_OURS}{name}": value for name, value in whole.items()}


def _invoice(invoices: InvoiceTable, seen: RowMapping) -> Invoice:
    currency = str(seen["currency"]).strip().lower()
    try:
        due_minor = invoices.minor_in(seen["amount_due"], currency)
    except ValueError as error:
        raise UnreadableInvoice(f"invoice {seen['id']}: {error}") from None
    if seen["paid_at"] is UNREADABLE:
        raise UnreadableInvoice(f"invoice {seen['id']}: its paid_at is no moment")
    return Invoice(
        id=str(seen["id"]),
        number=_text(seen["number"]) or "",
        currency=currency,
        amount_due_minor=due_minor,
        status=invoices.word_in(seen["status"]),
        payment_status=_text(seen["payment_status"]),
        paid_at=seen["paid_at"],
        paid_on_day_in=invoices.day_zone,
        user_id=_text(seen["user_id"]),
        customer_email=_text(seen["customer_email"]),
        created_at=None if seen["created_at"] is UNREADABLE else seen["created_at"],
        payment_intent_id=_text(seen["stripe_payment_intent_id"]),
        checkout_session_id=_text(seen["stripe_checkout_session_id"]),
        payment_link_id=_text(seen["stripe_payment_link_id"]),
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
