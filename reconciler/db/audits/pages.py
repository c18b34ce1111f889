"""What is read of a page of rows that is checked?"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, Table, cast, func, select

from reconciler.core.audit import COVERAGE
from reconciler.core.exceptions import ExceptionKind
from reconciler.db.members import one_of
from reconciler.db.session import Tx
from reconciler.db.tables import (
    allocations,
    exceptions,
    fetches,
    notifications,
    observations,
    payment_references,
    payments,
    settlements,
    transitions,
)

Rows = Mapping[str, Mapping[str, Any]]


def ids_of(table: Table) -> Callable[..., list[str]]:
    """The pages of a table that is known by its id."""

    def page(tx: Tx, *, after: str, limit: int) -> list[str]:
        column = table.c.id
        return list(tx.scalars(select(column).where(column > after).order_by(column).limit(limit)))

    return page


def notification_ids(tx: Tx, *, after: str, limit: int) -> list[str]:
    """A page of them, as texts; numbered from one by the database."""
    column = notifications.c.id
    asked = select(column).where(column > int(after or 0)).order_by(column).limit(limit)
    return [str(each) for each in tx.scalars(asked)]


def notifications_of(tx: Tx, ids: Sequence[str]) -> Sequence[Mapping[str, Any]]:
    """These notifications, in order."""
    column = notifications.c.id
    asked = select(notifications).where(column.in_([int(each) for each in ids])).order_by(column)
    return [dict(row) for row in tx.execute(asked).mappings()]


def rows_of(tx: Tx, table: Table, ids: Iterable[str]) -> Rows:
    """The rows with these ids."""
    found = tx.execute(select(table).where(one_of(table.c.id, ids))).mappings()
    return {row["id"]: dict(row) for row in found}


def settlements_of(tx: Tx, invoice_ids: Iterable[str]) -> Rows:
    """What these invoices were settled with."""
    asked = select(settlements).where(one_of(settlements.c.invoice_id, invoice_ids))
    return {row["invoice_id"]: dict(row) for row in tx.execute(asked).mappings()}


def allocated_minor(tx: Tx, payment_ids: Iterable[str]) -> dict[str, int]:
    """How much of each of these payments is allocated; those of which nothing is are left out."""
    column = allocations.c
    asked = (
        select(column.payment_id, cast(func.sum(column.amount), BigInteger))
        .where(one_of(column.payment_id, payment_ids))
        .group_by(column.payment_id)
    )
    return dict(tx.execute(asked).all())


def placed_minor(tx: Tx, invoice_ids: Iterable[str]) -> dict[str, int]:
    """How much is allocated to each of these invoices in its own currency."""
    settled, placed, paid = settlements.c, allocations.c, payments.c
    asked = (
        select(placed.invoice_id, cast(func.sum(placed.amount), BigInteger))
        .where(one_of(placed.invoice_id, invoice_ids), settled.invoice_id == placed.invoice_id)
        .where(paid.id == placed.payment_id, paid.currency == settled.currency)
        .group_by(placed.invoice_id)
    )
    return dict(tx.execute(asked).all())


def references_of(tx: Tx, payment_ids: Iterable[str]) -> dict[str, frozenset[tuple[str, str]]]:
    """The names (kind, value) that are stored of each of these payments."""
    column = payment_references.c
    asked = select(column.payment_id, column.kind, column.value).where(
        one_of(column.payment_id, payment_ids)
    )
    found: dict[str, set[tuple[str, str]]] = {}
    for id_, kind, value in tx.execute(asked):
        found.setdefault(id_, set()).add((kind, value))
    return {id_: frozenset(names) for id_, names in found.items()}


def observed(tx: Tx, object_ids: Iterable[str]) -> frozenset[str]:
    """Those of these objects of which something was observed."""
    column = observations.c.object_id
    return frozenset(tx.scalars(select(column).where(one_of(column, object_ids)).distinct()))


def asked_for(tx: Tx, charges: Iterable[str]) -> frozenset[str]:
    """Those of these charges that will be read, or about which a person was asked."""
    wanted = {f"charge {each}": each for each in charges}
    if not wanted:
        return frozenset()
    waits, told = fetches.c.object_id, exceptions.c
    called = tx.scalars(
        select(told.subject).where(
            told.kind == ExceptionKind.READ_FORBIDDEN.value, one_of(told.subject, wanted)
        )
    )
    read = tx.scalars(select(waits).where(one_of(waits, wanted.values())))
    return frozenset(read) | {wanted[each] for each in called}


def once_covered(tx: Tx, invoice_ids: Iterable[str]) -> frozenset[str]:
    """Those of these invoices that are covered, or were until a person took back what covered them."""
    wanted = sorted(invoice_ids)
    settled, step = settlements.c, transitions.c
    now = select(settled.invoice_id).where(
        one_of(settled.invoice_id, wanted), settled.covered_amount_due.is_not(None)
    )
    once = select(step.subject_id).where(
        one_of(step.subject_id, wanted), step.subject_kind == "invoice", step.field == COVERAGE
    )
    return frozenset(id_ for asked in (now, once) for id_ in tx.scalars(asked))


def paid_steps(tx: Tx, invoice_ids: Iterable[str]) -> Sequence[tuple[str, str]]:
    """Each step by which one of these invoices became paid by our word, with the sentence that says by what."""
    step = transitions.c
    asked = select(step.subject_id, step.rule).where(
        one_of(step.subject_id, invoice_ids),
        step.subject_kind == "invoice",
        step.field == "status",
        step.new == "paid",
    )
    return [(id_, rule) for id_, rule in tx.execute(asked.order_by(step.id))]
