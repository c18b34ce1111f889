"""What did a person sign, and what of it is known in another way now?

A signed run has one row for each object of its days, as it was then. Nothing ever changes a signed run or its rows.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import msgspec
from sqlalchemy import delete, func, select, update

from reconciler.core.report import RunHead, RunState
from reconciler.core.schedule import Window
from reconciler.core.signed import Item
from reconciler.db import runs
from reconciler.db.books import beyond, moved, within
from reconciler.db.rows import upsert
from reconciler.db.run_tables import reconcile_runs, signed_items
from reconciler.db.session import Database, Tx
from reconciler.db.tables import balance_transactions, disputes, observations, refunds

PAGE: Final = 1000
_AT_ONCE: Final = 10_000

own = signed_items.c
run = reconcile_runs.c


def closing(tx: Tx, run_id: int) -> dict[str, int] | None:
    """The balance by currency when the covered time of a run ended; None where it is not known."""
    text = tx.scalar(select(run.closing).where(run.id == run_id))
    return msgspec.json.decode(text, type=dict[str, int]) if text else None


def totals(tx: Tx, run_id: int) -> str | None:
    """What a run kept of its totals when it ended, as JSON; None if it has kept none."""
    text: str | None = tx.scalar(select(run.totals).where(run.id == run_id))
    return text


def keep_totals(tx: Tx, run_id: int, text: str) -> None:
    """Keep the totals of a run; those of a signed one stay as they are."""
    mine = (run.id == run_id) & run.signed_by.is_(None)
    tx.execute(update(reconcile_runs).where(mine).values(totals=text))


def signed_over(tx: Tx, first: date, last: date) -> list[RunHead]:
    """The signed runs that have one of these days, in the order in which they were signed."""
    mine = run.signed_by.is_not(None) & (run.first_day <= last) & (run.last_day >= first)
    ids = tx.scalars(select(run.id).where(mine).order_by(run.signed_at, run.id)).all()
    return [found for id_ in ids if (found := runs.head(tx, id_)) is not None]


def is_signed(tx: Tx, run_id: int) -> bool:
    """Whether somebody has signed a run."""
    return tx.scalar(select(run.signed_by).where(run.id == run_id)) is not None


def mark(tx: Tx, run_id: int, by: str, now: datetime) -> bool:
    """Write down who signed a run; false if it can't be signed (any more)."""
    may = (
        run.signed_by.is_(None),
        run.state == RunState.COMPLETE.value,
        run.is_dry.is_(False),
    )
    statement = update(reconcile_runs).where(run.id == run_id, *may)
    return tx.execute(statement.values(signed_by=by, signed_at=now)).rowcount == 1


def freeze(tx: Tx, run_id: int, items: Iterable[Item]) -> None:
    """Keep what objects are worth now."""
    rows = [
        {
            "run_id": run_id,
            "object_id": each.object_id,
            "day": each.day,
            "currency": each.currency,
            "amount": each.amount_minor,
            "value": each.value,
        }
        for each in items
    ]
    upsert(tx, signed_items, rows)


def count(tx: Tx, run_id: int) -> int:
    """How many objects are kept for a run."""
    mine = select(func.count()).select_from(signed_items).where(own.run_id == run_id)
    return int(tx.scalar(mine) or 0)


def unfreeze(tx: Tx, run_id: int) -> int:
    """Forget some of what was kept for a run that nobody has signed; returns how many objects were forgotten."""
    some = select(own.object_id).where(own.run_id == run_id).limit(_AT_ONCE)
    mine = (own.run_id == run_id) & own.object_id.in_(some)
    unsigned = select(run.id).where(run.id == run_id, run.signed_by.is_(None))
    return tx.execute(delete(signed_items).where(mine, own.run_id.in_(unsigned))).rowcount


def items(db: Database, run_id: int, first: date, last: date) -> Iterator[list[Item]]:
    """What was signed of these days, by id, a page at a time; no transaction is open in between."""
    after = ""
    while True:
        asked = select(signed_items).where(own.run_id == run_id, own.object_id > after)
        asked = asked.where(own.day.between(first, last)).order_by(own.object_id).limit(PAGE)
        with db.reading() as tx:
            page = [_item(row) for row in tx.execute(asked).mappings()]
        if page:
            yield page
        if len(page) < PAGE:
            return
        after = page[-1].object_id


