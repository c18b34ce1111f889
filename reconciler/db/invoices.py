"""How are invoices read, held and written, whatever table they live in?"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Select,
    Update,
    bindparam,
    func,
    or_,
    select,
    union_all,
    update,
)

from reconciler.core.invoice import Invoice, InvoiceWrite
from reconciler.core.observation import Reference, ReferenceKind
from reconciler.db.foreign import UNREADABLE
from reconciler.db.invoice_table import EMBEDDED, STORED, InvoiceTable
from reconciler.db.members import one_of_those
from reconciler.db.prepared import Row, read_named, write_all
from reconciler.db.session import Tx, may_read_all
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


# Several invoices may bear the same.
_SHARED: Final = frozenset({"number", "stripe_payment_link_id"})


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
        "number": values,
        "stripe_payment_link_id": by_kind.get(ReferenceKind.PAYMENT_LINK, ()),
    }
    names = {name: found for name, found in asked.items() if found}
    if not names:
        return {}
    rows: Iterable[Row]
    if invoices.is_plain:
        rows = read_named(tx, _of_ours(tuple(names), for_update=for_update), **names)
    else:
        wanted = {name: invoices.values(name, found) for name, found in names.items()}
        named = {name: invoices.column(name).in_(keys) for name, keys in wanted.items() if keys}
        if not named:
            return {}
        with may_read_all(tx):
            rows = tx.execute(_fitting(invoices, named, for_update=for_update)).mappings().all()
    found = [_invoice(invoices, row) for row in rows]
    _require_one_of_each(found)
    return {each.id: each for each in found}


@cache
def _of_ours(names: tuple[str, ...], *, for_update: bool) -> Select[Any]:
    """The same query for our own table; the values asked for in each of these columns are the parameter of its name.

    Columns of which nothing is asked are not in it: SQLite may walk through the table for one that is nearly always empty.
    """
    named = {name: one_of_those(EMBEDDED.column(name), name) for name in names}
    return _fitting(EMBEDDED, named, for_update=for_update)


def _fitting(
    invoices: InvoiceTable, named: Mapping[str, ColumnElement[bool]], *, for_update: bool
) -> Select[Any]:
    """The rows that one of these conditions, each of the column of a name, finds."""
    id_ = invoices.column("id")
    wanted = [
        _some_of_each(invoices, name, each) for name, each in named.items() if name in _SHARED
    ]
    own = [each for name, each in named.items() if name not in _SHARED]
    wanted += [select(id_).where(or_(*own), invoices.rows())] if own else []
    columns = [invoices.column(name).label(name) for name in _READ]
    # One list of ids: told in several conditions, PostgreSQL would read the whole table.
    statement = select(*columns).where(id_.in_(union_all(*wanted)), invoices.rows()).order_by(id_)
    if for_update and invoices.written:
        # Nothing here changes a key, so that rows which only point to the invoice need not wait.
        statement = statement.with_for_update(key_share=True)
    return statement


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


def _some_of_each(invoices: InvoiceTable, name: str, mine: ColumnElement[bool]) -> Select[Any]:
    """The first that bear one of these values, by their ids; how many do is no matter, for two are too many."""
    id_, column = invoices.column("id"), invoices.column(name)
    place = func.row_number().over(partition_by=column, order_by=id_)
    asked = select(id_.label("id"), place.label("place"))
    borne = asked.where(mine, invoices.rows()).subquery()
    return select(borne.c.id).where(borne.c.place <= BEARERS_MAX)


def _require_one_of_each(found: Sequence[Invoice]) -> None:
    counted = Counter(each.id for each in found)
    for id_, times in counted.items():
        if times > 1:
            raise UnreadableInvoice(f"invoice {id_}: {times} rows have this id")


def shared_links(tx: Tx, invoices: InvoiceTable, links: Iterable[str]) -> frozenset[str]:
    """Those of these Payment Links that name no invoice, because several carry them."""
    wanted = invoices.values("stripe_payment_link_id", links)
    if not wanted:
        return frozenset()
    link = invoices.column("stripe_payment_link_id")
    borne = select(link).where(link.in_(wanted), invoices.rows()).group_by(link)
    with may_read_all(tx):
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
        rows = [_row(invoices, each, names, now) for each in same]
        if invoices.is_plain:
            write_all(tx, _update_ours(names), rows)
        else:
            with may_read_all(tx):
                tx.execute(_update(invoices, names), rows)


@cache
def _update_ours(names: tuple[str, ...]) -> Update:
    return _update(EMBEDDED, names)


def _update(invoices: InvoiceTable, names: Sequence[str]) -> Update:
    values: dict[Any, Any] = {invoices.column(name): bindparam(f"{_OURS}{name}") for name in names}
    if invoices.is_ours:
        values[embedded.c.updated_at] = bindparam(f"{_OURS}updated_at")
    mine = invoices.column("id") == bindparam(f"{_OURS}key")
    return update(invoices.table).where(mine, invoices.rows()).values(values)


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


def _invoice(invoices: InvoiceTable, seen: Row) -> Invoice:
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
