"""What do people and reports ask the database? Named reads that never lock."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import RowMapping, Select, Table, and_, func, or_, select

from reconciler.db import evidence, tables
from reconciler.db.foreign import UNREADABLE
from reconciler.db.invoice_table import EMBEDDED, NAMES, InvoiceTable
from reconciler.db.rows import any_of
from reconciler.db.session import Tx

Found = list[dict[str, Any]]


def _found(tx: Tx, statement: Select[Any]) -> Found:
    return [dict(row) for row in tx.execute(statement).mappings()]


def payment_ids(tx: Tx, *, after: str, limit: int) -> list[str]:
    """The next page of payment ids."""
    column = tables.payments.c.id
    return list(tx.scalars(select(column).where(column > after).order_by(column).limit(limit)))


def settled_invoice_ids(tx: Tx, *, after: str, limit: int) -> list[str]:
    """The next page of invoices that were ever settled."""
    column = tables.settlements.c.invoice_id
    return list(tx.scalars(select(column).where(column > after).order_by(column).limit(limit)))


def allocated_minor(tx: Tx, payment_id: str) -> int:
    """How much of a payment is allocated, in minor units of its currency."""
    column = tables.allocations.c
    total = tx.scalar(
        select(func.coalesce(func.sum(column.amount), 0)).where(column.payment_id == payment_id)
    )
    return int(total or 0)


def observations_of(tx: Tx, object_ids: Iterable[str]) -> Found:
    """All that was ever observed of these objects, oldest first."""
    wanted, column = sorted(object_ids), tables.observations.c
    found: Found = []
    for start in range(0, len(wanted), 1000):
        part = wanted[start : start + 1000]
        found += _found(tx, select(tables.observations).where(column.object_id.in_(part)))
    return sorted(found, key=lambda row: (row["first_ms"], row["object_id"], row["digest"]))


def invoices(
    tx: Tx,
    table: InvoiceTable = EMBEDDED,
    *,
    status: str | None = None,
    payment_status: str | None = None,
    limit: int = 50,
) -> Found:
    """Invoices in our words, newest change first where the table tells of changes, else the newest."""
    newest = table.column("updated_at" if "updated_at" in table.columns else "id")
    asked = _of_table(table).order_by(newest.desc(), table.column("id")).limit(limit)
    if status is not None:
        asked = asked.where(table.word() == status)
    if payment_status is not None:
        asked = asked.where(table.text("payment_status") == payment_status)
    return [_invoice(table, row) for row in tx.execute(asked).mappings()]


def invoice(tx: Tx, key: str, table: InvoiceTable = EMBEDDED) -> dict[str, Any] | None:
    """One invoice by its id, else by its number if that is unambiguous."""
    names = ((table.column(name), table.values(name, [key])) for name in ("id", "number"))
    condition = any_of(*names)
    if condition is None:
        return None
    rows = tx.execute(_of_table(table).where(condition)).mappings()
    found = [_invoice(table, row) for row in rows]
    chosen = [row for row in found if row["id"] == key] or found
    return chosen[0] if len(chosen) == 1 else None


def _of_table(table: InvoiceTable) -> Select[Any]:
    columns = (table.column(name).label(name) for name in NAMES)
    return select(*columns).where(table.rows())


def _invoice(table: InvoiceTable, row: RowMapping) -> dict[str, Any]:
    """A row under our names and in our words; what can't be read in it is not there."""
    found = {**row, "id": str(row["id"]), "currency": str(row["currency"] or "").strip().lower()}
    for name, value in row.items():
        if value is UNREADABLE:
            found[name] = None
    if table.day_zone is not None and found["paid_at"] is not None:
        found["paid_at"] = found["paid_at"].astimezone(table.day_zone).date()
    try:
        found["amount_due"] = table.minor_in(row["amount_due"], found["currency"])
    except ValueError:
        found["amount_due"] = None
    return found | {"status": table.word_in(row["status"])}


