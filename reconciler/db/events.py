"""What has Stripe sent us, and what became of it? The inbox's rows.

An event is stored once by its id, with the exact bytes that were signed. Ids stay for ever; bodies may be emptied when
they are old.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from sqlalchemy import and_, bindparam, exists, func, or_, select, update

from reconciler.core.observation import Source, moment
from reconciler.db.members import one_of, one_of_those
from reconciler.db.prepared import read, write
from reconciler.db.rows import insert_new, upsert_by
from reconciler.db.session import Tx
from reconciler.db.tables import fetches, installation, settlements, stripe_events, webhook_health


class EventState(StrEnum):
    """What became of an event."""

    APPLIED = "applied"
    IGNORED = "ignored"
    DEFERRED = "deferred"
    FAILED = "failed"
    DEAD = "dead"
    QUARANTINED = "quarantined"


_DONE = (EventState.APPLIED.value, EventState.IGNORED.value, EventState.QUARANTINED.value)
_KNOWN: Final = select(
    stripe_events.c.id,
    stripe_events.c.state,
    stripe_events.c.attempts,
    stripe_events.c.next_attempt_at,
).where(one_of_those(stripe_events.c.id, "ids"))
_MARK: Final = (
    update(stripe_events)
    .where(one_of_those(stripe_events.c.id, "ids"))
    .values(
        state=bindparam("new_state"),
        attempts=bindparam("new_attempts"),
        next_attempt_at=bindparam("new_next"),
        error=bindparam("new_error"),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One event as it is stored."""

    id: str
    livemode: bool
    type: str
    api_version: str | None
    object_id: str | None
    created_ms: int
    body: bytes
    state: EventState


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What became of one event at an attempt; `error` is one line without anybody's data."""

    id: str
    state: EventState
    attempts: int = 0
    next_attempt_at: datetime | None = None
    error: str | None = None


def store(tx: Tx, events: Sequence[EventRow], *, source: Source, now: datetime) -> None:
    """Store events; one that is there already stays as it is."""
    rows = [
        {
            "id": each.id,
            "livemode": each.livemode,
            "type": each.type,
            "api_version": each.api_version,
            "object_id": each.object_id,
            "created": moment(each.created_ms),
            "body": each.body,
            "source": source.value,
            "state": each.state.value,
            "received_at": now,
        }
        for each in events
    ]
    insert_new(tx, stripe_events, rows)


class Known(NamedTuple):
    """What has become of a stored event: its state, its failed attempts, and when the next one is due."""

    state: EventState
    attempts: int
    next_attempt_at: datetime | None


def known(tx: Tx, ids: Iterable[str]) -> dict[str, Known]:
    """Those of these events that are stored already."""
    rows = read(tx, _KNOWN, ids=set(ids))
    return {id_: Known(EventState(state), *rest) for id_, state, *rest in rows}


def mark(tx: Tx, marks: Sequence[Mark]) -> None:
    """Write down what became of events; those of which the same became, as of most, together."""
    alike: dict[tuple[object, ...], list[str]] = {}
    for each in marks:
        became = (each.state.value, each.attempts, each.next_attempt_at, each.error)
        alike.setdefault(became, []).append(each.id)
    for (state, attempts, next_at, error), ids in alike.items():
        write(
            tx,
            _MARK,
            ids=ids,
            new_state=state,
            new_attempts=attempts,
            new_next=next_at,
            new_error=error,
        )


def bodies(tx: Tx, ids: Iterable[str]) -> dict[str, tuple[bytes, Source]]:
    """The stored bytes of events, and the door through which each came first."""
    wanted = sorted(ids)
    column = stripe_events.c
    rows = tx.execute(select(column.id, column.body, column.source).where(column.id.in_(wanted)))
    return {id_: (body, Source(source)) for id_, body, source in rows}


def due(tx: Tx, now: datetime, *, limit: int) -> list[str]:
    """Failed events whose next attempt is due, oldest first, and deferred ones for which nobody reads any more.

    A list may have shown an object before it was read by its id, and its page may be older than the event.
    """
    column = stripe_events.c
    failed = and_(column.state == EventState.FAILED.value, column.next_attempt_at <= now)
    asked_for = select(fetches.c.object_id)
    left = and_(column.state == EventState.DEFERRED.value, column.object_id.not_in(asked_for))
    return list(
        tx.scalars(
            select(column.id)
            .where(or_(failed, left))
            .order_by(column.next_attempt_at, column.id)
            .limit(limit)
        )
    )


