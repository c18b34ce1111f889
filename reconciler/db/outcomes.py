"""How is a decision written: allocations, settlements, claims, exceptions, audit rows and notices?"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from sqlalchemy import delete, tuple_, update

from reconciler.core import audit
from reconciler.core.audit import InvoiceChange, PaymentChange, Transition
from reconciler.core.decision import Decision
from reconciler.core.exceptions import GRACED, Finding
from reconciler.core.ledger import Ledger, Rules
from reconciler.core.observation import Assignment, Source, moment
from reconciler.db import invoices as invoice_rows
from reconciler.db import tables
from reconciler.db.invoice_table import InvoiceTable
from reconciler.db.ledgers import CONFLICT, RIVAL, WAIVER
from reconciler.db.members import one_of_those
from reconciler.db.prepared import Row, write
from reconciler.db.rows import insert, insert_new, upsert, upsert_by
from reconciler.db.session import Tx

_FREE: Final = delete(tables.allocations).where(
    one_of_those(tables.allocations.c.payment_id, "ids")
)
_CLAIM_NOTHING: Final = delete(tables.claims).where(one_of_those(tables.claims.c.holder_id, "ids"))


def store_assignments(
    tx: Tx, decisions: Sequence[Assignment], *, source: Source, now: datetime
) -> None:
    """Record people's decisions, in the audit trail too; the database numbers them."""
    rows: list[dict[str, object]] = [
        {
            "payment_id": each.payment_id,
            "shares": msgspec.json.encode(each.shares).decode(),
            "decided_by": each.by,
            "reason": each.reason,
            "decided_at": moment(each.decided_ms),
        }
        for each in decisions
    ]
    if rows:
        tx.execute(tables.assignments.insert(), rows)
        told = [
            _transition(audit.decided(each), f"decision of {each.by}", source, now)
            for each in decisions
        ]
        insert(tx, tables.transitions, told)


def store(  # noqa: PLR0913 - a decision, and what must be said about where it came from
    tx: Tx,
    table: InvoiceTable,
    decision: Decision,
    ledger: Ledger,
    *,
    rules: Rules,
    cause: Callable[[Transition], str],
    source: Source,
    now: datetime,
) -> None:
    """Write everything that a decision says about invoices; rows that are already so are not touched."""
    _store_allocations(tx, [each for each in decision.payments if each.is_moved], now)
    _store_waivers(tx, decision.waivers)
    _store_settlements(tx, decision.invoices, now)
    writes = [each.write for each in decision.invoices if each.write is not None]
    invoice_rows.write(tx, table, writes, ledger.invoices, now)
    steps = [_transition(each, cause(each), source, now) for each in decision.transitions]
    insert(tx, tables.transitions, steps)
    _store_exceptions(tx, decision, ledger, rules, now)
    _store_notices(tx, decision, now)


def _store_allocations(tx: Tx, moved: Sequence[PaymentChange], now: datetime) -> None:
    if not moved:
        return
    ids = [each.book.id for each in moved]
    write(tx, _FREE, ids=ids)
    write(tx, _CLAIM_NOTHING, ids=ids)
    rows = [
        {
            "payment_id": each.payment_id,
            "invoice_id": each.invoice_id,
            "amount": each.amount_minor,
            "rule": each.rule.value,
            "decided_by": each.decided_by,
            "reason": each.reason,
            "decided_at": now if each.decided_ms is None else moment(each.decided_ms),
        }
        for change in moved
        for each in change.match.allocations
    ]
    insert_new(tx, tables.allocations, rows)
    claims = [
        {"holder_id": each.book.id, "invoice_id": id_, "kind": kind}
        for each in moved
        for kind, ids in ((CONFLICT, each.match.claimed), (RIVAL, each.match.rivals))
        for id_ in sorted(ids)
    ]
    insert_new(tx, tables.claims, claims)