def settlement(tx: Tx, invoice_id: str) -> dict[str, Any] | None:
    """What an invoice has received and still holds."""
    column = tables.settlements.c.invoice_id
    found = _found(tx, select(tables.settlements).where(column == invoice_id))
    return found[0] if found else None


def allocations_of_invoice(tx: Tx, invoice_id: str) -> Found:
    """The payments of an invoice, and those whose names disagree about it."""
    column, paid = tables.allocations.c, tables.payments.c
    return _found(
        tx,
        select(tables.allocations, paid.status, paid.currency, paid.amount_received)
        .join(tables.payments, paid.id == column.payment_id)
        .where(column.invoice_id == invoice_id)
        .order_by(column.payment_id),
    )


def claims_of_invoice(tx: Tx, invoice_id: str) -> Found:
    """Payments and Sessions that name an invoice without being allocated to it."""
    column = tables.claims.c.invoice_id
    return _found(tx, select(tables.claims).where(column == invoice_id))


def payments(tx: Tx, *, status: str | None = None, limit: int = 50) -> Found:
    """Payments, newest change first."""
    column = tables.payments.c
    asked = select(tables.payments).order_by(column.updated_at.desc(), column.id).limit(limit)
    return _found(tx, asked if status is None else asked.where(column.status == status))


def payment_named(tx: Tx, object_id: str) -> str | None:
    """The payment that a PaymentIntent's or a charge's id means."""
    own, name = tables.payments.c, tables.payment_references.c
    of_charge = select(name.payment_id).where(name.kind == "charge", name.value == object_id)
    asked = select(own.id).where(or_(own.id == object_id, own.id.in_(of_charge)))
    # A charge that had a row of its own, and was then found to be a PaymentIntent's, is that one's.
    return tx.scalar(asked.order_by(own.id == object_id, own.id).limit(1))


def payment(tx: Tx, payment_id: str) -> dict[str, Any] | None:
    """One payment with everything around it."""
    found = _found(tx, select(tables.payments).where(tables.payments.c.id == payment_id))
    if not found:
        return None
    around: tuple[tuple[str, Table], ...] = (
        ("allocations", tables.allocations),
        ("references", tables.payment_references),
        ("refunds", tables.refunds),
        ("disputes", tables.disputes),
        ("checkout_sessions", tables.checkout_sessions),
        ("balance_transactions", tables.balance_transactions),
    )
    extra = {
        name: _found(tx, select(table).where(table.c.payment_id == payment_id))
        for name, table in around
    }
    return {**found[0], **extra}


def events(tx: Tx, *, state: str | None = None, limit: int = 50) -> Found:
    """Stored events without their bodies, newest first."""
    column = tables.stripe_events.c
    columns = [each for each in column if each.name != "body"]
    asked = select(*columns).order_by(column.received_at.desc(), column.id).limit(limit)
    return _found(tx, asked if state is None else asked.where(column.state == state))


def event(tx: Tx, event_id: str) -> dict[str, Any] | None:
    """One stored event with its body."""
    found = _found(tx, select(tables.stripe_events).where(tables.stripe_events.c.id == event_id))
    return found[0] if found else None


def events_about(tx: Tx, object_ids: Iterable[str]) -> Found:
    """Stored events about these objects, oldest first, without their bodies."""
    column = tables.stripe_events.c
    columns = [each for each in column if each.name != "body"]
    wanted = sorted(object_ids)
    asked = select(*columns).where(column.object_id.in_(wanted))
    return _found(tx, asked.order_by(column.created, column.id))


def open_exceptions(tx: Tx, *, now: datetime, limit: int = 200) -> Found:
    """What needs a person now; those still in their time of grace are not shown."""
    column = tables.exceptions.c
    return _found(
        tx,
        select(tables.exceptions)
        .where(and_(column.state == "open", column.counts_from <= now))
        .order_by(column.opened_at, column.id)
        .limit(limit),
    )


