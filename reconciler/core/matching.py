"""Which invoice does a payment belong to?

A person's decision comes first; else every known reference that resolves to an invoice must name the same one. Nothing is
ever guessed: a value that fits two invoices resolves to none, names that disagree allocate nothing, and names that the
payer can edit (https://docs.stripe.com/payment-links/url-parameters) must be borne out by the exact amount and currency.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from reconciler.core.invoice import Invoice, Share
from reconciler.core.money import distribute
from reconciler.core.observation import Assignment, Reference, ReferenceKind
from reconciler.core.payment import Summary

STORED = frozenset({ReferenceKind.PAYMENT_INTENT, ReferenceKind.CHECKOUT_SESSION})
PAYER_CONTROLLED = frozenset({ReferenceKind.CLIENT_REFERENCE, ReferenceKind.PAYMENT_LINK})


class Rule(StrEnum):
    """Why a payment belongs where it does; one word that `explain` turns into a sentence."""

    ASSIGNED = "assigned"
    STORED_ID = "stored_id"
    AGREEMENT = "agreement"
    PAYER_REFERENCE = "payer_reference"
    PAYMENT_LINK = "payment_link"
    SPLIT_BY_STORED_IDS = "split_by_stored_ids"
    FOREIGN = "foreign"
    CONFLICT = "conflicting_references"
    NOT_BORNE_OUT = "payer_reference_not_borne_out"
    UNMATCHED = "unmatched"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """So much of one payment belongs to one invoice; minor units of the payment's currency."""

    payment_id: str
    invoice_id: str
    amount_minor: int
    rule: Rule
    decided_by: str = ""
    reason: str = ""
    decided_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The answer for one payment. `named` holds every invoice that its references resolve to, `decision` a person's word."""

    payment_id: str
    rule: Rule
    allocations: tuple[Allocation, ...] = ()
    named: frozenset[str] = frozenset()
    decision: Assignment | None = None

    @property
    def claimed(self) -> frozenset[str]:
        """The invoices that must show `review` because the names disagree."""
        return self.named if self.rule is Rule.CONFLICT else frozenset()


def match(
    payment: Summary,
    references: Iterable[Reference],
    invoices: Mapping[str, Invoice],
    assignment: Assignment | None = None,
) -> Match:
    """Find where a payment belongs. `invoices` must hold every invoice that any of its references could fit."""
    if assignment is not None:
        return _assigned(payment, assignment)
    if payment.is_foreign:
        return Match(payment_id=payment.id, rule=Rule.FOREIGN)
    resolved = {each: resolve(each, invoices.values()) for each in references}
    resolved = {each: found for each, found in resolved.items() if found}
    named = frozenset(id_ for found in resolved.values() for id_ in found)
    if not named:
        return Match(payment_id=payment.id, rule=Rule.UNMATCHED)
    if len(named) > 1:
        return _several(payment, resolved, [invoices[id_] for id_ in sorted(named)])
    return _agreed(payment, frozenset(each.kind for each in resolved), invoices[min(named)])


def resolve(reference: Reference, invoices: Iterable[Invoice]) -> frozenset[str]:
    """The invoices that one reference names: values are compared exactly, and only a stored id may name several."""
    kind, value = reference
    if not value:
        return frozenset()
    if kind is ReferenceKind.PAYMENT_INTENT:
        return frozenset(each.id for each in invoices if each.payment_intent_id == value)
    if kind is ReferenceKind.CHECKOUT_SESSION:
        return frozenset(each.id for each in invoices if each.checkout_session_id == value)
    if kind is ReferenceKind.PAYMENT_LINK:
        found = frozenset(each.id for each in invoices if each.payment_link_id == value)
    elif kind is ReferenceKind.CHARGE:
        return frozenset()
    else:
        found = frozenset(each.id for each in invoices if value in (each.id, each.number))
    return found if len(found) == 1 else frozenset()


