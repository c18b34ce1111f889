"""Which invoice does a payment belong to?

A person's decision comes first; else every known reference that resolves to an invoice must name the same one. Nothing is
ever guessed: a value that fits two invoices resolves to none, names that disagree allocate nothing, and names that the
payer can edit (https://docs.stripe.com/payment-links/url-parameters) must be borne out by the exact amount and currency.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from reconciler.core import since
from reconciler.core.directory import STORED, Directory, is_later
from reconciler.core.invoice import Invoice
from reconciler.core.observation import Assignment, Reference, ReferenceKind
from reconciler.core.payment import Summary

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


# By which names a rule finds an invoice.
_KINDS_OF = MappingProxyType(
    {
        Rule.STORED_ID: STORED,
        Rule.SPLIT_BY_STORED_IDS: STORED,
        Rule.AGREEMENT: frozenset(ReferenceKind) - STORED - PAYER_CONTROLLED,
        Rule.PAYER_REFERENCE: PAYER_CONTROLLED,
        Rule.PAYMENT_LINK: frozenset({ReferenceKind.PAYMENT_LINK}),
    }
)


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
    """The answer for one payment. `named` holds every invoice that its references resolve to, `decision` a person's word.

    `claimed` are the invoices that must show `review` because the names disagree; `rivals` those that its names fit by now as
    well as the one that has its money.
    """

    payment_id: str
    rule: Rule
    allocations: tuple[Allocation, ...] = ()
    named: frozenset[str] = frozenset()
    claimed: frozenset[str] = frozenset()
    rivals: frozenset[str] = frozenset()
    decision: Assignment | None = None


def match(
    payment: Summary,
    references: Collection[Reference],
    directory: Directory,
    assignment: Assignment | None = None,
    placed: Sequence[Allocation] = (),
) -> Match:
    """Find where a payment belongs. `directory` must hold every invoice that any of its references could fit.

    `placed` is where it was before: money that a rule has placed stays, as long as its names say nothing else.
    """
    if assignment is not None:
        return _assigned(payment, assignment)
    if payment.is_foreign:
        return Match(payment_id=payment.id, rule=Rule.FOREIGN)
    found = _judged(payment, references, directory)
    held = frozenset(each.invoice_id for each in placed)
    if not payment.received_minor or payment.received_minor != sum(e.amount_minor for e in placed):
        return found
    rivals: frozenset[str] = frozenset()
    if held <= directory.invoices.keys():
        stays = _still_holds(found, references, directory, placed)
        rivals = _rivals(payment, references, directory, placed)
    else:
        stays = _waits_for_a_person(payment, found, directory.invoices, held)
    if not stays:
        return found
    return Match(
        payment_id=payment.id,
        rule=placed[0].rule,
        allocations=tuple(placed),
        named=held,
        rivals=rivals,
    )


def _judged(payment: Summary, references: Iterable[Reference], directory: Directory) -> Match:
    paid_ms = since.of_payment(payment)
    resolved = {each: directory.named(each, paid_ms) for each in references}
    resolved = {each: found for each, found in resolved.items() if found}
    named = frozenset(id_ for found in resolved.values() for id_ in found)
    if not named:
        return Match(payment_id=payment.id, rule=Rule.UNMATCHED)
    if len(named) > 1:
        return _several(payment, resolved, [directory.invoices[id_] for id_ in sorted(named)])
    return _agreed(
        payment, frozenset(each.kind for each in resolved), directory.invoices[min(named)]
    )


def _still_holds(
    found: Match,
    references: Collection[Reference],
    directory: Directory,
    placed: Sequence[Allocation],
) -> bool:
    """Whether money that a rule has placed stays, although the rule would not place it there today.

    What has changed is then the app's table, not what was paid: another invoice got the same link or number, or a total was
    edited. That must not empty an invoice that was right. What the payment itself says anew does count.
    """
    held = {each.invoice_id for each in placed}
    if found.allocations or not found.named <= held:
        return False
    return held <= _fitting(placed[0].rule, references, directory).keys()


def _waits_for_a_person(
    payment: Summary, found: Match, invoices: Mapping[str, Invoice], held: frozenset[str]
) -> bool:
    """Whether money of an invoice that is gone stays there, counted as left over, until somebody says where it belongs.

    A payer's link or reference that fits another invoice by now was not written for that one, and the others of a split have
    their parts already; nor is one that was made later and has its number. What the app itself names anew does count.
    """
    by_the_payer = found.rule in (Rule.PAYMENT_LINK, Rule.PAYER_REFERENCE, Rule.NOT_BORNE_OUT)
    paid_ms = since.of_payment(payment)
    made_later = any(is_later(invoices[id_], paid_ms) for id_ in found.named)
    return by_the_payer or found.named <= held or (found.rule is Rule.AGREEMENT and made_later)


def _rivals(
    payment: Summary,
    references: Iterable[Reference],
    directory: Directory,
    placed: Sequence[Allocation],
) -> frozenset[str]:
    """The invoices that may have been meant as well as those that have the money, as far as anybody can know."""
    held, paid_ms = {each.invoice_id for each in placed}, since.of_payment(payment)
    fitting = _fitting(placed[0].rule, references, directory)
    return frozenset(
        id_ for id_, each in fitting.items() if id_ not in held and not is_later(each, paid_ms)
    )


def _fitting(
    rule: Rule, references: Iterable[Reference], directory: Directory
) -> dict[str, Invoice]:
    """The invoices that those references fit by which a rule finds one."""
    kinds = _KINDS_OF.get(rule, frozenset())
    names = (each for each in references if each.kind in kinds)
    return {each.id: each for name in names for each in directory.fitting(name)}


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
    if not payment.has_money:
        return Match(payment_id=payment.id, rule=Rule.UNMATCHED, named=named)
    # What a payer alone controls claims nothing: else anybody could send another's paid invoice to review.
    claimed = frozenset(
        i for each, found in resolved.items() if each.kind not in PAYER_CONTROLLED for i in found
    )
    return Match(payment_id=payment.id, rule=Rule.CONFLICT, named=named, claimed=claimed)


def _whole(payment: Summary, invoice_id: str, amount_minor: int, rule: Rule) -> Allocation:
    return Allocation(
        payment_id=payment.id, invoice_id=invoice_id, amount_minor=amount_minor, rule=rule
    )
