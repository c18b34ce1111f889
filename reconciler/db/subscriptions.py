"""Which browsers want to be told, and whose are they?

A row is one browser of one user, found by its endpoint. An endpoint that comes back with another user is a browser on which
somebody else is signed in now: it becomes a new row, so that nothing meant for the one before reaches the one after.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, TypedDict

from sqlalchemy import ColumnElement, delete, func, select, update

from reconciler.db.members import one_of
from reconciler.db.push_tables import deliveries, push_subscriptions
from reconciler.db.session import Tx

ACTIVE: Final = "active"
QUARANTINED: Final = "quarantined"
LIMIT: Final = 20
"""So many browsers a user may have: one that leaves a trail of them must not make every notification cost more and more."""

# A page tells us of its browser whenever it is shown. Whoever applies payments must not wait for that.
_CONFIRMED_EVERY: Final = timedelta(hours=1)
_WAITING, _GONE = "waiting", "gone"
_columns = push_subscriptions.c


class Said(TypedDict):
    """What a browser says of itself, and whose it is."""

    user_id: str
    endpoint: str
    p256dh: str
    auth: str
    vapid_key: str
    locale: str


class Saved(StrEnum):
    """What became of a subscription that a browser sent."""

    CREATED = "created"
    CONFIRMED = "confirmed"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Browser:
    """One row. What would let others write to the browser is not shown."""

    id: int
    user_id: str
    endpoint: str = field(repr=False)
    host: str
    p256dh: str = field(repr=False)
    auth: str = field(repr=False)
    vapid_key: str
    locale: str
    state: str
    reason: str
    created_at: datetime
    confirmed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many browsers there are, by what can be sent to them with the present key."""

    active: int = 0
    quarantined: int = 0
    of_another_key: int = 0


def is_as_said(tx: Tx, said: Said, *, now: datetime) -> bool:
    """Whether a browser is kept as it says, and was confirmed so lately that there is nothing to write."""
    asked = select(push_subscriptions).where(_columns.endpoint == said["endpoint"])
    row = tx.execute(asked).mappings().first()
    if row is None or row["state"] != ACTIVE:
        return False
    is_fresh = now - _CONFIRMED_EVERY < row["confirmed_at"] <= now
    return is_fresh and all(row[name] == value for name, value in said.items())


def save(  # noqa: PLR0913 - one row's columns
    tx: Tx,
    *,
    user_id: str,
    endpoint: str,
    host: str,
    p256dh: str,
    auth: str,
    vapid_key: str,
    locale: str,
    now: datetime,
    limit: int = LIMIT,
) -> Saved:
    """Keep what a browser of this user says of itself, its address and keys checked; beyond the limit the user's oldest goes.

    A quarantined one becomes active again: it has passed the checks once more.
    """
    keys = {"p256dh": p256dh, "auth": auth, "vapid_key": vapid_key}
    said = {"locale": locale, "state": ACTIVE, "reason": "", "confirmed_at": now}
    row = tx.execute(select(push_subscriptions).where(_columns.endpoint == endpoint)).first()
    if row is not None and row.user_id == user_id:
        tx.execute(update(push_subscriptions).where(_columns.id == row.id).values(**keys, **said))
        is_same = all(getattr(row, name) == value for name, value in keys.items())
        return Saved.CONFIRMED if is_same else Saved.REPLACED
    if row is not None:
        drop(tx, [row.id], now=now, reason="the browser has another user")
    made = {"user_id": user_id, "endpoint": endpoint, "host": host, "created_at": now}
    tx.execute(push_subscriptions.insert().values(**made, **keys, **said))
    _trim(tx, user_id, limit, now)
    return Saved.CREATED


def remove(tx: Tx, user_id: str, endpoint: str, *, now: datetime) -> bool:
    """Forget a browser of this user; whether there was one. Another user's is not touched."""
    is_asked = (_columns.endpoint == endpoint) & (_columns.user_id == user_id)
    return drop(tx, _ids(tx, is_asked), now=now, reason="unsubscribed") > 0


def of_user(tx: Tx, user_id: str) -> list[Browser]:
    """All browsers of a user, in the order in which they came."""
    asked = select(push_subscriptions).where(_columns.user_id == user_id).order_by(_columns.id)
    return [Browser(**row) for row in tx.execute(asked).mappings()]


def is_there(tx: Tx, subscription_id: int) -> bool:
    """Whether a browser is still known, under the same user."""
    return tx.scalar(select(_columns.id).where(_columns.id == subscription_id)) is not None


def hosts(tx: Tx, among: Iterable[str]) -> set[str]:
    """Those of these push services behind which there is a browser that can be sent to."""
    mine = one_of(_columns.host, set(among)), _columns.state == ACTIVE
    return set(tx.scalars(select(_columns.host).where(*mine).distinct()))


def quarantine(
    tx: Tx, subscription_id: int, reason: str, *, p256dh: str | None, auth: str | None
) -> bool:
    """Send nothing more to a browser until it subscribes again; whether it still had the keys that are no good."""
    has_them = (_columns.p256dh == p256dh) & (_columns.auth == auth)
    asked = update(push_subscriptions).where(_columns.id == subscription_id, has_them)
    return tx.execute(asked.values(state=QUARANTINED, reason=reason)).rowcount > 0


def drop(tx: Tx, ids: Iterable[int], *, now: datetime, reason: str = "") -> int:
    """Forget these browsers, at most some hundreds, with all that waits to be sent to them; returns how many there were."""
    asked = sorted(ids)
    if not asked:
        return 0
    # Without a claim, whoever is sending one of them at this moment can't say any more how that went.
    tx.execute(
        update(deliveries)
        .where(deliveries.c.subscription_id.in_(asked), deliveries.c.state == _WAITING)
        .values(state=_GONE, reason=reason, ended_at=now, claim=None, claimed_until=None)
    )
    return tx.execute(delete(push_subscriptions).where(_columns.id.in_(asked))).rowcount


def counts(tx: Tx, vapid_key: str) -> Counts:
    """How many browsers can be sent to with this public key, and how many can't."""
    is_ours = _columns.vapid_key == vapid_key
    asked = select(_columns.state, is_ours.label("is_ours"), func.count().label("many")).group_by(
        _columns.state, is_ours
    )
    found: dict[str, Any] = {}
    for row in tx.execute(asked):
        name = row.state if row.state == QUARANTINED or row.is_ours else "of_another_key"
        found[name] = found.get(name, 0) + row.many
    return Counts(**found)


def _trim(tx: Tx, user_id: str, limit: int, now: datetime) -> None:
    """Forget those of a user's browsers beyond the limit that were confirmed longest ago."""
    latest = (
        select(_columns.id)
        .where(_columns.user_id == user_id)
        .order_by(_columns.confirmed_at.desc(), _columns.id.desc())
    )
    surplus = tx.execute(latest.offset(limit)).scalars().all()
    drop(tx, surplus, now=now, reason="the user has too many browsers")


def _ids(tx: Tx, condition: ColumnElement[bool]) -> list[int]:
    return list(tx.execute(select(_columns.id).where(condition)).scalars())
