"""How far has each sweep come, and what has each run of one looked at?

A cursor only moves ahead: of two that move it at once the farther one holds.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import and_, delete, func, insert, select, update

from reconciler.db.rows import insert_new
from reconciler.db.session import Tx
from reconciler.db.tables import cursors, sweep_runs


class RunState(StrEnum):
    """How a run of a sweep went."""

    RUNNING = "running"
    DONE = "done"
    CUT = "cut"
    """The program was stopped or killed meanwhile; what the run covered is covered all the same."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What a run looked at: Stripe's time from `since` until before `until`, how many objects, how many of them new."""

    since: datetime | None = None
    until: datetime | None = None
    objects: int = 0
    found: int = 0


def position(tx: Tx, name: str) -> datetime | None:
    """Where a cursor stands; None for one that has never moved."""
    return tx.scalar(select(cursors.c.position).where(cursors.c.name == name))


def move(tx: Tx, name: str, to: datetime, now: datetime) -> None:
    """Move a cursor ahead; one that is farther already stays."""
    insert_new(tx, cursors, [{"name": name, "position": to, "updated_at": now}])
    column = cursors.c
    tx.execute(
        update(cursors)
        .where(column.name == name, column.position < to)
        .values(position=to, updated_at=now)
    )


def begin(tx: Tx, sweep: str, now: datetime) -> int:
    """Write down that a run begins, and that an earlier one which never ended was cut; returns its id."""
    column = sweep_runs.c
    tx.execute(
        update(sweep_runs)
        .where(column.sweep == sweep, column.state == RunState.RUNNING.value)
        .values(state=RunState.CUT.value)
    )
    row = {"sweep": sweep, "state": RunState.RUNNING.value, "started_at": now}
    return int(tx.execute(insert(sweep_runs).returning(column.id), row).scalar_one())


def end(  # noqa: PLR0913 - one row's columns
    tx: Tx, run_id: int, state: RunState, coverage: Coverage, *, now: datetime, error: str | None
) -> None:
    """Write down how a run went and what it covered."""
    tx.execute(
        update(sweep_runs)
        .where(sweep_runs.c.id == run_id)
        .values(
            state=state.value,
            ended_at=now,
            covered_from=coverage.since,
            covered_until=coverage.until,
            objects=coverage.objects,
            found=coverage.found,
            error=error,
        )
    )


def last_done(tx: Tx, sweep: str) -> datetime | None:
    """When the last run of a sweep began that came to its end; None if none ever did."""
    column = sweep_runs.c
    mine = (column.sweep == sweep) & (column.state == RunState.DONE.value)
    found: datetime | None = tx.scalar(select(func.max(column.started_at)).where(mine))
    return found


def first_begun(tx: Tx) -> datetime | None:
    """When the first run of any sweep began that is remembered; None if there is none."""
    found: datetime | None = tx.scalar(select(func.min(sweep_runs.c.started_at)))
    return found


def remark(tx: Tx, sweep: str, beginning: str, *, since: datetime) -> tuple[str, datetime] | None:
    """What runs of a sweep have last said that begins so, and when one first said it; None if none did of late."""
    column = sweep_runs.c
    said = column.error.contains(beginning, autoescape=True)
    mine = and_(column.sweep == sweep, column.started_at >= since, said)
    last = tx.scalar(select(column.error).where(mine).order_by(column.id.desc()).limit(1))
    if last is None:
        return None
    words = last[last.index(beginning) :]
    same = column.error.endswith(words, autoescape=True)
    return words, tx.scalars(select(func.min(column.started_at)).where(mine, same)).one()


def covered_until(tx: Tx, sweep: str) -> datetime | None:
    """Until when the last run of a sweep looked that came to its end; None if none ever did."""
    column = sweep_runs.c
    mine = (column.sweep == sweep) & (column.state == RunState.DONE.value)
    found: datetime | None = tx.scalar(select(func.max(column.covered_until)).where(mine))
    return found


def forget(tx: Tx, before: datetime) -> None:
    """Delete runs that nobody will ask for any more."""
    tx.execute(delete(sweep_runs).where(sweep_runs.c.started_at < before))
