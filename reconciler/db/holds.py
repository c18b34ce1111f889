"""Is somebody at work on a manual run, or did they die over it?

Whoever works on a run holds a lease on it (`reconciler.db.leases`) and renews it all the time. A row that says `running` and that
nobody holds was left behind by a program that was killed.
"""

from datetime import timedelta
from typing import Final

from sqlalchemy import select

from reconciler.core.report import RunState
from reconciler.db import leases
from reconciler.db.run_tables import reconcile_runs
from reconciler.db.session import Tx

TTL: Final = timedelta(seconds=30)


class RunLost(Exception):  # noqa: N818 - it names what became of the run
    """Somebody else is at work on the run now."""


class RunEnded(Exception):  # noqa: N818 - it names what became of the run
    """Somebody else has brought it to its end."""


def hold(tx: Tx, run_id: int, holder: str, token: int | None) -> int | None:
    """Begin to work on a run, or go on; returns the token, or None while somebody else is at work. `tx` must be a writing one."""
    return leases.hold(tx, _name(run_id), holder, token, ttl=TTL)


def release(tx: Tx, run_id: int, token: int) -> None:
    """Tell that nobody is at work any more."""
    leases.release(tx, _name(run_id), token)


def is_held(tx: Tx, run_id: int) -> bool:
    """Whether somebody is at work on a run."""
    return leases.is_held(tx, _name(run_id), ttl=TTL)


def require(tx: Tx, run_id: int, token: int) -> None:
    """Raise unless a run may still be written by whoever has this token; asked in the transaction that would write to it.

    RunEnded if it is complete, and may be signed by now; RunLost if somebody else took it over.
    """
    column = reconcile_runs.c
    if tx.scalar(select(column.state).where(column.id == run_id)) == RunState.COMPLETE.value:
        raise RunEnded
    found = leases.current(tx, _name(run_id))
    if found is None or found.token != token:
        raise RunLost


def _name(run_id: int) -> str:
    return f"run {run_id}"
