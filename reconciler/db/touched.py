"""Which payments did a manual run change, what was known of each before, and which other runs were at them at the same time?"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import delete, or_, select

from reconciler.core.payment import Book
from reconciler.core.report import RunState
from reconciler.db import holds
from reconciler.db.facts import decode, encode
from reconciler.db.members import one_of
from reconciler.db.rows import insert_new
from reconciler.db.run_tables import reconcile_runs, reconcile_touched
from reconciler.db.session import Tx

PAGE: Final = 200
# More runs than that at the same time over the same payments are nothing that anybody has to be told one by one.
RUNS_MAX: Final = 100


def touch(tx: Tx, run_id: int, before: Mapping[str, Book | None]) -> None:
    """Remember what was known of payments before a run first changed them; what it remembers already stays."""
    rows = [
        {
            "run_id": run_id,
            "payment_id": id_,
            "before": encode(book) if book is not None else None,
        }
        for id_, book in sorted(before.items())
    ]
    insert_new(tx, reconcile_touched, rows)


def touched(tx: Tx, run_id: int, *, after: str) -> dict[str, Book | None]:
    """A page of the payments that a run changed, in order, as they were before it; None for those that were not known."""
    column = reconcile_touched.c
    asked = select(column.payment_id, column.before).where(
        column.run_id == run_id, column.payment_id > after
    )
    rows = tx.execute(asked.order_by(column.payment_id).limit(PAGE))
    return {id_: decode(text, Book) if text is not None else None for id_, text in rows}


def beside(tx: Tx, run_id: int) -> list[int]:
    """The other runs that were at work at the same time as this one, which has not ended yet; in order."""
    column = reconcile_runs.c
    began = select(column.started_at).where(column.id == run_id).scalar_subquery()
    at_work = or_(column.ended_at.is_(None), column.ended_at >= began)
    asked = select(column.id, column.ended_at).where(
        column.id != run_id, column.started_at.is_not(None), ~column.is_dry, at_work
    )
    found = tx.execute(asked.order_by(column.id.desc()).limit(RUNS_MAX)).all()
    return sorted(id_ for id_, ended_at in found if ended_at or holds.is_held(tx, id_))


def shared(
    tx: Tx, others: Collection[int], payment_ids: Collection[str]
) -> dict[str, tuple[int, ...]]:
    """Which of these other runs changed a payment too, of a page of payments."""
    column = reconcile_touched.c
    asked = select(column.payment_id, column.run_id).where(
        column.run_id.in_(sorted(others)), one_of(column.payment_id, payment_ids)
    )
    found: dict[str, tuple[int, ...]] = {}
    for payment_id, run_id in tx.execute(asked.order_by(column.run_id)) if others else ():
        found[payment_id] = (*found.get(payment_id, ()), run_id)
    return found


def forget(tx: Tx, before: datetime, *, limit: int) -> int:
    """Forget some of what complete runs remember that ended before a moment; returns how many payments were forgotten."""
    column, run = reconcile_touched.c, reconcile_runs.c
    over = (run.state == RunState.COMPLETE.value) & (run.ended_at < before)
    oldest = tx.scalar(
        select(column.run_id)
        .join(reconcile_runs, run.id == column.run_id)
        .where(over)
        .order_by(column.run_id)
        .limit(1)
    )
    if oldest is None:
        return 0
    some = select(column.payment_id).where(column.run_id == oldest).limit(limit)
    mine = (column.run_id == oldest) & column.payment_id.in_(some)
    return tx.execute(delete(reconcile_touched).where(mine)).rowcount
