"""May a manual run still be written? Not once it is complete: it may be signed by now."""

from sqlalchemy import select

from reconciler.core.report import RunState
from reconciler.db.run_tables import reconcile_runs
from reconciler.db.session import Tx


class RunEnded(Exception):  # noqa: N818 - it names what became of the run
    """Somebody else has brought it to its end."""


def require_open(tx: Tx, run_id: int) -> None:
    """Raise RunEnded if a run is complete; asked in the transaction that would write to it."""
    column = reconcile_runs.c
    if tx.scalar(select(column.state).where(column.id == run_id)) == RunState.COMPLETE.value:
        raise RunEnded
