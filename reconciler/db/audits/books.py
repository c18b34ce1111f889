"""Which rows of the books name what is not there, or say what no apply writes?"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import and_, case, exists, or_

from reconciler.core.exceptions import OF_THE_PROGRAM, ExceptionKind
from reconciler.core.observation import ReferenceKind
from reconciler.db.audits import BEHIND, Rule, missing, unknown
from reconciler.db.ledgers import CONFLICT, RIVAL, WAIVER
from reconciler.db.tables import (
    allocations,
    assignments,
    balance_transactions,
    checkout_sessions,
    claims,
    disputes,
    exceptions,
    observations,
    payment_references,
    payments,
    refunds,
    settlements,
)

_KIND: Final = ExceptionKind
_OF_REFUNDS: Final = [_KIND.REFUND_FAILED.value]
_OF_DISPUTES: Final = sorted(
    {_KIND.DISPUTE_OPEN.value, _KIND.DISPUTE_LOST.value, _KIND.DISPUTE_FX.value}
)
_OF_PAYMENTS: Final = sorted(
    {
        _KIND.UNMATCHED_PAYMENT.value,
        _KIND.CONFLICTING_REFERENCES.value,
        _KIND.CONFLICTING_FACTS.value,
    }
)
_ELSEWHERE: Final = sorted(
    {each.value for each in OF_THE_PROGRAM} | {_KIND.MISSING_AT_STRIPE.value}
)

# Who may name an invoice: a Session that asked for no money does, and is no payment.
_HOLDERS: Final = (payments.c.id, checkout_sessions.c.id)


def rules(late: datetime | None) -> Sequence[Rule]:
    """What must hold of the books; what was due before `late` and is not done is overdue (None: nobody can know)."""
    return (*_allocated(), *_named(), *_exceptions(), *_observed(), *_schedule(late))


def _allocated() -> tuple[Rule, ...]:
    placed, claimed = allocations.c, claims.c
    return (
        Rule(
            check="allocation_orphan",
            key=placed.payment_id,
            wrong=missing(placed.payment_id, payments.c.id),
            subject="{payment_id}",
            what="{amount} of it is allocated to {invoice_id}, and there is no such payment",
        ),
        Rule(
            check="allocation_unsettled",
            key=placed.payment_id,
            wrong=missing(placed.invoice_id, settlements.c.invoice_id),
            subject="{payment_id}",
            what="{amount} of it is allocated to {invoice_id}, which was never settled",
        ),
        Rule(
            check="claim_orphan",
            key=claimed.holder_id,
            wrong=missing(claimed.holder_id, *_HOLDERS),
            subject="{holder_id}",
            what="it claims invoice {invoice_id}, and there is no such payment or Session",
        ),
        Rule(
            check="claim_kind",
            key=claimed.holder_id,
            wrong=claimed.kind.not_in([CONFLICT, RIVAL, WAIVER]),
            subject="{holder_id}",
            what="its claim on invoice {invoice_id} is of an unknown kind, {kind}",
        ),
    )


def _named() -> tuple[Rule, ...]:
    named, moved = payment_references.c, balance_transactions.c
    return (
        Rule(
            check="assignment_orphan",
            key=assignments.c.serial,
            wrong=missing(assignments.c.payment_id, payments.c.id),
            subject="{payment_id}",
            what="{decided_by} has decided about it, and there is no such payment",
        ),
        Rule(
            check="reference_orphan",
            key=named.payment_id,
            wrong=missing(named.payment_id, *_HOLDERS),
            subject="{payment_id}",
            what="its name {value} is stored, and there is no such payment or Session",
        ),
        Rule(
            check="transaction_sum",
            key=moved.id,
            wrong=moved.net != moved.amount - moved.fee,
            subject="{id}",
            what="its net {net} is not {amount} less the fee {fee}",
        ),
    )


def _exceptions() -> tuple[Rule, ...]:
    column = exceptions.c
    about = case(
        (column.kind.in_(_OF_PAYMENTS), missing(column.subject, payments.c.id)),
        (column.kind.in_(_OF_REFUNDS), missing(column.subject, refunds.c.id)),
        (column.kind.in_(_OF_DISPUTES), missing(column.subject, disputes.c.id)),
        (column.kind.in_(_ELSEWHERE), False),
        else_=missing(column.subject, settlements.c.invoice_id),
    )
    is_closed = or_(
        and_(column.state == "open", column.closed_at.is_not(None)),
        and_(column.state != "open", column.closed_at.is_(None)),
        and_(column.state == "resolved", column.resolved_by.is_(None)),
    )
    return (
        Rule(
            check="exception_words",
            key=column.id,
            wrong=or_(
                column.state.not_in(["open", "resolved", "cleared"]), unknown(column.kind, _KIND)
            ),
            subject="exception {id}",
            what="its words are unknown: {kind}, {state}",
        ),
        Rule(
            check="exception_closed",
            key=column.id,
            wrong=is_closed,
            subject="exception {id}",
            what="it is {state}, and when and by whom it was closed does not fit that",
        ),
        Rule(
            check="exception_orphan",
            key=column.id,
            wrong=and_(column.state == "open", about),
            subject="{subject}",
            what="exception {kind} is open, and there is no such object",
        ),
    )


def _observed() -> tuple[Rule, ...]:
    column = observations.c
    charged = exists().where(
        payment_references.c.value == column.object_id,
        payment_references.c.kind == ReferenceKind.CHARGE.value,
    )
    homes = {
        "payment_intent": missing(column.object_id, payments.c.id),
        "foreign": missing(column.object_id, payments.c.id),
        "charge": ~charged.correlate_except(payment_references),
        "refund": missing(column.object_id, refunds.c.id),
        "dispute": missing(column.object_id, disputes.c.id),
        "checkout_session": missing(column.object_id, checkout_sessions.c.id),
        "balance_transaction": missing(column.object_id, balance_transactions.c.id),
    }
    nowhere = case(*((column.kind == kind, wrong) for kind, wrong in homes.items()), else_=True)
    return (
        Rule(
            check="observed_not_booked",
            key=column.object_id,
            wrong=nowhere,
            subject="{object_id}",
            what="{evidence} told of it as a {kind}, and it is not in the books",
        ),
        Rule(
            check="observation_times",
            key=column.object_id,
            wrong=or_(column.first_ms > column.lo_ms, column.lo_ms > column.hi_ms),
            subject="{object_id}",
            what="{evidence} was true from {lo_ms} to {hi_ms} and first at {first_ms}, which can't be",
        ),
    )


def _schedule(late: datetime | None) -> tuple[Rule, ...]:
    column = payments.c
    is_over = or_(column.final, column.is_foreign)
    found = [
        Rule(
            check="schedule",
            key=column.id,
            wrong=or_(
                and_(is_over, column.next_check_at.is_not(None)),
                and_(~is_over, column.next_check_at.is_(None)),
            ),
            subject="{id}",
            what="it is {status}, and its next look is {next_check_at}, which does not fit that",
        )
    ]
    if late is not None:
        found.append(
            Rule(
                check="look_overdue",
                key=column.id,
                wrong=column.next_check_at < late,
                subject="{id}",
                what="its next look was due at {next_check_at}",
                mend=BEHIND,
            )
        )
    return tuple(found)
