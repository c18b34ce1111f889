"""Which manual runs did people leave to the daemon?"""

from sqlalchemy import select, update

from reconciler.core.report import RunHead, RunState
from reconciler.db import holds, runs
from reconciler.db.run_tables import reconcile_runs
from reconciler.db.session import Tx


def leave_to_daemon(tx: Tx, run_id: int) -> bool:
    """Let the daemon run it, or go on with it; False where somebody is at work on it, or has brought it to its end.

    `tx` must be a writing one: whoever asked whether it may be left has read that before, and a daemon is quick.
    """
    if holds.is_held(tx, run_id):
        return False
    column = reconcile_runs.c
    mine = (column.id == run_id) & (column.state != RunState.COMPLETE.value)
    left = {"by_daemon": True, "state": RunState.QUEUED.value}
    return tx.execute(update(reconcile_runs).where(mine).values(left)).rowcount == 1


def of_daemon(tx: Tx) -> list[RunHead]:
    """At most a page of runs that the daemon has to do, or to go on with after it was stopped or killed; the oldest first.

    One that was cut off for another reason waits for a person: it would be cut off again, and again.
    """
    column = reconcile_runs.c
    begun = (RunState.QUEUED.value, RunState.RUNNING.value)
    was_stopped = (column.state == RunState.CUT_OFF.value) & (column.error == runs.STOPPED)
    waiting = select(reconcile_runs).where(column.by_daemon, column.state.in_(begun) | was_stopped)
    return [
        runs.told(tx, row)
        for row in tx.execute(waiting.order_by(column.id).limit(runs.PAGE)).mappings().all()
    ]
