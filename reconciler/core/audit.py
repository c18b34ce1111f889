"""What changed, told one field at a time: the audit trail, and the changes that it tells of."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from reconciler.core.invoice import InvoiceWrite, Settlement, Share
from reconciler.core.ledger import Ledger, Standing, invoices_held_by
from reconciler.core.matching import Allocation, Match, Rule
from reconciler.core.money import format_amount
from reconciler.core.observation import Assignment
from reconciler.core.payment import Book, Summary, payment_status

COVERAGE: Final = "coverage"
"""The field of the step by which a person's decision took from an invoice what covered it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One recorded change of one field: the audit trail, and the only thing that effects may hang on."""

    subject_kind: str
    subject_id: str
    field: str
    old: str | None
    new: str | None
    rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentChange:
    """One payment after the evidence, with its derived state and the place where it belongs; `before` is what was known."""

    book: Book
    summary: Summary
    match: Match
    is_changed: bool
    is_moved: bool
    before: Book | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceChange:
    """One invoice after the evidence: the new standing, the shares that it rests on, and what its row should say."""

    standing: Standing
    shares: tuple[Share, ...]
    write: InvoiceWrite | None
    is_changed: bool


def transitions(
    before: Mapping[str, Book],
    payments: Iterable[PaymentChange],
    invoices: Iterable[InvoiceChange],
    ledger: Ledger,
) -> Iterator[Transition]:
    """Every step of payments and invoices from what was stored to what is decided."""
    for each in payments:
        id_, earlier = each.book.id, before.get(each.book.id)
        old = payment_status(earlier).value if earlier is not None else None
        yield from _step("payment", id_, "status", old, each.summary.status.value)
        was = ",".join(sorted(a.invoice_id for a in ledger.allocations.get(id_, ())))
        now = ",".join(sorted(a.invoice_id for a in each.match.allocations))
        yield from _step("payment", id_, "invoice", was or None, now or None, each.match.rule.value)
        yield from _on_their_side(each, ledger)
    for change_ in invoices:
        settlement, write = change_.standing.settlement, change_.write
        yield from _taken_back(change_, ledger)
        invoice = ledger.invoices.get(settlement.invoice_id)
        if write is None or invoice is None:
            continue
        rule = _sentence(settlement)
        yield from _step("invoice", invoice.id, "status", invoice.status, write.status, rule)
        old_word, new_word = invoice.payment_status, write.payment_status
        yield from _step("invoice", invoice.id, "payment_status", old_word, new_word, rule)
        old_at = invoice.paid_at.isoformat() if invoice.paid_at else None
        new_at = write.paid_at.isoformat() if write.paid_at else None
        rank = f"evidence {settlement.paid.rank}" if settlement.paid else ""
        yield from _step("invoice", invoice.id, "paid_at", old_at, new_at, rank)


def decided(decision: Assignment) -> Transition:
    """A person's decision about a payment, told with its reason."""
    whole = "all" if len(decision.shares) == 1 else "the rest"
    parts = (
        f"{whole if amount_minor is None else 'a part'} to {invoice_id}"
        for invoice_id, amount_minor in decision.shares
    )
    return Transition(
        subject_kind="payment",
        subject_id=decision.payment_id,
        field="decision",
        old=None,
        new=", ".join(parts) or "to no invoice",
        rule=f"{decision.by}: {decision.reason}",
    )


def _on_their_side(change: PaymentChange, ledger: Ledger) -> Iterator[Transition]:
    """What came to invoices from a payment or left them, and which ones its names set at odds: told on their side too."""
    if not change.is_moved:
        return
    payment, found = change.summary, change.match
    was = {each.invoice_id: each for each in ledger.allocations.get(payment.id, ())}
    now = {each.invoice_id: each for each in found.allocations}
    for id_ in sorted(was.keys() | now.keys()):
        old, new = (_part(payment, held.get(id_)) for held in (was, now))
        yield from _step("invoice", id_, "payment", old, new, _word(now.get(id_), found))
    claimed = invoices_held_by(payment.id, ledger.claims)
    for id_ in sorted(claimed ^ found.claimed):
        old, new = (payment.id if id_ in held else None for held in (claimed, found.claimed))
        yield from _step("invoice", id_, "claim", old, new, _word(None, found))


def _part(payment: Summary, share: Allocation | None) -> str | None:
    if share is None:
        return None
    amount_minor = share.amount_minor
    return f"{payment.id} {format_amount(amount_minor, payment.currency) if amount_minor else 'nothing yet'}"


def _word(share: Allocation | None, found: Match) -> str:
    """Who gave a share, else who took it away, and why; where no person did, the rule's word."""
    if share is not None and share.rule is Rule.ASSIGNED:
        return f"{share.decided_by}: {share.reason}"
    decision = found.decision
    return found.rule.value if decision is None else f"{decision.by}: {decision.reason}"


def _taken_back(change: InvoiceChange, ledger: Ledger) -> Iterator[Transition]:
    """The invoice is forgotten to have been covered: only a person's decision does that, and what comes is a new payment."""
    settlement = change.standing.settlement
    stored = ledger.standings.get(settlement.invoice_id)
    if stored is None or stored.covered_due_minor is None:
        return
    if change.standing.covered_due_minor is None:
        covered = format_amount(stored.covered_due_minor, stored.settlement.currency)
        yield from _step("invoice", settlement.invoice_id, COVERAGE, covered, None)


def _step(  # noqa: PLR0913, PLR0917 - the columns of one audit row
    kind: str, id_: str, name: str, old: str | None, new: str | None, rule: str = ""
) -> Iterator[Transition]:
    if old != new:
        yield Transition(subject_kind=kind, subject_id=id_, field=name, old=old, new=new, rule=rule)


def _sentence(settlement: Settlement) -> str:
    return (
        f"received {settlement.received_minor}, net {settlement.net_minor}"
        f" of {settlement.amount_due_minor} {settlement.currency}"
    )
