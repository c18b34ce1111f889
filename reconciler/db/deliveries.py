"""Which messages are due, who is sending them at this moment, and how did that go?

Whoever claims a delivery has it until its lease is over, by a fresh token. What is claimed is not due before then (`due_at`), so
one index finds both what waits and what somebody left behind who died. Only the last claim can say how it went.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Update, bindparam, delete, exists, func, literal_column, select, update

from reconciler.db.push_tables import deliveries, push_subscriptions
from reconciler.db.session import Tx
from reconciler.db.tables import notifications

REASON_MAX: Final = 200
_columns = deliveries.c
# Written out, and no parameter: a plan for any state could not use the index of those that wait.
_WAITS: Final = _columns.state == literal_column("'waiting'")


class DeliveryState(StrEnum):
    """What became of a message to one browser; the words are a promise to other programs."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    """The push service has it; nobody ever says that it was delivered."""
    GONE = "gone"
    EXPIRED = "expired"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A message that is due, with all that is needed to send it; the last ones are None where the browser is gone."""

    id: int
    notification_id: int
    subscription_id: int
    attempts: int
    milestone: str
    user_id: str
    kind: str
    invoice_id: str
    number: str
    amount: int
    currency: str
    stripe_at: datetime
    endpoint: str | None = field(repr=False)
    p256dh: str | None = field(repr=False)
    auth: str | None = field(repr=False)
    vapid_key: str | None
    locale: str | None
    browser: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How it went. One that waits is due again at `due_at`."""

    id: int
    state: DeliveryState
    attempts: int
    due_at: datetime
    status: int | None = None
    reason: str = ""


def has_accepted(tx: Tx, host: str, since: datetime) -> bool:
    """Whether a push service has taken a message since then."""
    found = (
        select(_columns.id)
        .where(_columns.state == DeliveryState.ACCEPTED.value, _columns.ended_at >= since)
        .where(_columns.host == host)
        .order_by(_columns.ended_at.desc())
        .limit(1)
    )
    return tx.scalar(found) is not None


def hosts_due(tx: Tx, now: datetime, *, limit: int) -> list[str]:
    """The push services for which something is due, the one that waits the longest first.

    The hosts are walked in the index one after the other: what waits behind one is not read to find the next.
    """
    hosts = select(func.min(_columns.host).label("host")).where(_WAITS).cte("hosts", recursive=True)
    following = (
        select(func.min(_columns.host))
        .where(_WAITS, _columns.host > hosts.c.host)
        .scalar_subquery()
    )
    hosts = hosts.union_all(select(following).where(hosts.c.host.is_not(None)))
    first = (
        select(func.min(_columns.due_at))
        .where(_WAITS, _columns.host == hosts.c.host)
        .scalar_subquery()
    )
    each = select(hosts.c.host, first.label("due_at")).where(hosts.c.host.is_not(None)).subquery()
    asked = select(each.c.host).where(each.c.due_at <= now).order_by(each.c.due_at, each.c.host)
    return list(tx.scalars(asked.limit(limit)))


def due(tx: Tx, host: str, now: datetime, *, limit: int) -> list[Due]:
    """The messages to one push service that are due, the one that waits the longest first."""
    mine = (
        select(
            _columns.id,
            _columns.notification_id,
            _columns.subscription_id,
            _columns.attempts,
            _columns.due_at,
        )
        .where(
            _WAITS,
            _columns.host == host,
            _columns.due_at <= now,
        )
        .order_by(_columns.due_at)
        .limit(limit)
        .subquery()
    )
    told, browser = notifications.c, push_subscriptions.c
    asked = (
        select(
            mine.c.id,
            mine.c.notification_id,
            mine.c.subscription_id,
            mine.c.attempts,
            told.milestone,
            told.user_id,
            told.kind,
            told.invoice_id,
            told.number,
            told.amount,
            told.currency,
            told.stripe_at,
            browser.endpoint,
            browser.p256dh,
            browser.auth,
            browser.vapid_key,
            browser.locale,
            browser.state.label("browser"),
        )
        .join(notifications, told.id == mine.c.notification_id)
        .outerjoin(push_subscriptions, browser.id == mine.c.subscription_id)
        .order_by(mine.c.due_at, mine.c.id)
    )
    return [Due(**row) for row in tx.execute(asked).mappings()]


def claim(tx: Tx, ids: Iterable[int], *, token: str, until: datetime) -> None:
    """Take messages that are due for whoever has the token, until its lease is over."""
    wanted = sorted(ids)
    if wanted:
        tx.execute(
            update(deliveries)
            .where(_columns.id.in_(wanted))
            .values(claim=token, claimed_until=until, due_at=until)
        )


def mark(tx: Tx, marks: Sequence[Mark], *, token: str | None, now: datetime) -> None:
    """Say how messages went, where the token is still theirs. None: nobody has claimed them."""
    if not marks:
        return
    rows = [
        {
            "mark_id": each.id,
            "state": each.state.value,
            "attempts": each.attempts,
            "due_at": each.due_at,
            "status": each.status,
            "reason": each.reason[:REASON_MAX],
            "ended_at": None if each.state is DeliveryState.WAITING else now,
            **({} if token is None else {"token": token}),
        }
        for each in marks
    ]
    statement = _MARK_DUE if token is None else _MARK
    tx.execute(statement, rows)


def _marking() -> Any:
    names = ("state", "attempts", "due_at", "status", "reason", "ended_at")
    return (
        update(deliveries)
        .where(
            _columns.id == bindparam("mark_id"),
            _WAITS,
        )
        .values({name: bindparam(name) for name in names} | {"claim": None, "claimed_until": None})
    )


_MARK_DUE: Final = _marking()
_MARK: Final = _marking().where(_columns.claim == bindparam("token"))


def fail_all(tx: Tx, subscription_ids: Iterable[int], *, reason: str, now: datetime) -> None:
    """End all that waits for browsers to which nothing can be sent."""
    wanted = sorted(subscription_ids)
    if wanted:
        ending = _ending(DeliveryState.FAILED, reason, now)
        tx.execute(ending.where(_columns.subscription_id.in_(wanted)))


def overdue(tx: Tx, before: datetime, now: datetime, *, limit: int) -> list[int]:
    """Messages that are due, and tell of something older than a moment."""
    asked = (
        select(_columns.id)
        .join(notifications, notifications.c.id == _columns.notification_id)
        .where(_WAITS, _columns.due_at <= now, notifications.c.stripe_at < before)
    )
    return list(tx.scalars(asked.order_by(_columns.id).limit(limit)))


def expire(tx: Tx, ids: Iterable[int], *, reason: str, now: datetime) -> None:
    """End messages that are not sent any more."""
    wanted = sorted(ids)
    if wanted:
        ending = _ending(DeliveryState.EXPIRED, reason, now)
        tx.execute(ending.where(_columns.id.in_(wanted)))


def _ending(state: DeliveryState, reason: str, now: datetime) -> Update:
    ended = {"state": state.value, "reason": reason[:REASON_MAX], "ended_at": now}
    return update(deliveries).where(_WAITS).values(**ended, claim=None, claimed_until=None)


def waits_beyond(tx: Tx, after: datetime) -> bool:
    """Whether a message waits for a moment later than that."""
    return tx.scalar(select(exists().where(_WAITS, _columns.due_at > after))) is True


def bring_forward(tx: Tx, after: datetime, to: datetime, *, limit: int) -> int:
    """Let messages that wait for a moment later than `after` be due at `to`; returns how many that were."""
    late = select(_columns.id).where(_WAITS, _columns.due_at > after).limit(limit)
    found = list(tx.scalars(late))
    if found:
        tx.execute(update(deliveries).where(_columns.id.in_(found)).values(due_at=to))
    return len(found)


def put_off(tx: Tx, host: str, users: Iterable[str], until: datetime) -> None:
    """Let all that waits for these users behind one push service wait until a moment, or longer if it does so already."""
    wanted = sorted(users)
    if wanted:
        theirs = select(push_subscriptions.c.id).where(push_subscriptions.c.user_id.in_(wanted))
        tx.execute(
            update(deliveries)
            .where(
                _columns.subscription_id.in_(theirs),
                _columns.host == host,
                _columns.due_at < until,
                _WAITS,
            )
            .values(due_at=until)
        )


def backlog(tx: Tx) -> tuple[int, datetime | None]:
    """How many messages wait to be sent, and since when the oldest does."""
    asked = select(func.count(), func.min(_columns.created_at))
    count, oldest = tx.execute(asked.where(_WAITS)).one()
    return count, oldest


def of_notifications(tx: Tx, ids: Iterable[int]) -> dict[int, dict[str, int]]:
    """How many messages of each notification are in each state."""
    wanted = sorted(ids)
    found: dict[int, dict[str, int]] = {}
    if wanted:
        asked = select(_columns.notification_id, _columns.state, func.count()).where(
            _columns.notification_id.in_(wanted)
        )
        grouped = asked.group_by(_columns.notification_id, _columns.state)
        for id_, state, count in tx.execute(grouped.order_by(_columns.state)):
            found.setdefault(id_, {})[state] = count
    return found


def forget(tx: Tx, before: datetime, *, limit: int) -> int:
    """Delete messages that ended before a moment, so many at most; returns how many that were."""
    old = select(_columns.id).where(_columns.ended_at < before).order_by(_columns.ended_at)
    return tx.execute(delete(deliveries).where(_columns.id.in_(old.limit(limit)))).rowcount