def items_of(tx: Tx, run_id: int, ids: Sequence[str]) -> dict[str, Item]:
    """What was signed of these objects, at most a page of them."""
    asked = select(signed_items).where(own.run_id == run_id, own.object_id.in_(sorted(ids)))
    return {row["object_id"]: _item(row) for row in tx.execute(asked).mappings()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """A balance transaction, as far as it is signed for."""

    id: str
    source: str
    category: str
    currency: str
    amount_minor: int
    fee_minor: int
    net_minor: int
    created: datetime


def movements(db: Database, window: Window) -> Iterator[list[Movement]]:
    """The balance transactions of a window, oldest first, a page at a time; no transaction is open in between."""
    after: tuple[datetime, str] | None = None
    while True:
        asked = select(balance_transactions).where(
            within(moved.created, window), *beyond(moved.created, moved.id, after)
        )
        with db.reading() as tx:
            rows = tx.execute(asked.order_by(moved.created, moved.id).limit(PAGE)).mappings()
            page = [_movement(row) for row in rows]
        if page:
            yield page
        if len(page) < PAGE:
            return
        after = page[-1].created, page[-1].id


def movements_of(tx: Tx, ids: Sequence[str]) -> dict[str, Movement]:
    """These balance transactions, at most a page of them, as far as they are known."""
    asked = select(balance_transactions).where(moved.id.in_(sorted(ids)))
    return {row["id"]: _movement(row) for row in tx.execute(asked).mappings()}


def learnt(
    tx: Tx, payment_ids: Sequence[str], since: datetime
) -> dict[str, list[tuple[str, datetime | None]]]:
    """By payment, the refunds and disputes that told something since a moment, and when money last moved for each."""
    around = {
        **{id_: (owner, f"refund {id_}") for id_, owner in _of(tx, refunds, payment_ids)},
        **{id_: (owner, f"dispute {id_}") for id_, owner in _of(tx, disputes, payment_ids)},
    }
    asked = select(moved.id, moved.source_id, moved.created)
    rows = tx.execute(asked.where(moved.payment_id.in_(sorted(payment_ids))))
    money = {id_: (source, at) for id_, source, at in rows}
    told = _told(tx, [*around, *money], since)
    told |= {source for id_, (source, _) in money.items() if id_ in told}
    last: dict[str, datetime] = {}
    for source, at in money.values():
        last[source] = max(at, last.get(source, at))
    found: dict[str, list[tuple[str, datetime | None]]] = {}
    for id_ in sorted(told & around.keys()):
        owner, words = around[id_]
        found.setdefault(owner, []).append((words, last.get(id_)))
    return found


def _of(tx: Tx, table: Any, payment_ids: Sequence[str]) -> list[tuple[str, str]]:
    column = table.c
    asked = select(column.id, column.payment_id).where(column.payment_id.in_(sorted(payment_ids)))
    return [(id_, owner) for id_, owner in tx.execute(asked)]


def _told(tx: Tx, ids: Sequence[str], since: datetime) -> set[str]:
    told, column = set[str](), observations.c
    for start in range(0, len(ids), PAGE):
        part = column.object_id.in_(ids[start : start + PAGE])
        asked = select(column.object_id).where(part, column.observed_at > since)
        told.update(tx.scalars(asked))
    return told


def _item(row: Any) -> Item:
    return Item(
        object_id=row["object_id"],
        day=row["day"],
        currency=row["currency"],
        amount_minor=row["amount"],
        value=row["value"],
    )


def _movement(row: Any) -> Movement:
    return Movement(
        id=row["id"],
        source=row["source_id"],
        category=row["reporting_category"],
        currency=row["currency"],
        amount_minor=row["amount"],
        fee_minor=row["fee"],
        net_minor=row["net"],
        created=row["created"],
    )