def exception(tx: Tx, exception_id: int) -> dict[str, Any] | None:
    """One exception."""
    found = _found(tx, select(tables.exceptions).where(tables.exceptions.c.id == exception_id))
    return found[0] if found else None


def transitions_of(tx: Tx, subjects: Iterable[str]) -> Found:
    """The audit trail of these subjects, in the order in which it was written."""
    column = tables.transitions.c
    asked = select(tables.transitions).where(column.subject_id.in_(sorted(subjects)))
    return _found(tx, asked.order_by(column.id))


def notifications_of(tx: Tx, invoice_id: str) -> Found:
    """What was enqueued to be told about an invoice."""
    column = tables.notifications.c
    asked = select(tables.notifications).where(column.invoice_id == invoice_id)
    return _found(tx, asked.order_by(column.id))


def health(tx: Tx) -> dict[str, Any] | None:
    """The counts and last moments of good and bad deliveries."""
    found = _found(tx, select(tables.webhook_health))
    return found[0] if found else None


def last_runs(tx: Tx) -> Found:
    """The latest run of each sweep, and of each the latest that came to its end."""
    column = tables.sweep_runs.c
    latest = select(func.max(column.id)).group_by(column.sweep)
    done = latest.where(column.state == "done")
    asked = select(tables.sweep_runs).where(or_(column.id.in_(latest), column.id.in_(done)))
    return _found(tx, asked.order_by(column.sweep, column.id))


def cursors(tx: Tx) -> Found:
    """How far each sweep has come."""
    return _found(tx, select(tables.cursors).order_by(tables.cursors.c.name))


class Swept(NamedTuple):
    """When the last run of a sweep began that came to its end, and until when it, or one before it, has looked."""

    began_at: datetime
    covered_until: datetime | None


def swept(tx: Tx) -> dict[str, Swept]:
    """How far each sweep has come that ever came to its end."""
    column = tables.sweep_runs.c
    rows = tx.execute(
        select(column.sweep, func.max(column.started_at), func.max(column.covered_until))
        .where(column.state == "done")
        .group_by(column.sweep)
    )
    return {sweep: Swept(began_at, until) for sweep, began_at, until in rows}


def events_by_source(tx: Tx, since: datetime) -> dict[str, int]:
    """How many of Stripe's events since a moment came first through each door."""
    column = tables.stripe_events.c
    rows = tx.execute(
        select(column.source, func.count()).where(column.created >= since).group_by(column.source)
    )
    return dict(rows.all())


def events_by_state(tx: Tx, states: Iterable[str]) -> dict[str, int]:
    """How many events are in each of these states; those with none are left out."""
    column = tables.stripe_events.c
    asked = select(column.state, func.count()).where(column.state.in_(sorted(states)))
    return dict(tx.execute(asked.group_by(column.state)).all())


def fetch_backlog(tx: Tx) -> tuple[int, datetime | None]:
    """How many objects wait to be read again, and since when the oldest does."""
    column = tables.fetches.c
    count, oldest = tx.execute(select(func.count(), func.min(column.asked_at))).one()
    return count, oldest


def looks_awaited(tx: Tx) -> tuple[int, datetime | None]:
    """How many objects wait to be read only because it is time to look again, and since when the oldest does."""
    column = tables.fetches.c
    asked = select(func.count(), func.min(column.asked_at)).where(column.reason == evidence.CHECK)
    count, oldest = tx.execute(asked).one()
    return count, oldest


def open_exception_counts(tx: Tx, *, now: datetime) -> dict[str, int]:
    """How many exceptions of each kind need a person now."""
    column = tables.exceptions.c
    rows = tx.execute(
        select(column.kind, func.count())
        .where(and_(column.state == "open", column.counts_from <= now))
        .group_by(column.kind)
        .order_by(column.kind)
    )
    return dict(rows.all())