def _assigned(payment: Summary, assignment: Assignment) -> Match:
    left_minor = payment.received_minor
    parts: dict[str, int] = {}
    authors: dict[str, Assignment] = {}
    for count, (invoice_id, wanted_minor) in enumerate(assignment.shares, start=1):
        authors[invoice_id] = assignment.author_of(count)
        part_minor = left_minor if wanted_minor is None else min(wanted_minor, left_minor)
        left_minor -= part_minor
        parts[invoice_id] = parts.get(invoice_id, 0) + part_minor
    allocations = tuple(
        Allocation(
            payment_id=payment.id,
            invoice_id=invoice_id,
            amount_minor=part_minor,
            rule=Rule.ASSIGNED,
            decided_by=authors[invoice_id].by,
            reason=authors[invoice_id].reason,
            decided_ms=authors[invoice_id].decided_ms,
        )
        for invoice_id, part_minor in parts.items()
    )
    return Match(
        payment_id=payment.id, rule=Rule.ASSIGNED, allocations=allocations, decision=assignment
    )


def _agreed(payment: Summary, kinds: frozenset[ReferenceKind], invoice: Invoice) -> Match:
    named = frozenset({invoice.id})
    rule = Rule.STORED_ID if kinds & STORED else Rule.AGREEMENT
    if kinds <= PAYER_CONTROLLED:
        exact = (invoice.amount_due_minor, invoice.currency)
        if (payment.received_minor, payment.currency) != exact:
            return Match(payment_id=payment.id, rule=Rule.NOT_BORNE_OUT, named=named)
        by_link_alone = kinds == {ReferenceKind.PAYMENT_LINK}
        rule = Rule.PAYMENT_LINK if by_link_alone else Rule.PAYER_REFERENCE
    return Match(
        payment_id=payment.id,
        rule=rule,
        allocations=(_whole(payment, invoice.id, payment.received_minor, rule),),
        named=named,
    )


def _several(
    payment: Summary,
    resolved: Mapping[Reference, frozenset[str]],
    invoices: Sequence[Invoice],
) -> Match:
    """One payment for several invoices: only if the app stored its id on each, and the totals add up exactly."""
    stored = frozenset(i for each, found in resolved.items() if each.kind in STORED for i in found)
    named = frozenset(each.id for each in invoices)
    totals = [each.amount_due_minor for each in invoices]
    # A credit among them makes up for what another owes, and no part of a payment can be less than nothing.
    adds_up = sum(totals) == payment.received_minor and min(totals) >= 0
    one_currency = all(each.currency == payment.currency for each in invoices)
    if stored == named and (payment.received_minor == 0 or (adds_up and one_currency)):
        rule = Rule.SPLIT_BY_STORED_IDS
        parts = totals if payment.received_minor else [0] * len(invoices)
        allocations = tuple(
            _whole(payment, each.id, part, rule) for each, part in zip(invoices, parts, strict=True)
        )
        return Match(payment_id=payment.id, rule=rule, allocations=allocations, named=named)
    # Names without money behind them disturb nobody: an abandoned attempt must not send invoices to review.
    rule = Rule.CONFLICT if payment.has_money else Rule.UNMATCHED
    return Match(payment_id=payment.id, rule=rule, named=named)


def _whole(payment: Summary, invoice_id: str, amount_minor: int, rule: Rule) -> Allocation:
    return Allocation(
        payment_id=payment.id, invoice_id=invoice_id, amount_minor=amount_minor, rule=rule
    )


def shares(payment: Summary, allocations: Sequence[Allocation]) -> dict[str, Share]:
    """Cut a payment along its allocations: refunds and disputes reduce them in proportion, by the largest remainder."""
    ordered = sorted(allocations, key=lambda each: each.invoice_id)
    parts = [each.amount_minor for each in ordered]
    rest_minor = max(0, payment.received_minor - sum(parts))
    weights = [*parts, rest_minor]
    if len(ordered) == 1 and rest_minor == 0:
        weights = [1, 0]
    refunded = _cut(payment.refunded_minor, weights)
    pending = _cut(payment.refund_pending_minor, weights)
    disputed = _cut(payment.disputed_minor, weights)
    return {
        each.invoice_id: Share(
            payment=payment,
            received_minor=each.amount_minor,
            refunded_minor=refunded[index],
            refund_pending_minor=pending[index],
            disputed_minor=disputed[index],
            decided_ms=each.decided_ms,
        )
        for index, each in enumerate(ordered)
    }


def _cut(total_minor: int, weights: Sequence[int]) -> Sequence[int]:
    if not any(weights):
        return [0] * len(weights)
    return distribute(total_minor, weights)