def _store_waivers(tx: Tx, waivers: Mapping[str, frozenset[str]]) -> None:
    if not waivers:
        return
    write(tx, _CLAIM_NOTHING, ids=waivers.keys())
    rows = [
        {"holder_id": session_id, "invoice_id": id_, "kind": WAIVER}
        for session_id, found in sorted(waivers.items())
        for id_ in sorted(found)
    ]
    insert_new(tx, tables.claims, rows)


def _store_settlements(tx: Tx, changes: Sequence[InvoiceChange], now: datetime) -> None:
    rows = []
    for change in changes:
        settlement, written = change.standing.settlement, change.standing.written
        rows.append(
            {
                "invoice_id": settlement.invoice_id,
                "currency": settlement.currency,
                "amount_due": settlement.amount_due_minor,
                "received": settlement.received_minor,
                "refunded": settlement.refunded_minor,
                "refund_pending": settlement.refund_pending_minor,
                "disputed": settlement.disputed_minor,
                "net": settlement.net_minor,
                "payment_status": settlement.payment_status.value,
                "paid_at": moment(settlement.paid.at_ms) if settlement.paid else None,
                "paid_rank": settlement.paid.rank if settlement.paid else None,
                "status": change.standing.word,
                "prior_status": written.prior_status,
                "written_paid_at": written.paid_at,
                "covered_amount_due": change.standing.covered_due_minor,
                "updated_at": now,
            }
        )
    upsert(tx, tables.settlements, rows)


def _transition(
    each: Transition, evidence: str, source: Source, now: datetime
) -> dict[str, object]:
    return {
        "subject_kind": each.subject_kind,
        "subject_id": each.subject_id,
        "field": each.field,
        "old": each.old,
        "new": each.new,
        "rule": each.rule,
        "evidence": evidence,
        "source": source.value,
        "at": now,
    }


def _store_exceptions(
    tx: Tx, decision: Decision, ledger: Ledger, rules: Rules, now: datetime
) -> None:
    rows = [_exception(each, rules, now) for each in decision.opened]
    went_on = [each for each in rows if (each["kind"], each["subject"]) in ledger.open_exceptions]
    began = [each for each in rows if (each["kind"], each["subject"]) not in ledger.open_exceptions]
    names = ("fingerprint", "state", "amount", "currency", "closed_at", "resolved_by", "reason")
    for part, more in ((went_on, ()), (began, ("opened_at",))):
        upsert_by(
            tx,
            tables.exceptions,
            part,
            key=("kind", "subject"),
            update=(*names, "stripe_at", "counts_from", *more),
        )
    cleared = sorted(decision.cleared & {*ledger.open_exceptions, *ledger.resolved})
    if cleared:
        column = tables.exceptions.c
        tx.execute(
            update(tables.exceptions)
            .where(tuple_(column.kind, column.subject).in_(cleared))
            .values(state="cleared", closed_at=now)
        )


def _exception(finding: Finding, rules: Rules, now: datetime) -> Row:
    stripe_at = moment(finding.at_ms) if finding.at_ms is not None else None
    grace_s = rules.grace_s if finding.kind in GRACED else 0
    return {
        "kind": finding.kind.value,
        "subject": finding.subject,
        "fingerprint": finding.fingerprint,
        "state": "open",
        "amount": finding.amount_minor,
        "currency": finding.currency,
        "stripe_at": stripe_at,
        "counts_from": (stripe_at or now) + timedelta(seconds=grace_s),
        "opened_at": now,
        "closed_at": None,
        "resolved_by": None,
        "reason": None,
    }


def _store_notices(tx: Tx, decision: Decision, now: datetime) -> None:
    rows = [
        {
            "milestone": each.milestone,
            "user_id": each.user_id,
            "kind": each.kind,
            "invoice_id": each.invoice_id,
            "number": each.number,
            "amount": each.amount_minor,
            "currency": each.currency,
            "stripe_at": moment(each.at_ms),
            "enqueued_at": now,
        }
        for each in decision.notices
    ]
    insert_new(tx, tables.notifications, rows)
