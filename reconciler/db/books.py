"""What do our tables say of a stretch of time, in the ledger's currency and in that of the payers?

Money counts at the moment at which it moved: that of its balance transaction, which never changes
(https://docs.stripe.com/api/balance_transactions/object). Where that is not known yet, a payment counts when it was paid, and
a refund when it was made if Stripe says that money has moved for it. Sums are made by the database, so that a day of a million
transactions costs no memory.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    and_,
    case,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
)

from reconciler.core.observation import moment
from reconciler.core.schedule import Window
from reconciler.core.words import DISPUTE_MONEY, REFUND_DEAD
from reconciler.db.members import one_of
from reconciler.db.session import Tx
from reconciler.db.tables import balance_transactions, disputes, payments, refunds

CHARGE: Final = "charge"
REFUND: Final = "refund"
CHARGE_FAILURE: Final = "charge_failure"
REFUND_MONEY: Final = frozenset({REFUND, "refund_failure"})

moved = balance_transactions.c
paid = payments.c


class Moved(NamedTuple):
    """The sums of all transactions of one settlement currency and one `reporting_category`."""

    currency: str
    category: str
    transactions: int
    amount_minor: int
    fee_minor: int
    net_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sold:
    """What one part of the sales adds up to, in the currency in which payers were charged."""

    currency: str
    payments: int = 0
    received_minor: int = 0
    refunds: int = 0
    refunded_minor: int = 0
    disputed_minor: int = 0


def ledger_sums(tx: Tx, window: Window, *, only: Collection[str] | None = None) -> list[Moved]:
    """All that moved on the balance, by currency and category; what Stripe leaves unnamed has the category "".

    With `only`, no more than the transactions with these ids.
    """
    of_these = () if only is None else (one_of(moved.id, only),)
    asked = (
        select(
            moved.currency,
            moved.reporting_category,
            func.count(),
            func.sum(moved.amount),
            func.sum(moved.fee),
            func.sum(moved.net),
        )
        .where(within(moved.created, window), *of_these)
        .group_by(moved.currency, moved.reporting_category)
        .order_by(moved.currency, moved.reporting_category)
    )
    return [Moved(row[0], row[1], *(int(each) for each in row[2:])) for row in tx.execute(asked)]


def sales_sums(tx: Tx, window: Window) -> list[Sold]:
    """What payers paid and what went back to them, in parts that belong together; foreign payments are nobody's sales."""
    return [
        *_paid_by(tx, _settled(window)),
        *_paid_by(tx, _waiting(window)),
        *_given_back(tx, _refunded(window), REFUND),
        *_given_back(tx, _refunded_unseen(window), REFUND),
        *_given_back(tx, _failed(window), ""),
        *_disputed(tx, window),
    ]


def within(column: ColumnElement[Any], window: Window) -> ColumnElement[bool]:
    """Whether a moment lies in a window."""
    return and_(column >= moment(window.since_ms), column < moment(window.until_ms))


def beyond(
    at: ColumnElement[Any], id_: ColumnElement[str], mark: tuple[datetime, str] | None
) -> Sequence[ColumnElement[bool]]:
    """What comes after a mark in the order of time and id; said so that an index on time is used."""
    if mark is None:
        return ()
    return (at >= mark[0], or_(at > mark[0], id_ > mark[1]))


def first_charge() -> ColumnElement[bool]:
    """Whether a transaction is the one by which its payment counts: a payment captured in parts counts with its first."""
    other = balance_transactions.alias("other")
    return and_(moved.reporting_category == CHARGE, ~exists().where(*_earlier(other)))


def _earlier(other: FromClause) -> Sequence[ColumnElement[bool]]:
    """Whether another transaction brought a part of the same payment before this one did."""
    before = or_(
        other.c.created < moved.created,
        and_(other.c.created == moved.created, other.c.id < moved.id),
    )
    return (other.c.payment_id == moved.payment_id, other.c.reporting_category == CHARGE, before)


def is_sale() -> ColumnElement[bool]:
    """Whether a payment has brought money that is our business."""
    return and_(paid.amount_received > 0, paid.is_foreign.is_(False))


def unsettled(window: Window) -> ColumnElement[bool]:
    """Whether a payment of a window has no transaction yet by which it could count."""
    known = exists().where(moved.payment_id == paid.id, moved.reporting_category == CHARGE)
    # The first two conditions are those of an index: of a million payments these are few.
    return and_(
        paid.settled_gross.is_(None),
        paid.amount_received > 0,
        within(paid.paid_at, window),
        is_sale(),
        ~known,
    )


def ours(table: FromClause) -> ColumnElement[bool]:
    """Whether a refund or a dispute is of no foreign payment; one whose payment is not known yet may be ours."""
    foreign = exists().where(paid.id == table.c.payment_id, paid.is_foreign.is_(True))
    return ~foreign


