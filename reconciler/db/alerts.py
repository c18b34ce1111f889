"""What needs a person although no payment or invoice explains it: a dead event, a key without a right, a sweep that fails?

An alert is an exception row that its cause opens and closes, once a (kind, subject); it is logged by whoever opens it.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select, update

from reconciler.core.exceptions import ExceptionKind
from reconciler.db.rows import Row, upsert_by
from reconciler.db.session import Tx
from reconciler.db.tables import exceptions


def open_alert(  # noqa: PLR0913 - one row's columns
    tx: Tx, *, kind: ExceptionKind, subject: str, fingerprint: str, now: datetime, count: int = 1
) -> bool:
    """Open an exception that no payment or invoice explains, or count it up; True if it was not open before."""
    column = exceptions.c
    asked = select(column.state, column["count"]).where(
        column.kind == kind.value, column.subject == subject
    )
    state, counted = tx.execute(asked).one_or_none() or (None, 0)
    row: Row = {
        "kind": kind.value,
        "subject": subject,
        "fingerprint": fingerprint,
        "state": "open",
        "currency": "",
        "count": count + counted,
        "counts_from": now,
        "opened_at": now,
        "closed_at": None,
    }
    update_columns = ("fingerprint", "state", "count", "closed_at")
    upsert_by(tx, exceptions, [row], key=("kind", "subject"), update=update_columns)
    return state != "open"


def close_alerts(tx: Tx, *, kind: ExceptionKind, subjects: Iterable[str], now: datetime) -> None:
    """Close exceptions of a kind that are over."""
    wanted = sorted(subjects)
    if wanted:
        column = exceptions.c
        tx.execute(
            update(exceptions)
            .where(column.kind == kind.value, column.subject.in_(wanted), column.state == "open")
            .values(state="cleared", closed_at=now)
        )
