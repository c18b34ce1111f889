"""Who may sweep, or go on with a manual run? One program at a time, and one that was paused must not go on as if nothing had happened.

A lease is held until a moment and renewed before it. Its token grows with every change of hands, and is asked for in each
transaction that moves a cursor (a fencing token: https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html).
Times are the database's: of several machines none can be early.
"""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import func, select, update

from reconciler.db.rows import insert_new
from reconciler.db.session import Tx
from reconciler.db.tables import leases


class LeaseLost(Exception):  # noqa: N818 - nothing went wrong: another one is at work
    """Somebody else holds the lease now."""


class Lease(NamedTuple):
    """Who holds a lease, by which token, and until when unless it is renewed."""

    holder: str
    token: int
    expires_at: datetime


def hold(tx: Tx, name: str, holder: str, token: int | None, *, ttl: timedelta) -> int | None:
    """Take the lease, or keep it; returns the token, or None while somebody else holds it.

    One that is over but was taken by nobody is still its holder's. One that lasts longer than any does was taken before the
    clock was set back, and is over; a small step of the clock takes it from nobody. `tx` must come from `Database.writing()`.
    """
    now, column = _now(tx), leases.c
    found = current(tx, name)
    if found is None:
        first = {"name": name, "holder": holder, "token": 1, "expires_at": now + ttl}
        insert_new(tx, leases, [first])
        return 1
    if found.token != token and _lasts(found, now, ttl):
        return None
    ours = found.token if found.token == token else found.token + 1
    tx.execute(
        update(leases)
        .where(column.name == name)
        .values(holder=holder, token=ours, expires_at=now + ttl)
    )
    return ours


def release(tx: Tx, name: str, token: int) -> None:
    """Give the lease up, so that nobody has to wait until it is over."""
    column = leases.c
    tx.execute(
        update(leases).where(column.name == name, column.token == token).values(expires_at=_now(tx))
    )


def require(tx: Tx, name: str, token: int | None) -> None:
    """Raise LeaseLost unless the token is the one that counts."""
    found = current(tx, name)
    if found is None or found.token != token:
        raise LeaseLost


def is_held(tx: Tx, name: str, *, ttl: timedelta) -> bool:
    """Whether somebody holds the lease at this moment."""
    found = current(tx, name)
    return found is not None and _lasts(found, _now(tx), ttl)


def _lasts(found: Lease, now: datetime, ttl: timedelta) -> bool:
    return now < found.expires_at <= now + 2 * ttl


def current(tx: Tx, name: str) -> Lease | None:
    """Who held the lease last; None if nobody ever did."""
    column = leases.c
    row = tx.execute(
        select(column.holder, column.token, column.expires_at).where(column.name == name)
    ).one_or_none()
    return None if row is None else Lease(*row)


def _now(tx: Tx) -> datetime:
    if tx.dialect.name == "sqlite":
        # A file is shared by the programs of one machine only, and its clock is theirs.
        return datetime.now(UTC)
    now: datetime = tx.execute(select(func.clock_timestamp())).scalar_one()
    return now
