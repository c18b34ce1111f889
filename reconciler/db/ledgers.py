"""What was decided before, around the invoices that a batch touches? Loaded, and locked, in a fixed number of reads."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import and_, func, select

from reconciler.core.audit import COVERAGE
from reconciler.core.facts import PaidAt
from reconciler.core.invoice import Invoice, InvoiceStatus, Settlement, Written
from reconciler.core.ledger import Ledger, Standing
from reconciler.core.matching import Allocation, Rule
from reconciler.core.observation import Assignment, Reference, ms
from reconciler.db import invoices as invoice_rows
from reconciler.db import payments as payment_rows
from reconciler.db import tables
from reconciler.db.invoice_table import InvoiceTable
from reconciler.db.members import among, one_of
from reconciler.db.rows import Row
from reconciler.db.session import Tx

CONFLICT, WAIVER, RIVAL = "conflict", "waiver", "rival"


def load(  # noqa: PLR0913 - the five things that a ledger is asked for
    tx: Tx,
    table: InvoiceTable,
    *,
    holders: Iterable[str],
    references: Iterable[Reference],
    invoices_seen: Iterable[str],
    subjects: Iterable[str],
    for_update: bool = True,
) -> Ledger:
    """Read and lock the invoices that the holders (payments, Sessions) touch, with all that was decided around them."""
    holders = sorted(holders)
    earlier = _allocations(tx, (tables.allocations.c.payment_id, holders))
    claimed = _claims(tx, (tables.claims.c.holder_id, holders))
    assignments = _assignments(tx, holders)
    ids = {*invoices_seen, *(a.invoice_id for each in earlier.values() for a in each), *claimed}
    ids |= {invoice_id for each in assignments.values() for invoice_id, _ in each.shares}
    found = invoice_rows.find(tx, table, ids, references, for_update=for_update)
    # Those that are no more, too: what was settled with them must not be left standing.
    ids |= found.keys()
    around = _allocations(tx, (tables.allocations.c.invoice_id, ids))
    siblings = around.keys() - set(holders)
    whole = _allocations(tx, (tables.allocations.c.payment_id, siblings))
    claims = _claims(tx, (tables.claims.c.invoice_id, ids))
    opened, resolved = _exceptions(tx, {*subjects, *ids})
    standings = _standings(tx, ids)
    return Ledger(
        invoices=found,
        standings=standings,
        allocations={**whole, **earlier},
        siblings=payment_rows.summaries(tx, siblings),
        claims={id_: kinds[CONFLICT] for id_, kinds in claims.items() if CONFLICT in kinds},
        waivers={id_: kinds[WAIVER] for id_, kinds in claims.items() if WAIVER in kinds},
        rivals={id_: kinds[RIVAL] for id_, kinds in claims.items() if RIVAL in kinds},
        open_exceptions=opened,
        resolved=resolved,
        assignments=assignments,
        taken_back=_taken_back(tx, standings),
    )


def _allocations(tx: Tx, asked: tuple[Any, Iterable[str]]) -> dict[str, tuple[Allocation, ...]]:
    condition = among(asked)
    if condition is None:
        return {}
    found: dict[str, tuple[Allocation, ...]] = {}
    for row in tx.execute(select(tables.allocations).where(condition)).mappings():
        allocation = Allocation(
            payment_id=row["payment_id"],
            invoice_id=row["invoice_id"],
            amount_minor=row["amount"],
            rule=Rule(row["rule"]),
            decided_by=row["decided_by"],
            reason=row["reason"],
            decided_ms=ms(row["decided_at"]) if row["rule"] == Rule.ASSIGNED else None,
        )
        found[row["payment_id"]] = (*found.get(row["payment_id"], ()), allocation)
    return found


def _claims(tx: Tx, asked: tuple[Any, Iterable[str]]) -> dict[str, dict[str, frozenset[str]]]:
    condition = among(asked)
    if condition is None:
        return {}
    found: dict[str, dict[str, frozenset[str]]] = {}
    for row in tx.execute(select(tables.claims).where(condition)).mappings():
        kinds = found.setdefault(row["invoice_id"], {})
        kinds[row["kind"]] = kinds.get(row["kind"], frozenset()) | {row["holder_id"]}
    return found


def _standings(tx: Tx, ids: Iterable[str]) -> dict[str, Standing]:
    wanted = sorted(ids)
    if not wanted:
        return {}
    column = tables.settlements.c
    rows = tx.execute(
        select(tables.settlements).where(one_of(column.invoice_id, wanted))
    ).mappings()
    return {row["invoice_id"]: _standing(row) for row in rows}


def _standing(row: Row) -> Standing:
    paid = PaidAt(row["paid_rank"], ms(row["paid_at"])) if row["paid_at"] is not None else None
    return Standing(
        settlement=Settlement(
            invoice_id=row["invoice_id"],
            currency=row["currency"],
            amount_due_minor=row["amount_due"],
            received_minor=row["received"],
            refunded_minor=row["refunded"],
            refund_pending_minor=row["refund_pending"],
            disputed_minor=row["disputed"],
            payment_status=InvoiceStatus(row["payment_status"]),
            paid=paid,
        ),
        written=Written(prior_status=row["prior_status"], paid_at=row["written_paid_at"]),
        word=row["status"],
        covered_due_minor=row["covered_amount_due"],
    )


def _taken_back(tx: Tx, standings: Mapping[str, Standing]) -> dict[str, int]:
    """How often people's decisions took back what covered an invoice; asked of those that may be covered anew."""
    wanted = sorted(id_ for id_, each in standings.items() if not each.settlement.is_covered)
    if not wanted:
        return {}
    column = tables.transitions.c
    rows = tx.execute(
        select(column.subject_id, func.count())
        .where(column.subject_kind == "invoice", column.field == COVERAGE)
        .where(one_of(column.subject_id, wanted))
        .group_by(column.subject_id)
    )
    return dict(rows.all())


