"""Is every promise kept, whatever died meanwhile? What is lost, doubled or otherwise than it should be: one line each."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import func, select

from reconciler.apply import Policy
from reconciler.db import sweeps, tables
from reconciler.db.session import Database, Tx
from reconciler.stripe_api.translate import EVENT_TYPES
from reconciler.verify import verify

# Fields of which every step begins where the one before it ended.
_STEPS: Final = (
    ("payment", "status"),
    ("payment", "invoice"),
    ("invoice", "payment_status"),
)
_KEPT: Final = ("applied", "ignored", "deferred")
_AT_ONCE: Final = 500


def lost(db: Database, acknowledged: Collection[str]) -> list[str]:
    """The ids that got a 200 and are not in the books, or are there and not applied."""
    with db.reading() as tx:
        return sorted(set(acknowledged) - _kept(tx, sorted(set(acknowledged))))


def _kept(tx: Tx, ids: list[str]) -> set[str]:
    column = tables.stripe_events.c
    kept: set[str] = set()
    for start in range(0, len(ids), _AT_ONCE):
        mine = column.id.in_(ids[start : start + _AT_ONCE])
        kept |= set(tx.scalars(select(column.id).where(mine, column.state.in_(_KEPT))))
    return kept


def broken(db: Database, acknowledged: Collection[str], *, rebuild: bool = True) -> list[str]:
    """Everything that is not as it must be in books at rest."""
    found = [f"{each} was acknowledged and is lost" for each in lost(db, acknowledged)]
    with db.reading() as tx:
        found += doubled(tx)
        if tx.dialect.name == "sqlite":
            found += [
                f"integrity_check: {row[0]}"
                for row in tx.exec_driver_sql("PRAGMA integrity_check")
                if row[0] != "ok"
            ]
    # As `reconciler verify` asks: the programs of the torture take everything in by the inbox or by a read.
    report = verify(db, Policy(), now=datetime.now(UTC), rebuild=rebuild, inbox=True)
    return found + [f"verify: {each.subject} {each.what}" for each in report.problems]


def passed_over(db: Database, told: Iterable[Mapping[str, Any]]) -> list[str]:
    """The events that the cursor has passed and nobody stored, of all that were told."""
    with db.reading() as tx:
        position = sweeps.position(tx, "events")
        stored = set(tx.scalars(select(tables.stripe_events.c.id)))
    until_s = position.timestamp() if position else 0.0
    return [
        f"the cursor has passed {each['id']}, which is not stored"
        for each in told
        if each["type"] in EVENT_TYPES and each["created"] < until_s and each["id"] not in stored
    ]


def doubled(tx: Tx) -> Iterator[str]:
    """Effects that happened twice: audit rows that do not follow from each other, and notices for one thing."""
    column = tables.transitions.c
    stands: dict[tuple[str, str, str], str | None] = {}
    for row in tx.execute(select(tables.transitions).order_by(column.id)).mappings():
        if (row["subject_kind"], row["field"]) not in _STEPS:
            continue
        key = (row["subject_kind"], row["subject_id"], row["field"])
        if key in stands and stands[key] != row["old"]:
            yield f"{' '.join(key)} went from {row['old']} to {row['new']}, and stood at {stands[key]}"
        stands[key] = row["new"]
    for id_, status in tx.execute(select(tables.payments.c.id, tables.payments.c.status)):
        told = stands.get(("payment", id_, "status"))
        if told != status:
            yield f"payment {id_} is {status}, and its audit trail says {told}"
    notices = tables.notifications.c
    twice = (
        select(notices.invoice_id, notices.kind, notices.milestone, notices.user_id)
        .group_by(notices.invoice_id, notices.kind, notices.milestone, notices.user_id)
        .having(func.count() > 1)
    )
    for row in tx.execute(twice):
        yield f"two notices for {tuple(row)}"
    given = (
        select(tables.allocations.c.payment_id)
        .join(tables.payments, tables.payments.c.id == tables.allocations.c.payment_id)
        .group_by(tables.allocations.c.payment_id, tables.payments.c.amount_received)
        .having(func.sum(tables.allocations.c.amount) > tables.payments.c.amount_received)
    )
    for (id_,) in tx.execute(given):
        yield f"more of {id_} is allocated than was received"


def steps(db: Database) -> list[tuple[object, ...]]:
    """The audit trail without its times, in order."""
    column = tables.transitions.c
    names = (column.subject_kind, column.subject_id, column.field, column.old, column.new)
    with db.reading() as tx:
        return [tuple(row) for row in tx.execute(select(*names).order_by(column.id))]
