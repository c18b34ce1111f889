"""What do our books hold of a stretch of Stripe's time?

For the manual run. Every answer is bounded by its caller: a page, or the objects of a slice.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Table, and_, func, or_, select

from reconciler.core.doubts import FetchKind
from reconciler.core.observation import moment
from reconciler.core.payment import PaymentStatus
from reconciler.core.schedule import Window
from reconciler.core.words import DISPUTE_OVER, REFUND_IN_FLIGHT
from reconciler.db.books import within
from reconciler.db.members import one_of
from reconciler.db.prepared import Row
from reconciler.db.session import Tx
from reconciler.db.sweeps import RunState
from reconciler.db.tables import (
    allocations,
    balance_transactions,
    checkout_sessions,
    disputes,
    exceptions,
    payments,
    refunds,
    settlements,
    stripe_events,
    sweep_runs,
)

PAGE: Final = 200

# By the kind that Stripe lists: our table, and the column with the time by which Stripe lists it.
_KEPT: Final[Mapping[str, tuple[Table, ColumnElement[Any]]]] = MappingProxyType(
    {
        "payment_intent": (payments, payments.c.stripe_created_at),
        "charge": (payments, payments.c.stripe_created_at),
        "checkout_session": (checkout_sessions, checkout_sessions.c.stripe_created_at),
        "refund": (refunds, refunds.c.stripe_created_at),
        "dispute": (disputes, disputes.c.stripe_created_at),
        "balance_transaction": (balance_transactions, balance_transactions.c.created),
    }
)


def ids(tx: Tx, kind: str, window: Window, *, limit: int) -> list[str]:
    """The ids that we keep of a kind and a stretch of time, at most so many."""
    table, at = _KEPT[kind]
    asked = select(table.c.id).where(within(at, window))
    if kind == "payment_intent":
        # A charge that has no PaymentIntent is a payment too, and is in no list of PaymentIntents.
        asked = asked.where(table.c.id.startswith("pi_", autoescape=True))
    return list(tx.scalars(asked.limit(limit)))


class Worth(NamedTuple):
    """What a balance transaction brought or took, and what of it Stripe kept."""

    net_minor: int
    fee_minor: int
    currency: str


def worth(tx: Tx, window: Window, *, limit: int) -> dict[str, Worth]:
    """What the balance transactions of a stretch of time are worth by our rows, by id, at most so many."""
    own = balance_transactions.c
    asked = select(own.id, own.net, own.fee, own.currency).where(within(own.created, window))
    return {row[0]: Worth(*row[1:]) for row in tx.execute(asked.limit(limit))}


class Kept(NamedTuple):
    """One of our rows in words, with its payment and Stripe's time of it."""

    payment_id: str | None
    words: str
    at: datetime | None


_WORDS: Final[Mapping[str, tuple[str, str, str]]] = MappingProxyType(
    {
        "payment_intent": ("status", "amount", "currency"),
        "charge": ("status", "amount", "currency"),
        "checkout_session": ("payment_status", "amount_total", "currency"),
        "refund": ("status", "amount", "currency"),
        "dispute": ("status", "amount", "currency"),
        "balance_transaction": ("type", "net", "currency"),
    }
)


def kept(tx: Tx, kind: str, object_id: str) -> Kept:
    """What we have of an object; nothing where it is not there any more."""
    table, at = _KEPT[kind]
    columns = [table.c[name] for name in _WORDS[kind]]
    owner = table.c.id if table is payments else table.c.payment_id
    asked = select(owner, at, *columns).where(table.c.id == object_id)
    row = tx.execute(asked).first()
    if row is None:
        return Kept(None, "", None)
    return Kept(row[0], " ".join(str(each) for each in row[2:] if each is not None), row[1])


class Unfinished(NamedTuple):
    """A payment that is not final, with what of it must be read: (kind, id)."""

    payment_id: str
    objects: tuple[tuple[str, str], ...]


def unfinished(tx: Tx, listed: Window, *, after: str) -> list[Unfinished]:
    """A page of the payments made or paid in a window that are not final, in order.

    What Stripe's lists of the window showed has just been read: it is left out of their objects.
    """
    column = payments.c
    of_window = or_(within(column.stripe_created_at, listed), within(column.paid_at, listed))
    mine = and_(of_window, ~column.final, ~column.is_foreign)
    asked = select(column.id, column.stripe_created_at).where(mine, column.id > after)
    found = tx.execute(asked.order_by(column.id).limit(PAGE)).all()
    around = _around(tx, [row.id for row in found], listed)
    return [Unfinished(row.id, (*_itself(row, listed), *around.get(row.id, ()))) for row in found]


def _itself(row: Any, listed: Window) -> tuple[tuple[str, str], ...]:
    if not row.id.startswith("pi_"):
        return ((FetchKind.CHARGE.value, row.id),)
    at = row.stripe_created_at
    is_listed = at is not None and moment(listed.since_ms) <= at < moment(listed.until_ms)
    return () if is_listed else ((FetchKind.PAYMENT_INTENT.value, row.id),)


