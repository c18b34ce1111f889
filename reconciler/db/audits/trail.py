"""Does the audit trail tell how each state was reached, and was no final word ever left?"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import and_, exists, or_, select

from reconciler.db.audits import Rule
from reconciler.db.tables import payments, settlements, transitions


def rules() -> Sequence[Rule]:
    """What must hold of the trail, and of the states that it tells of."""
    return (*_statuses(), *_coverage())


def _statuses() -> tuple[Rule, ...]:
    step, paid = transitions.c, payments.c
    last = (
        select(step.new)
        .where(step.subject_id == paid.id, step.subject_kind == "payment", step.field == "status")
        .order_by(step.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    return (
        Rule(
            check="terminal_left",
            key=step.id,
            wrong=and_(
                step.subject_kind == "payment",
                step.field == "status",
                or_(
                    and_(
                        step.old.in_(["succeeded", "conflict"]),
                        step.new.not_in(["succeeded", "conflict"]),
                    ),
                    and_(
                        step.old == "canceled",
                        step.new.not_in(["succeeded", "conflict", "canceled"]),
                    ),
                ),
            ),
            subject="{subject_id}",
            what="it went from {old} to {new}, and a final word never goes",
        ),
        Rule(
            check="status_untold",
            key=paid.id,
            wrong=last.is_distinct_from(paid.status),
            subject="{id}",
            what="it is {status}, and the audit trail does not say how it became so",
        ),
    )


def _coverage() -> tuple[Rule, ...]:
    step, settled = transitions.c, settlements.c
    told = _steps(settled.invoice_id)
    return (
        Rule(
            check="paid_untold",
            key=settled.invoice_id,
            wrong=and_(
                settled.prior_status.is_not(None),
                ~told.where(step.field == "status", step.new == "paid"),
            ),
            subject="invoice {invoice_id}",
            what="we marked it paid, and the audit trail does not say so",
        ),
        Rule(
            check="paid_at_untold",
            key=settled.invoice_id,
            wrong=and_(settled.written_paid_at.is_not(None), ~told.where(step.field == "paid_at")),
            subject="invoice {invoice_id}",
            what="its paid_at was written, and the audit trail does not say so",
        ),
        Rule(
            check="paid_uncovered",
            key=settled.invoice_id,
            wrong=and_(
                settled.amount_due > 0,
                settled.received >= settled.amount_due,
                settled.covered_amount_due.is_(None),
            ),
            subject="invoice {invoice_id}",
            what="it was covered, and for which amount due was not written down",
        ),
    )


def _steps(invoice_id: Any) -> Any:
    step = transitions.c
    return (
        exists()
        .where(step.subject_kind == "invoice", step.subject_id == invoice_id)
        .correlate(settlements)
    )