def _exceptions(
    tx: Tx, subjects: Iterable[str]
) -> tuple[dict[tuple[str, str], str], dict[tuple[str, str], str]]:
    wanted = sorted(subjects)
    opened: dict[tuple[str, str], str] = {}
    resolved: dict[tuple[str, str], str] = {}
    if wanted:
        column = tables.exceptions.c
        asked = select(column.kind, column.subject, column.fingerprint, column.state).where(
            and_(one_of(column.subject, wanted), column.state != "cleared")
        )
        for kind, subject, fingerprint, state in tx.execute(asked):
            (opened if state == "open" else resolved)[(kind, subject)] = fingerprint
    return opened, resolved


def _assignments(tx: Tx, payment_ids: Sequence[str]) -> dict[str, Assignment]:
    if not payment_ids:
        return {}
    column = tables.assignments.c
    rows = tx.execute(
        select(tables.assignments)
        .where(one_of(column.payment_id, payment_ids))
        .order_by(column.serial)
    ).mappings()
    found: dict[str, Assignment] = {}
    for row in rows:
        found[row["payment_id"]] = _assignment(row, found.get(row["payment_id"]))
    return found


def _assignment(row: Row, previous: Assignment | None) -> Assignment:
    shares = msgspec.json.decode(row["shares"], type=tuple[tuple[str, int | None], ...])
    return Assignment(
        payment_id=row["payment_id"],
        shares=shares,
        by=row["decided_by"],
        reason=row["reason"],
        decided_ms=ms(row["decided_at"]),
        serial=row["serial"],
        previous=previous,
    )


def placed(tx: Tx, payment_id: str) -> tuple[tuple[Allocation, ...], Assignment | None]:
    """Where the money of a payment is, and the last that a person has decided about it."""
    allocations = _allocations(tx, (tables.allocations.c.payment_id, [payment_id]))
    return allocations.get(payment_id, ()), _assignments(tx, [payment_id]).get(payment_id)


def claimed_by(tx: Tx, payment_id: str) -> frozenset[str]:
    """The invoices that a payment names although its names disagree."""
    return frozenset(_claims(tx, (tables.claims.c.holder_id, [payment_id])))


def holders_of(tx: Tx, invoice_ids: Iterable[str]) -> frozenset[str]:
    """The payments and Sessions that were brought together with these invoices before."""
    wanted = sorted(invoice_ids)
    allocated, claimed = tables.allocations.c, tables.claims.c
    asked = (
        select(allocated.payment_id).where(one_of(allocated.invoice_id, wanted)),
        select(claimed.holder_id).where(one_of(claimed.invoice_id, wanted)),
    )
    return frozenset(id_ for each in asked for id_ in tx.scalars(each))


def invoices_of(tx: Tx, table: InvoiceTable, ids: Iterable[str]) -> dict[str, Invoice]:
    """Read and lock the invoices with these ids."""
    return invoice_rows.find(tx, table, ids)