def deferred_about(tx: Tx, object_ids: Iterable[str]) -> list[tuple[str, int, datetime]]:
    """Events that wait until one of these objects is read: their failed attempts, and when each came in."""
    column = stripe_events.c
    rows = tx.execute(
        select(column.id, column.attempts, column.received_at)
        .where(column.object_id.in_(sorted(object_ids)), column.state == EventState.DEFERRED.value)
        .order_by(column.id)
    )
    return [(id_, attempts, received_at) for id_, attempts, received_at in rows]


def in_state(tx: Tx, state: EventState, *, limit: int) -> list[str]:
    """Ids of events in a state, oldest first."""
    column = stripe_events.c
    asked = select(column.id).where(column.state == state.value)
    return list(tx.scalars(asked.order_by(column.created, column.id).limit(limit)))


def empty_bodies(
    tx: Tx, before: datetime, after: tuple[datetime, str] | None, *, limit: int
) -> tuple[int, tuple[datetime, str] | None]:
    """Empty the bodies of so many events that came in before a moment; how many, and after which to go on, None: no more.

    An event that still waits for something keeps its body: it is read again from it.
    """
    column = stripe_events.c
    older = select(column.created, column.id).where(column.created < before)
    if after is not None:
        created, id_ = after
        same = and_(column.created == created, column.id > id_)
        older = older.where(or_(column.created > created, same))
    page = [
        (created, id_)
        for created, id_ in tx.execute(older.order_by(column.created, column.id).limit(limit))
    ]
    emptied = tx.execute(
        update(stripe_events)
        .where(
            one_of(column.id, {id_ for _, id_ in page}),
            column.state.in_(_DONE),
            column.received_at < before,
            column.body != b"",
        )
        .values(body=b"")
    ).rowcount
    return emptied, page[-1] if page else None


def add_health(tx: Tx, seen: Mapping[str, object]) -> None:
    """Add counts of good and bad deliveries, and keep the last moment and reason of each."""
    row = tx.execute(select(webhook_health)).mappings().one_or_none()
    earlier: dict[str, object] = dict(row) if row is not None else {}
    merged = {
        "id": "webhook",
        "good": _plus(earlier.get("good"), seen["good"]),
        "bad": _plus(earlier.get("bad"), seen["bad"]),
        "last_good_at": seen["last_good_at"] or earlier.get("last_good_at"),
        "last_bad_at": seen["last_bad_at"] or earlier.get("last_bad_at"),
        "last_bad_reason": seen["last_bad_reason"] or earlier.get("last_bad_reason") or "",
    }
    upsert_by(
        tx,
        webhook_health,
        [merged],
        key=("id",),
        update=("good", "bad", "last_good_at", "last_bad_at", "last_bad_reason"),
    )


def _plus(a: object, b: object) -> int:
    return sum(each for each in (a, b) if isinstance(each, int))


def setting(tx: Tx, key: str) -> str | None:
    """What `init` wrote down about this installation."""
    return tx.scalar(select(installation.c.value).where(installation.c.key == key))


def settle_table(tx: Tx, table: str) -> str:
    """Write down which table of invoices is settled, unless invoices of another one are; return what holds."""
    settled = tx.scalar(select(exists().where(settlements.c.invoice_id.is_not(None))))
    if settled:
        return settle_setting(tx, "invoices", table)
    upsert_by(
        tx, installation, [{"key": "invoices", "value": table}], key=("key",), update=("value",)
    )
    return table


def settle_setting(tx: Tx, key: str, value: str) -> str:
    """Write a fact about this installation unless it is there; return what holds."""
    insert_new(tx, installation, [{"key": key, "value": value}])
    kept = setting(tx, key)
    return value if kept is None else kept


def counts(tx: Tx) -> dict[str, int]:
    """How many events are in each state."""
    column = stripe_events.c
    rows = tx.execute(select(column.state, func.count()).group_by(column.state))
    return dict(rows.all())
