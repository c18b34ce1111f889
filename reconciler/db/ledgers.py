"""What was decided before, around the invoices that a batch touches? Loaded, and locked, in a fixed number of reads."""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

import msgspec
from sqlalchemy import func, select

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
from reconciler.db.members import one_of_those
from reconciler.db.prepared import Row, read_those
from reconciler.db.session import Tx

CONFLICT, WAIVER, RIVAL = "conflict", "waiver", "rival"

_ALLOCATIONS: Final = {
    name: select(tables.allocations).where(one_of_those(tables.allocations.c[name], "ids"))
    for name in ("payment_id", "invoice_id")
}
_CLAIMS: Final = {
    name: select(tables.claims).where(one_of_those(tables.claims.c[name], "ids"))
    for name in ("holder_id", "invoice_id")
}
_STANDINGS: Final = select(tables.settlements).where(
    one_of_those(tables.settlements.c.invoice_id, "ids")
)
_ASSIGNMENTS: Final = (
    select(tables.assignments)
    .where(one_of_those(tables.assignments.c.payment_id, "ids"))
    .order_by(tables.assignments.c.serial)
)
_TAKEN_BACK: Final = (
    select(tables.transitions.c.subject_id, func.count().label("times"))
    .where(tables.transitions.c.subject_kind == "invoice", tables.transitions.c.field == COVERAGE)
    .where(one_of_those(tables.transitions.c.subject_id, "ids"))
    .group_by(tables.transitions.c.subject_id)
)
_EXCEPTIONS: Final = select(
    tables.exceptions.c.kind,
    tables.exceptions.c.subject,
    tables.exceptions.c.fingerprint,
    tables.exceptions.c.state,
).where(one_of_those(tables.exceptions.c.subject, "ids"), tables.exceptions.c.state != "cleared")


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
    earlier = _allocations(tx, "payment_id", holders)
    claimed = _claims(tx, "holder_id", holders)
    assignments = _assignments(tx, holders)
    ids = {*invoices_seen, *(a.invoice_id for each in earlier.values() for a in each), *claimed}
    ids |= {invoice_id for each in assignments.values() for invoice_id, _ in each.shares}
    found = invoice_rows.find(tx, table, ids, references, for_update=for_update)
    # Those that are no more, too: what was settled with them must not be left standing.
    ids |= found.keys()
    around = _allocations(tx, "invoice_id", ids)
    siblings = around.keys() - set(holders)
    whole = _allocations(tx, "payment_id", siblings)
    claims = _claims(tx, "invoice_id", ids)
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


def _allocations(tx: Tx, by: str, ids: Collection[str]) -> dict[str, tuple[Allocation, ...]]:
    found: dict[str, tuple[Allocation, ...]] = {}
    for row in read_those(tx, _ALLOCATIONS[by], ids):
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


def _claims(tx: Tx, by: str, ids: Collection[str]) -> dict[str, dict[str, frozenset[str]]]:
    found: dict[str, dict[str, frozenset[str]]] = {}
    for row in read_those(tx, _CLAIMS[by], ids):
        kinds = found.setdefault(row["invoice_id"], {})
        kinds[row["kind"]] = kinds.get(row["kind"], frozenset()) | {row["holder_id"]}
    return found


def _standings(tx: Tx, ids: Collection[str]) -> dict[str, Standing]:
    return {row["invoice_id"]: _standing(row) for row in read_those(tx, _STANDINGS, ids)}


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
    wanted = [id_ for id_, each in standings.items() if not each.settlement.is_covered]
    return {row["subject_id"]: row["times"] for row in read_those(tx, _TAKEN_BACK, wanted)}


def _exceptions(
    tx: Tx, subjects: Collection[str]
) -> tuple[dict[tuple[str, str], str], dict[tuple[str, str], str]]:
    opened: dict[tuple[str, str], str] = {}
    resolved: dict[tuple[str, str], str] = {}
    for row in read_those(tx, _EXCEPTIONS, subjects):
        found = opened if row["state"] == "open" else resolved
        found[row["kind"], row["subject"]] = row["fingerprint"]
    return opened, resolved


def _assignments(tx: Tx, payment_ids: Collection[str]) -> dict[str, Assignment]:
    found: dict[str, Assignment] = {}
    for row in read_those(tx, _ASSIGNMENTS, payment_ids):
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
    allocations = _allocations(tx, "payment_id", [payment_id])
    return allocations.get(payment_id, ()), _assignments(tx, [payment_id]).get(payment_id)


def claimed_by(tx: Tx, payment_id: str) -> frozenset[str]:
    """The invoices that a payment names although its names disagree."""
    return frozenset(_claims(tx, "holder_id", [payment_id]))


def holders_of(tx: Tx, invoice_ids: Iterable[str]) -> frozenset[str]:
    """The payments and Sessions that were brought together with these invoices before."""
    ids = set(invoice_ids)
    allocated = _allocations(tx, "invoice_id", ids)
    claimed = _claims(tx, "invoice_id", ids).values()
    holders = {holder for kinds in claimed for found in kinds.values() for holder in found}
    return frozenset(holders | allocated.keys())


def invoices_of(tx: Tx, table: InvoiceTable, ids: Iterable[str]) -> dict[str, Invoice]:
    """Read and lock the invoices with these ids."""
    return invoice_rows.find(tx, table, ids)