def _around(
    tx: Tx, payment_ids: Sequence[str], listed: Window
) -> dict[str, tuple[tuple[str, str], ...]]:
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    mine = (
        (FetchKind.REFUND, refunds.c, refunds.c.status.in_(sorted(REFUND_IN_FLIGHT))),
        (FetchKind.DISPUTE, disputes.c, disputes.c.status.not_in(sorted(DISPUTE_OVER))),
    )
    for kind, column, is_open in mine:
        at = column.stripe_created_at
        is_unlisted = or_(at.is_(None), ~within(at, listed))
        asked = select(column.id, column.payment_id).where(
            one_of(column.payment_id, payment_ids), is_open, is_unlisted
        )
        for row in tx.execute(asked.order_by(column.id)):
            found[row.payment_id] = (*found.get(row.payment_id, ()), (kind.value, row.id))
    return found


def invoices_of(tx: Tx, payment_ids: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The invoices to which the money of a page of payments belongs."""
    column = allocations.c
    asked = select(column.payment_id, column.invoice_id).where(
        one_of(column.payment_id, payment_ids)
    )
    found: dict[str, tuple[str, ...]] = {}
    for payment_id, invoice_id in tx.execute(asked.order_by(column.invoice_id)):
        found[payment_id] = (*found.get(payment_id, ()), invoice_id)
    return found


def without_fee(tx: Tx, paid: Window, *, after: str) -> list[Row]:
    """A page of the payments paid in a window of which we know no balance transaction: id, currency, received, paid_at."""
    column = payments.c
    mine = and_(
        within(column.paid_at, paid),
        column.status == PaymentStatus.SUCCEEDED.value,
        column.amount_received > 0,
        column.settled_fee.is_(None),
        ~column.is_foreign,
    )
    asked = select(column.id, column.currency, column.amount_received, column.paid_at)
    page = asked.where(mine, column.id > after).order_by(column.id).limit(PAGE)
    return list(tx.execute(page).mappings())


def open_exceptions(tx: Tx, kinds: Iterable[str], *, after: int) -> list[Row]:
    """A page of the open exceptions of some kinds, in order."""
    column = exceptions.c
    mine = and_(column.kind.in_(sorted(kinds)), column.state == "open", column.id > after)
    return list(
        tx.execute(select(exceptions).where(mine).order_by(column.id).limit(PAGE)).mappings()
    )


def moments(
    tx: Tx, payment_ids: Collection[str], invoice_ids: Collection[str]
) -> dict[str, tuple[datetime, ...]]:
    """When the money of a page of payments, and of all payments of a page of invoices, came, by their ids.

    A row of the queue keeps the moment that was known when it was opened, and a better one may have become known since.
    """
    column, belongs = payments.c, allocations.c
    of_payments = select(column.id, func.coalesce(column.paid_at, column.stripe_created_at)).where(
        one_of(column.id, payment_ids)
    )
    of_invoices = (
        select(belongs.invoice_id, column.paid_at)
        .join(payments, column.id == belongs.payment_id)
        .where(one_of(belongs.invoice_id, invoice_ids), column.amount_received > 0)
    )
    found: dict[str, tuple[datetime, ...]] = {}
    for asked in (of_payments, of_invoices):
        for id_, at in tx.execute(asked):
            found[id_] = (*found.get(id_, ()), *([at] if at is not None else []))
    return found


def last_payments(tx: Tx, invoice_ids: Collection[str]) -> dict[str, str]:
    """The payment whose money came last, of each of a page of invoices that have any."""
    column, belongs = payments.c, allocations.c
    asked = (
        select(belongs.invoice_id, column.id)
        .join(payments, column.id == belongs.payment_id)
        .where(one_of(belongs.invoice_id, invoice_ids), column.paid_at.is_not(None))
        .order_by(column.paid_at, column.id)
    )
    return dict(tx.execute(asked).all())


def standings(tx: Tx, invoice_ids: Collection[str]) -> dict[str, tuple[int, int, str]]:
    """What a page of invoices ask for, what is held for each, and the currency of both."""
    column = settlements.c
    asked = select(column.invoice_id, column.amount_due, column.net, column.currency).where(
        one_of(column.invoice_id, invoice_ids)
    )
    return {id_: (due, net, currency) for id_, due, net, currency in tx.execute(asked)}


def swept(tx: Tx, before: datetime) -> tuple[datetime, datetime] | None:
    """From when until when the daemon's lists were read that had begun before a moment; None if none ever was.

    Each begins where the one before it ended, so that nothing in between was left out.
    """
    column = sweep_runs.c
    mine = and_(
        column.state == RunState.DONE.value,
        or_(*(column.sweep.startswith(name) for name in ("events", "money", "recent"))),
        column.started_at < before,
        column.covered_until > column.covered_from,
    )
    asked = select(func.min(column.covered_from), func.max(column.covered_until)).where(mine)
    since, until = tx.execute(asked).one()
    return (since, until) if since is not None and until is not None else None


def begun(tx: Tx) -> datetime | None:
    """Our first sign of life: before it nobody here could have been told anything. None if there was none yet."""
    signs = (func.min(sweep_runs.c.started_at), func.min(stripe_events.c.received_at))
    found = [tx.scalar(select(each)) for each in signs]
    return min((each for each in found if each is not None), default=None)
