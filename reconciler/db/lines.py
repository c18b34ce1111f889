"""Which payments, refunds, disputes and payouts make up a stretch of time, one by one?

Each of them may be a million: they are read a page at a time, in the order in which the money moved, and no transaction is open
while whoever asked looks at a page.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, tzinfo
from itertools import islice
from typing import Any, Final, TypeAlias, TypeVar

from sqlalchemy import Select, Table, and_, case, distinct, exists, func, or_, select, type_coerce

from reconciler.core.calendar import day_of
from reconciler.core.observation import ms
from reconciler.core.report import PaymentLine, PayoutLine, ReturnLine
from reconciler.core.schedule import Window
from reconciler.core.words import DISPUTE_MONEY
from reconciler.db.books import (
    CHARGE,
    REFUND_MONEY,
    beyond,
    first_charge,
    is_sale,
    moved,
    ours,
    paid,
    unsettled,
    within,
)
from reconciler.db.run_tables import payouts
from reconciler.db.session import Database, Tx
from reconciler.db.tables import allocations, balance_transactions, disputes, payments, refunds
from reconciler.db.types import UtcDateTime

PAGE: Final = 1000

Mark: TypeAlias = tuple[datetime, str]
T = TypeVar("T")
# From a transaction and the mark behind which a page begins to the page, each line with its own mark.
PageOf: TypeAlias = Callable[[Tx, Mark | None], Sequence[tuple[Mark, T]]]

_PAID: Final = (
    paid.id,
    paid.status,
    paid.currency,
    paid.amount_received,
    paid.amount_refunded,
    paid.amount_disputed,
    paid.settlement_currency,
    paid.settled_gross,
    paid.settled_fee,
    paid.settled_net,
)


def payment_lines(db: Database, window: Window, zone: tzinfo) -> Iterator[PaymentLine]:
    """The payments whose money moved in a window, oldest day first."""
    settled = (
        select(*_PAID, moved.created.label("at"), moved.id.label("key"))
        .add_columns(moved.exchange_rate, moved.payout_id)
        .join_from(balance_transactions, payments, paid.id == moved.payment_id)
        .where(within(moved.created, window), first_charge(), is_sale())
    )
    waiting = select(*_PAID, paid.paid_at.label("at"), paid.id.label("key")).where(
        unsettled(window)
    )

    def page(asked: Select[Any], columns: tuple[Any, Any]) -> PageOf[PaymentLine]:
        return lambda tx, mark: _payments(tx, _behind(asked, *columns, mark), zone)

    return heapq.merge(
        _paged(db, page(settled, (moved.created, moved.id))),
        _paged(db, page(waiting, (paid.paid_at, paid.id))),
        key=lambda line: line.day,
    )


def refund_lines(db: Database, window: Window, zone: tzinfo) -> Iterator[ReturnLine]:
    """The refunds that left or came back in a window, each once, and those made in it for which nothing has moved."""
    return _return_lines(db, refunds, REFUND_MONEY, window, zone)


def dispute_lines(db: Database, window: Window, zone: tzinfo) -> Iterator[ReturnLine]:
    """The disputes that moved money in a window, each once, and those opened in it that have moved none."""
    return _return_lines(db, disputes, DISPUTE_MONEY, window, zone)


def payout_lines(db: Database, window: Window, zone: tzinfo) -> Iterator[PayoutLine]:
    """The payouts that were made in a window, with what is known of their composition."""
    own = payouts.c
    asked = select(payouts, own.stripe_created_at.label("at"), own.id.label("key")).where(
        within(own.stripe_created_at, window)
    )
    columns = own.stripe_created_at, own.id
    return _paged(db, lambda tx, mark: _payouts(tx, _behind(asked, *columns, mark), zone))


def payments_of(
    tx: Tx, ids: Sequence[str], zone: tzinfo, *, only_sales: bool = True
) -> dict[str, PaymentLine]:
    """What these payments, at most a page of them, are worth now, each on the day on which it counts now.

    One that is no sale, or none any more, is left out if they are to be sales.
    """
    known = func.coalesce(moved.created, paid.paid_at, paid.stripe_created_at, paid.first_seen_at)
    at = type_coerce(known, UtcDateTime())
    asked = (
        select(*_PAID, at.label("at"), paid.id.label("key"))
        .add_columns(moved.exchange_rate, moved.payout_id)
        .outerjoin_from(
            payments, balance_transactions, and_(moved.payment_id == paid.id, first_charge())
        )
        .where(paid.id.in_(sorted(ids)), *([is_sale()] if only_sales else []))
    )
    return {line.id: line for _, line in _payments(tx, asked, zone)}


def refunds_of(tx: Tx, ids: Sequence[str], zone: tzinfo) -> dict[str, ReturnLine]:
    """What these refunds, at most a page of them, are now, each on the day on which it was made."""
    return _returns_of(tx, refunds, ids, zone)


def disputes_of(tx: Tx, ids: Sequence[str], zone: tzinfo) -> dict[str, ReturnLine]:
    """What these disputes, at most a page of them, are now, each on the day on which it was opened."""
    return _returns_of(tx, disputes, ids, zone)


def pages_of(lines: Iterable[T]) -> Iterator[list[T]]:
    """Lines in pages."""
    left = iter(lines)
    while page := list(islice(left, PAGE)):
        yield page


def _returns_of(tx: Tx, table: Table, ids: Sequence[str], zone: tzinfo) -> dict[str, ReturnLine]:
    own = table.c
    asked = select(table, own.stripe_created_at.label("at"), own.id.label("key"))
    rows = _returns(tx, asked.where(own.id.in_(sorted(ids))), zone)
    return {line.id: line for _, line in rows}


def _paged(db: Database, page: PageOf[T]) -> Iterator[T]:
    mark: Mark | None = None
    while True:
        with db.reading() as tx:
            found = page(tx, mark)
        yield from (line for _, line in found)
        if len(found) < PAGE:
            return
        mark = found[-1][0]


def _behind(asked: Select[Any], at: Any, id_: Any, mark: Mark | None) -> Select[Any]:
    return asked.where(*beyond(at, id_, mark)).order_by(at, id_).limit(PAGE)


def _payments(tx: Tx, asked: Select[Any], zone: tzinfo) -> list[tuple[Mark, PaymentLine]]:
    rows = tx.execute(asked).mappings().all()
    invoices = _invoices_of(tx, [row["id"] for row in rows])
    return [
        (
            (row["at"], row["key"]),
            PaymentLine(
                id=row["id"],
                day=day_of(ms(row["at"]), zone),
                status=row["status"],
                currency=row["currency"],
                received_minor=row["amount_received"],
                refunded_minor=row["amount_refunded"],
                disputed_minor=row["amount_disputed"],
                settlement_currency=row["settlement_currency"],
                gross_minor=row["settled_gross"],
                fee_minor=row["settled_fee"],
                net_minor=row["settled_net"],
                exchange_rate=row.get("exchange_rate") or "",
                invoice_ids=invoices.get(row["id"], ()),
                payout_id=row.get("payout_id") or "",
            ),
        )
        for row in rows
    ]


def _invoices_of(tx: Tx, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    column, found = allocations.c, dict[str, tuple[str, ...]]()
    asked = select(column.payment_id, column.invoice_id).where(column.payment_id.in_(sorted(ids)))
    for row in tx.execute(asked.order_by(column.payment_id, column.invoice_id)):
        found[row.payment_id] = (*found.get(row.payment_id, ()), row.invoice_id)
    return found


def _return_lines(
    db: Database, table: Table, money: frozenset[str], window: Window, zone: tzinfo
) -> Iterator[ReturnLine]:
    own, categories = table.c, sorted(money)
    other = balance_transactions.alias("other")
    mine = (other.c.source_id == own.id, other.c.reporting_category.in_(categories))
    earlier = or_(
        other.c.created < moved.created,
        and_(other.c.created == moved.created, other.c.id < moved.id),
    )
    known = ~exists().where(*mine, within(other.c.created, window), earlier)
    gone = (
        select(table, moved.created.label("at"), moved.id.label("key"))
        .join_from(balance_transactions, table, own.id == moved.source_id)
        .where(within(moved.created, window), moved.reporting_category.in_(categories))
        .where(known, ours(table))
    )
    still = select(table, own.stripe_created_at.label("at"), own.id.label("key")).where(
        within(own.stripe_created_at, window), ~exists().where(*mine), ours(table)
    )

    def page(asked: Select[Any], columns: tuple[Any, Any]) -> PageOf[ReturnLine]:
        return lambda tx, mark: _returns(tx, _behind(asked, *columns, mark), zone)

    return heapq.merge(
        _paged(db, page(gone, (moved.created, moved.id))),
        _paged(db, page(still, (own.stripe_created_at, own.id))),
        key=lambda line: line.day,
    )


def _returns(tx: Tx, asked: Select[Any], zone: tzinfo) -> list[tuple[Mark, ReturnLine]]:
    return [
        (
            (row["at"], row["key"]),
            ReturnLine(
                id=row["id"],
                day=day_of(ms(row["at"]), zone),
                payment_id=row["payment_id"] or "",
                status=row["status"],
                currency=row["currency"],
                amount_minor=row["amount"],
                reason=row.get("reason") or "",
                respond_by=row.get("respond_by"),
            ),
        )
        for row in tx.execute(asked).mappings()
    ]


def _payouts(tx: Tx, asked: Select[Any], zone: tzinfo) -> list[tuple[Mark, PayoutLine]]:
    found = [
        (
            (row["at"], row["key"]),
            PayoutLine(
                id=row["id"],
                day=day_of(ms(row["at"]), zone),
                currency=row["currency"],
                amount_minor=row["amount"],
                status=row["status"],
                arrives_on=row["arrives_on"],
                is_automatic=row["is_automatic"],
                is_complete=row["is_complete"] and row["composition_read"],
            ),
        )
        for row in tx.execute(asked).mappings()
    ]
    held = _held(tx, [line.id for _, line in found if line.is_complete])
    return [(mark, _with(line, held)) for mark, line in found]


def _with(line: PayoutLine, held: Mapping[str, tuple[int, int, int]]) -> PayoutLine:
    if not line.is_complete:
        return line
    brought, count, net = held.get(line.id, (0, 0, 0))
    return replace(line, payments=brought, transactions=count, held_minor=net)


def _held(tx: Tx, ids: Sequence[str]) -> dict[str, tuple[int, int, int]]:
    """What is in payouts; their own transactions, by which they left the balance, are not."""
    # A payment that was captured in parts may be in it several times, and is one.
    payment = func.coalesce(moved.payment_id, moved.source_id)
    brought = func.count(distinct(case((moved.reporting_category == CHARGE, payment))))
    asked = (
        select(moved.payout_id, brought, func.count(), func.sum(moved.net))
        .where(moved.payout_id.in_(sorted(ids)), moved.source_id != moved.payout_id)
        .group_by(moved.payout_id)
    )
    return {id_: (int(of), int(count), int(net)) for id_, of, count, net in tx.execute(asked)}
