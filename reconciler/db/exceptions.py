"""How is the queue of exceptions read, and how does a person take one off it?"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import select, update

from reconciler.core.observation import Source
from reconciler.db.session import Tx
from reconciler.db.tables import (
    disputes,
    exceptions,
    payment_references,
    payments,
    refunds,
    transitions,
)

Found = list[dict[str, Any]]

OPEN, RESOLVED = "open", "resolved"
ROWS_MAX = 200
TAG_LENGTH: Final = 6


def find(tx: Tx, exception_id: int) -> dict[str, Any] | None:
    """One exception, with its tag."""
    row = tx.execute(select(exceptions).where(exceptions.c.id == exception_id)).mappings().first()
    return tagged(row) if row is not None else None


def tagged(row: Mapping[Any, Any]) -> dict[str, Any]:
    """An exception with a few characters that are others as soon as it says something else: who has them has seen it so."""
    return {**row, "tag": sha256(row["fingerprint"].encode()).hexdigest()[:TAG_LENGTH]}


def about(tx: Tx, subjects: Iterable[str]) -> Found:
    """All that is open about these subjects, also what is still in its time of grace."""
    column = exceptions.c
    asked = select(exceptions).where(column.subject.in_(sorted(subjects)), column.state == OPEN)
    return _rows(tx.execute(asked.order_by(column.id).limit(ROWS_MAX)))


def resolve(tx: Tx, row: dict[str, Any], *, by: str, reason: str, now: datetime) -> None:
    """Take an open exception off the queue while what it says stays the same, and say so in the audit trail."""
    tx.execute(
        update(exceptions)
        .where(exceptions.c.id == row["id"])
        .values(state=RESOLVED, closed_at=now, resolved_by=by, reason=reason)
    )
    tx.execute(
        transitions.insert().values(
            subject_kind="exception",
            subject_id=row["subject"],
            field=row["kind"],
            old=OPEN,
            new=RESOLVED,
            rule=f"{by}: {reason}",
            evidence=f"decision of {by}",
            source=Source.MANUAL.value,
            at=now,
        )
    )


def decisions(tx: Tx, subjects: Iterable[str]) -> Found:
    """What people have decided about these payments, invoices, refunds and disputes, in order: when, who and why."""
    column = transitions.c
    asked = select(
        column.subject_kind, column.subject_id, column.field, column.new, column.rule, column.at
    ).where(
        column.subject_id.in_(sorted(subjects)),
        (column.subject_kind == "exception") | (column.field == "decision"),
    )
    return _rows(tx.execute(asked.order_by(column.id).limit(ROWS_MAX)))


def payment(tx: Tx, payment_id: str) -> dict[str, Any] | None:
    """What a person needs to know of a payment: its money, its moment, its payer and the names that it carries."""
    columns = (
        "id",
        "status",
        "currency",
        "amount",
        "amount_received",
        "amount_refunded",
        "amount_disputed",
        "paid_at",
        "customer_email",
        "is_foreign",
        "stripe_created_at",
    )
    asked = select(*(payments.c[name] for name in columns)).where(payments.c.id == payment_id)
    row = tx.execute(asked).mappings().first()
    if row is None:
        return None
    named = payment_references.c
    names = tx.execute(
        select(named.kind, named.value)
        .where(named.payment_id == payment_id)
        .order_by(named.kind, named.value)
        .limit(ROWS_MAX)
    )
    return {**row, "references": _rows(names)}


def behind(tx: Tx, subject: str) -> dict[str, Any] | None:
    """The refund or dispute with this id, with the payment that it belongs to."""
    for kind, table in (("refund", refunds), ("dispute", disputes)):
        columns = [each for each in table.c if each.name not in {"facts", "account"}]
        row = tx.execute(select(*columns).where(table.c.id == subject)).mappings().first()
        if row is not None:
            return {"kind": kind, **row}
    return None


def _rows(found: Any) -> Found:
    return [dict(row) for row in found.mappings()]
