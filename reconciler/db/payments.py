"""How is a payment's row written, and read back as the summary that invoices need?"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import bindparam, case, exists, func, or_, select, update

from reconciler.core.audit import PaymentChange
from reconciler.core.doubts import FetchKind
from reconciler.core.exceptions import ExceptionKind
from reconciler.core.facts import PaidAt, SessionFacts
from reconciler.core.matching import Rule
from reconciler.core.observation import ReferenceKind, Source, moment, ms
from reconciler.core.payment import Book, PaymentStatus, Summary
from reconciler.core.schedule import next_check_ms
from reconciler.core.words import DISPUTE_OVER, REFUND_IN_FLIGHT, dispute_word, refund_word
from reconciler.db.facts import encode
from reconciler.db.members import one_of_those
from reconciler.db.prepared import Row, read_those, write_all
from reconciler.db.rows import insert_new, upsert
from reconciler.db.session import Tx
from reconciler.db.tables import (
    allocations,
    claims,
    disputes,
    exceptions,
    payment_references,
    payments,
    refunds,
)

_ON_ITS_WAY = frozenset({PaymentStatus.PROCESSING, PaymentStatus.REQUIRES_CAPTURE})
_AT_ONCE = 200
# Not the facts: they are as long as all the rest.
_SUMMED_UP = tuple(
    payments.c[name]
    for name in (
        "id",
        "status",
        "currency",
        "amount",
        "amount_received",
        "amount_refunded",
        "amount_refund_pending",
        "amount_disputed",
        "dispute_open",
        "paid_rank",
        "paid_at",
        "stripe_created_at",
        "failure_code",
        "customer_email",
        "is_foreign",
        "final",
        "settlement_currency",
        "settled_gross",
        "settled_fee",
        "settled_net",
    )
)
_ONCE = ("first_seen_source", "first_seen_at", "created_at")
_SUMMARIES: Final = select(*_SUMMED_UP).where(one_of_those(payments.c.id, "ids"))
_BEFORE: Final = payments.c.next_check_at
_LATER: Final = bindparam("later", type_=_BEFORE.type)
_BROUGHT_FORWARD: Final = (
    update(payments)
    .where(payments.c.id == bindparam("key"))
    .values(
        next_check_at=case((_LATER.is_(None), None), (_BEFORE <= _LATER, _BEFORE), else_=_LATER)
    )
)


def store(tx: Tx, changes: Sequence[PaymentChange], *, source: Source, now: datetime) -> None:
    """Write the payments that changed, and every name that they carry."""
    changed = [each for each in changes if each.is_changed]
    rows = [_row(each, source, now) for each in changed]
    upsert(tx, payments, rows, keep=(*_ONCE, "next_check_at"))
    known = {each.book.id for each in changed if each.before is not None}
    _bring_checks_forward(tx, [row for row in rows if row["id"] in known])
    insert_new(
        tx,
        payment_references,
        [
            {"payment_id": each.book.id, "kind": kind, "value": value}
            for each in changed
            for kind, value in sorted(references_of(each.book))
        ],
    )


def _bring_checks_forward(tx: Tx, rows: Sequence[Row]) -> None:
    """Let the next look be sooner, or never, but not later: payments that change often must be looked at too."""
    moved = [{"key": each["id"], "later": each["next_check_at"]} for each in rows]
    if moved:
        write_all(tx, _BROUGHT_FORWARD, moved)


def references_of(book: Book) -> set[tuple[str, str]]:
    """Every name (kind, value) that a payment carries, its charges too."""
    of_charges = (each for charge in book.facts.charges.values() for each in charge.references)
    of_sessions = (each for session in book.sessions.values() for each in session.references)
    named = (*book.facts.intent.references, *of_charges, *of_sessions)
    charges = {(ReferenceKind.CHARGE.value, charge) for charge in book.facts.charges}
    return {(kind.value, value) for kind, value in named} | charges


def _row(change: PaymentChange, source: Source, now: datetime) -> Row:
    book, summary = change.book, change.summary
    return {
        "id": book.id,
        "status": summary.status.value,
        "currency": summary.currency,
        "amount": summary.amount_minor,
        "amount_received": summary.received_minor,
        "amount_refunded": summary.refunded_minor,
        "amount_refund_pending": summary.refund_pending_minor,
        "amount_disputed": summary.disputed_minor,
        "dispute_open": summary.dispute_open,
        "settlement_currency": summary.settlement_currency,
        "settled_gross": summary.settled_gross_minor,
        "settled_fee": summary.settled_fee_minor,
        "settled_net": summary.settled_net_minor,
        "paid_at": moment(summary.paid.at_ms) if summary.paid else None,
        "paid_rank": summary.paid.rank if summary.paid else None,
        "customer_email": summary.email,
        "failure_code": summary.failure_code,
        "is_foreign": summary.is_foreign,
        "facts": encode(book.facts),
        "final": summary.is_final,
        "next_check_at": _next_check(book, summary, now),
        "first_seen_source": source.value,
        "first_seen_at": now,
        "stripe_created_at": moment(summary.created_ms) if summary.created_ms is not None else None,
        "created_at": now,
        "updated_at": now,
    }


def _next_check(book: Book, summary: Summary, now: datetime) -> datetime | None:
    if summary.is_final or summary.is_foreign:
        return None
    in_flight = any(refund_word(each) in REFUND_IN_FLIGHT for each in book.refunds.values())
    created_at = moment(summary.created_ms) if summary.created_ms is not None else now
    disputed = any(dispute_word(each) not in DISPUTE_OVER for each in book.disputes.values())
    return _next_look(created_at, summary.status, in_flight or disputed, now)


class Check(NamedTuple):
    """A payment that is not final and must be looked at again, with its refunds and disputes."""

    payment_id: str
    objects: tuple[tuple[str, str], ...]
    due_at: datetime


def due_checks(tx: Tx, now: datetime, *, limit: int) -> list[Check]:
    """Payments whose next look is due, oldest first, with what must be read for each: (kind, id)."""
    column = payments.c
    asked = (
        select(column.id, column.next_check_at)
        .where(column.next_check_at <= now)
        .order_by(column.next_check_at, column.id)
        .limit(limit)
    )
    due = [(row.id, row.next_check_at) for row in tx.execute(asked)]
    around = _around(tx, [id_ for id_, _ in due])
    return [Check(id_, ((_kind(id_), id_), *around.get(id_, ())), at) for id_, at in due]


def checked(tx: Tx, checks: Sequence[Check], now: datetime) -> None:
    """Set when these payments are looked at next, whatever the look will show."""
    column = payments.c
    since = func.coalesce(column.stripe_created_at, column.first_seen_at)
    asked = select(column.id, since.label("since"), column.status)
    rows = tx.execute(asked.where(column.id.in_([each.payment_id for each in checks])))
    moving = {each.payment_id for each in checks if len(each.objects) > 1}
    later = [
        {
            "key": row.id,
            "next": _next_look(row.since, row.status, row.id in moving, now),
        }
        for row in rows
    ]
    if later:
        statement = update(payments).where(column.id == bindparam("key"))
        tx.execute(statement.values(next_check_at=bindparam("next")), later)


def _next_look(created_at: datetime, status: str, is_moving: bool, now: datetime) -> datetime:  # noqa: FBT001 - one of a row's columns
    in_flight = is_moving or PaymentStatus(status) in _ON_ITS_WAY
    created_ms = ms(created_at)
    return moment(next_check_ms(created_ms=created_ms, now_ms=ms(now), in_flight=in_flight))


def _around(tx: Tx, ids: Sequence[str]) -> dict[str, tuple[tuple[str, str], ...]]:
    """The refunds in flight and the disputes of payments that are not over."""
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    mine = (
        (FetchKind.REFUND, refunds.c, refunds.c.status.in_(sorted(REFUND_IN_FLIGHT))),
        (FetchKind.DISPUTE, disputes.c, disputes.c.status.not_in(sorted(DISPUTE_OVER))),
    )
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + _AT_ONCE]
        for kind, column, condition in mine:
            asked = select(column.id, column.payment_id).where(column.payment_id.in_(part))
            for row in tx.execute(asked.where(condition).order_by(column.id)):
                found[row.payment_id] = (*found.get(row.payment_id, ()), (kind.value, row.id))
    return found


def _kind(payment_id: str) -> str:
    is_intent = payment_id.startswith("pi_")
    return (FetchKind.PAYMENT_INTENT if is_intent else FetchKind.CHARGE).value


def summaries(tx: Tx, ids: Iterable[str]) -> dict[str, Summary]:
    """The payments with these ids, as invoices see them."""
    return {row["id"]: _summary(row) for row in read_those(tx, _SUMMARIES, set(ids))}


def _summary(row: Row) -> Summary:
    paid = PaidAt(row["paid_rank"], ms(row["paid_at"])) if row["paid_at"] is not None else None
    created = row["stripe_created_at"]
    return Summary(
        id=row["id"],
        status=PaymentStatus(row["status"]),
        currency=row["currency"],
        amount_minor=row["amount"],
        received_minor=row["amount_received"],
        refunded_minor=row["amount_refunded"],
        refund_pending_minor=row["amount_refund_pending"],
        disputed_minor=row["amount_disputed"],
        dispute_open=row["dispute_open"],
        paid=paid,
        created_ms=ms(created) if created is not None else None,
        failure_code=row["failure_code"],
        email=row["customer_email"],
        is_foreign=row["is_foreign"],
        is_final=row["final"],
        settlement_currency=row["settlement_currency"],
        settled_gross_minor=row["settled_gross"],
        settled_fee_minor=row["settled_fee"],
        settled_net_minor=row["settled_net"],
    )


def naming(tx: Tx, values: Iterable[str]) -> frozenset[str]:
    """The payments (and the Sessions that asked for no money) that carry one of these names."""
    wanted = sorted(values)
    if not wanted:
        return frozenset()
    column = payment_references.c
    return frozenset(tx.scalars(select(column.payment_id).where(column.value.in_(wanted))))


def resting_on(tx: Tx, links: Iterable[str]) -> frozenset[str]:
    """The payments (and Sessions) that one of these Payment Links decided about while it still named one invoice.

    Thousands may have come by a link that several invoices share, and it says nothing of any other of them.
    """
    wanted = sorted(links)
    if not wanted:
        return frozenset()
    named, told = payment_references.c, exceptions.c
    decided = or_(
        exists().where(
            allocations.c.payment_id == named.payment_id,
            allocations.c.rule == Rule.PAYMENT_LINK.value,
        ),
        exists().where(claims.c.holder_id == named.payment_id),
        exists().where(
            told.kind == ExceptionKind.UNMATCHED_PAYMENT.value,
            told.subject == named.payment_id,
            told.fingerprint.endswith(Rule.NOT_BORNE_OUT.value),
        ),
    )
    return frozenset(tx.scalars(select(named.payment_id).where(named.value.in_(wanted), decided)))


def store_waivers(tx: Tx, sessions: Mapping[str, SessionFacts]) -> None:
    """Keep the names of Sessions that asked for no money, so that an invoice that appears later finds them."""
    rows = [
        {"payment_id": session_id, "kind": kind.value, "value": value}
        for session_id, session in sorted(sessions.items())
        for kind, value in sorted(session.references)
    ]
    insert_new(tx, payment_references, rows)
