"""What needs a person although no payment or invoice explains it: a dead event, a key without a right, a sweep that fails?

An alert is an exception row that its cause opens and closes, once a (kind, subject); it is logged by whoever opens it.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import exists, select
from sqlalchemy import update as update_rows

from reconciler.core.exceptions import ExceptionKind
from reconciler.db.members import one_of
from reconciler.db.rows import upsert_by
from reconciler.db.session import Tx
from reconciler.db.tables import exceptions


def open_alert(  # noqa: PLR0913 - one row's columns
    tx: Tx, *, kind: ExceptionKind, subject: str, fingerprint: str, now: datetime, count: int = 1
) -> bool:
    """Open an exception that no payment or invoice explains, or count it up; True if it was not open before.

    What a person has resolved stays so while the fingerprint is the same.
    """
    column = exceptions.c
    asked = select(column.state, column.fingerprint, column["count"]).where(
        column.kind == kind.value, column.subject == subject
    )
    state, before, counted = tx.execute(asked).one_or_none() or (None, None, 0)
    if state == "resolved" and before == fingerprint:
        return False
    row: dict[str, object] = {
        "kind": kind.value,
        "subject": subject,
        "fingerprint": fingerprint,
        "state": "open",
        "currency": "",
        "count": count + counted,
        "counts_from": now,
        "opened_at": now,
        "closed_at": None,
        "resolved_by": None,
        "reason": None,
    }
    kept = {"kind", "subject", *(("counts_from", "opened_at") if state == "open" else ())}
    update = [name for name in row if name not in kept]
    upsert_by(tx, exceptions, [row], key=("kind", "subject"), update=update)
    return state != "open"


def is_open(tx: Tx, *, kind: ExceptionKind, subject: str) -> bool:
    """Whether an exception is open, or resolved by a person while its cause goes on."""
    column = exceptions.c
    mine = (column.kind == kind.value) & (column.subject == subject) & (column.state != "cleared")
    return tx.scalar(select(exists().where(mine))) is True


class Resolved(NamedTuple):
    """Who has taken an exception off the queue, and why."""

    by: str
    reason: str


def resolved(tx: Tx, *, kind: ExceptionKind, subject: str, fingerprint: str) -> Resolved | None:
    """Who has resolved an exception that still says the same; None if nobody has."""
    column = exceptions.c
    row = tx.execute(
        select(column.resolved_by, column.reason).where(
            column.kind == kind.value,
            column.subject == subject,
            column.state == "resolved",
            column.fingerprint == fingerprint,
        )
    ).one_or_none()
    return None if row is None else Resolved(row.resolved_by or "", row.reason or "")


def subjects(tx: Tx, *, kind: ExceptionKind) -> set[str]:
    """What exceptions of a kind are about that are open, or resolved by a person while their cause goes on."""
    column = exceptions.c
    return set(
        tx.scalars(
            select(column.subject).where(column.kind == kind.value, column.state != "cleared")
        )
    )


def close_alerts(tx: Tx, *, kind: ExceptionKind, subjects: Iterable[str], now: datetime) -> None:
    """Close exceptions of a kind that are over; those that a person resolved too, so that a next time counts anew."""
    wanted = sorted(subjects)
    if wanted:
        column = exceptions.c
        tx.execute(
            update_rows(exceptions)
            .where(
                column.kind == kind.value, one_of(column.subject, wanted), column.state != "cleared"
            )
            .values(state="cleared", closed_at=now)
        )
