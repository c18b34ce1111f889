"""What of a stretch of Stripe's time waits to be read by its id, and what of it was asked for in vain?

What was put off is no answer: whoever tells of that stretch must not take it for one.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Table, and_, exists, literal, or_, select, update

from reconciler.core.doubts import CONTESTED
from reconciler.core.schedule import Window
from reconciler.db import evidence
from reconciler.db.books import moved, within
from reconciler.db.evidence import CHECK
from reconciler.db.session import Tx
from reconciler.db.tables import checkout_sessions, disputes, fetches, payments, refunds

# A date, or two words that one second told, keeps nothing from being known.
_KNOWN: Final = frozenset({CHECK, CONTESTED})

own = fetches.c


def due(
    tx: Tx, window: Window, *, since: datetime, now: datetime, limit: int
) -> list[evidence.Fetch]:
    """What must be read now for a window: what is about it, and whatever was asked for since a moment; oldest first."""
    only = or_(own.asked_at >= since, _is_of(window))
    return evidence.due(tx, now, limit=limit, only=only)


def put_off(tx: Tx, window: Window, now: datetime, *, limit: int) -> list[tuple[str, str]]:
    """The objects of a window, by kind and id, that could not be read and are to be asked for later; oldest first."""
    asked = select(own.kind, own.object_id).where(own.due_at > now, _about(window))
    rows = tx.execute(asked.order_by(own.asked_at, own.kind, own.object_id).limit(limit))
    return [(kind, object_id) for kind, object_id in rows]


def bring_forward(tx: Tx, window: Window, now: datetime) -> None:
    """Ask for them now."""
    tx.execute(update(fetches).where(own.due_at > now, _about(window)).values(due_at=now))


def _about(window: Window) -> ColumnElement[bool]:
    """Whether a read that something waits for is about a window."""
    return and_(own.reason.not_in(sorted(_KNOWN)), _is_of(window))


def _is_of(window: Window) -> ColumnElement[bool]:
    """Whether a read is about something of a window: made or paid in it, or with money that moved in it."""
    id_, paid = own.object_id, payments.c
    money = exists().where(
        within(moved.created, window), or_(moved.source_id == id_, moved.payment_id == id_)
    )
    payment = exists().where(
        paid.id == id_, or_(within(paid.stripe_created_at, window), within(paid.paid_at, window))
    )
    around = (_around(each, window) for each in (refunds, disputes, checkout_sessions))
    return or_(money, payment, *around)


def _around(table: Table, window: Window) -> ColumnElement[bool]:
    """Whether a read is about an object that was made in a window, or about its payment, of which it may know the charge only."""
    each = table.c
    named = literal('%"') + own.object_id + literal('"%')
    is_named: Sequence[ColumnElement[Any]] = (
        each.id == own.object_id,
        each.payment_id == own.object_id,
        and_(each.payment_id.is_(None), each.facts.like(named)),
    )
    return exists().where(within(each.stripe_created_at, window), or_(*is_named))