def _settled(window: Window) -> Select[Any]:
    """What was received by known transactions: what is captured in parts is received part by part."""
    other, before = balance_transactions.alias("other"), balance_transactions.alias("before")
    is_one = ~exists().where(
        other.c.payment_id == moved.payment_id,
        other.c.reporting_category == CHARGE,
        other.c.id != moved.id,
    )
    earlier = select(func.coalesce(func.sum(before.c.amount), 0)).where(*_earlier(before))
    had = earlier.correlate(balance_transactions).scalar_subquery()
    # In another settlement currency the parts are told in proportion, so that together they are what was received.
    share = _share(had + moved.amount) - _share(had)
    part = case(
        (is_one, paid.amount_received),
        (moved.currency == paid.currency, moved.amount),
        else_=func.coalesce(share, case((first_charge(), paid.amount_received), else_=0)),
    )
    return (
        select(
            paid.currency,
            case((first_charge(), 1), else_=0).label("number"),
            part.label("received"),
        )
        .join_from(balance_transactions, payments, paid.id == moved.payment_id)
        .where(within(moved.created, window), moved.reporting_category == CHARGE, is_sale())
    )


def _share(of: ColumnElement[Any]) -> ColumnElement[int]:
    return cast(paid.amount_received * of / func.nullif(paid.settled_gross, 0), BigInteger)


def _waiting(window: Window) -> Select[Any]:
    return select(
        paid.currency, literal(1).label("number"), paid.amount_received.label("received")
    ).where(unsettled(window))


def _paid_by(tx: Tx, asked: Select[Any]) -> list[Sold]:
    each = asked.subquery()
    sums = select(each.c.currency, func.sum(each.c.number), func.sum(each.c.received))
    return [
        Sold(currency=currency, payments=int(count), received_minor=int(received))
        for currency, count, received in tx.execute(sums.group_by(each.c.currency))
    ]


def _refunded(window: Window) -> Select[Any]:
    """Refunds on the day on which they left, and less by those that came back on the day on which they did."""
    own = refunds.c
    sign = case((moved.reporting_category == REFUND, own.amount), else_=-own.amount)
    return (
        select(own.currency, sign.label("amount"), moved.reporting_category.label("kind"))
        .join_from(balance_transactions, refunds, own.id == moved.source_id)
        .where(
            within(moved.created, window),
            moved.reporting_category.in_(sorted(REFUND_MONEY)),
            ours(refunds),
        )
    )


def _refunded_unseen(window: Window) -> Select[Any]:
    """Refunds for which money has moved, by Stripe's word, in a transaction that is not known yet."""
    own = refunds.c
    known = exists().where(moved.source_id == own.id, moved.reporting_category == REFUND)
    return select(own.currency, own.amount, literal(REFUND).label("kind")).where(
        within(own.stripe_created_at, window),
        # Whether money has moved is kept among the facts only, whose JSON is canonical.
        own.facts.contains('"booked":true', autoescape=True),
        own.status.not_in(sorted(REFUND_DEAD)),
        ~known,
        ours(refunds),
    )


def _failed(window: Window) -> Select[Any]:
    """Bank debits that failed after their money was shown: all of it went back, and nobody made a refund."""
    whole = case((moved.currency == paid.currency, -moved.amount), else_=paid.amount_received)
    return (
        select(paid.currency, whole.label("amount"), moved.reporting_category.label("kind"))
        .join_from(balance_transactions, payments, paid.id == moved.payment_id)
        .where(within(moved.created, window), moved.reporting_category == CHARGE_FAILURE, is_sale())
    )


def _given_back(tx: Tx, asked: Select[Any], counted: str) -> list[Sold]:
    each = asked.subquery()
    count = func.sum(case((each.c.kind == counted, 1), else_=0))
    sums = select(each.c.currency, count, func.sum(each.c.amount)).group_by(each.c.currency)
    rows = tx.execute(sums)
    return [
        Sold(currency=currency, refunds=int(number), refunded_minor=int(amount))
        for currency, number, amount in rows
    ]


def _disputed(tx: Tx, window: Window) -> list[Sold]:
    """What disputes took and gave back, without fees; in another settlement currency it is the dispute's own amount."""
    own = disputes.c
    same = moved.currency == own.currency
    taken = case((same, -moved.amount), (moved.amount < 0, own.amount), else_=-own.amount)
    asked = (
        select(own.currency, func.sum(taken))
        .join_from(balance_transactions, disputes, own.id == moved.source_id)
        .where(
            within(moved.created, window),
            moved.reporting_category.in_(sorted(DISPUTE_MONEY)),
            ours(disputes),
        )
        .group_by(own.currency)
    )
    return [
        Sold(currency=currency, disputed_minor=int(amount))
        for currency, amount in tx.execute(asked)
    ]
