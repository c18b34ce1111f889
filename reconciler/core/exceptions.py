"""What must a person look at?

Every exception is a function of facts, invoices and decisions; it opens and closes by itself in the same transaction as
the change that caused it. Its fingerprint holds the amounts and ids that make it true: a person's `resolve` holds as long
as the fingerprint stays the same.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from reconciler.core.doubts import contradicting_totals
from reconciler.core.facts import TERMINAL
from reconciler.core.invoice import PAID_WORD, Invoice, Settlement, Share
from reconciler.core.lattice import current
from reconciler.core.matching import Match, Rule
from reconciler.core.payment import KNOWN_WORDS, Book, Summary, dispute_transactions
from reconciler.core.words import (
    DISPUTE_RANK,
    REFUND_RANK,
    DisputeClass,
    dispute_class,
    dispute_word,
    refund_word,
)


class ExceptionKind(StrEnum):
    """The kinds of exceptions; the words are a promise to other programs."""

    UNMATCHED_PAYMENT = "unmatched_payment"
    CONFLICTING_REFERENCES = "conflicting_references"
    UNDERPAID = "underpaid"
    OVERPAID = "overpaid"
    SECOND_PAYMENT = "second_payment"
    WRONG_CURRENCY = "wrong_currency"
    CONFLICTING_FACTS = "conflicting_facts"
    INVOICE_NOT_PAYABLE = "invoice_not_payable"
    INVOICE_CHANGED_AFTER_PAID = "invoice_changed_after_paid"
    REFUND_FAILED = "refund_failed"
    DISPUTE_OPEN = "dispute_open"
    DISPUTE_LOST = "dispute_lost"
    DISPUTE_FX = "dispute_fx"
    NET_BELOW_ZERO = "net_below_zero"
    PAID_HERE_NOT_AT_STRIPE = "paid_here_not_at_stripe"
    EVENT_DEAD = "event_dead"
    READ_FORBIDDEN = "read_forbidden"
    SWEEP_FAILING = "sweep_failing"
    WRONG_ACCOUNT_OR_MODE = "wrong_account_or_mode"


# Money may still be on its way to the right place: these count only some time after Stripe's time.
GRACED = frozenset(
    {
        ExceptionKind.UNMATCHED_PAYMENT,
        ExceptionKind.UNDERPAID,
        ExceptionKind.PAID_HERE_NOT_AT_STRIPE,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is true now and needs a person. `at_ms` is Stripe's time of the fact; None: not known."""

    kind: ExceptionKind
    subject: str
    fingerprint: str
    at_ms: int | None = None
    amount_minor: int | None = None
    currency: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What happened to an invoice before: whether its `paid` is our word, and the total at which it was covered."""

    was_paid_by_us: bool = False
    covered_due_minor: int | None = None


def of_payment(book: Book, payment: Summary, match: Match) -> tuple[Finding, ...]:
    """What needs a person about one payment, its refunds and its disputes."""
    found = [*_of_facts(book, payment), *_of_refunds(book), *_of_disputes(book, payment)]
    if payment.is_foreign and match.rule is Rule.FOREIGN:
        return ()
    at_ms = payment.paid.at_ms if payment.paid else payment.created_ms
    if match.rule is Rule.CONFLICT:
        named = ",".join(sorted(match.named))
        found.append(
            _finding(ExceptionKind.CONFLICTING_REFERENCES, payment, named, at_ms=at_ms),
        )
    elif payment.received_minor > 0 and not match.allocations and match.rule is not Rule.ASSIGNED:
        found.append(_finding(ExceptionKind.UNMATCHED_PAYMENT, payment, match.rule, at_ms=at_ms))
    return tuple(found)


def _finding(kind: ExceptionKind, payment: Summary, detail: str, *, at_ms: int | None) -> Finding:
    return Finding(
        kind=kind,
        subject=payment.id,
        fingerprint=f"{payment.received_minor} {payment.currency} {detail}",
        at_ms=at_ms,
        amount_minor=payment.received_minor,
        currency=payment.currency,
    )


def _of_facts(book: Book, payment: Summary) -> Iterator[Finding]:
    intent = book.facts.intent
    wrong: list[str] = []
    if intent.terminals >= TERMINAL:
        wrong.append("succeeded and canceled")
    if len(intent.received_currencies) > 1:
        wrong.append("received in " + " and ".join(sorted(intent.received_currencies)))
    unknown = current(intent.words) - KNOWN_WORDS if not intent.terminals else frozenset()
    wrong.extend(f"unknown word {word}" for word in sorted(unknown))
    for charge_id, charge in sorted(book.facts.charges.items()):
        listed = contradicting_totals(book, charge_id, charge) & charge.listed_totals
        wrong.extend(f"refunds of {charge_id} are not {total}" for total in sorted(listed))
    for refund_id, refund in sorted(book.refunds.items()):
        if len(refund.amounts) > 1 or len(refund.currencies) > 1 or len(refund.charges) > 1:
            wrong.append(f"{refund_id} changed")
        wrong.extend(
            f"unknown word {w}" for w in sorted(refund.statuses.keys() - REFUND_RANK.keys())
        )
    for dispute_id, dispute in sorted(book.disputes.items()):
        unknown_words = dispute.words.keys() - DISPUTE_RANK.keys()
        wrong.extend(f"unknown word {word} of {dispute_id}" for word in sorted(unknown_words))
    if wrong:
        yield Finding(
            kind=ExceptionKind.CONFLICTING_FACTS,
            subject=payment.id,
            fingerprint="; ".join(wrong),
            at_ms=payment.created_ms,
        )


def _of_refunds(book: Book) -> Iterator[Finding]:
    for refund_id, refund in book.refunds.items():
        if refund_word(refund) == "failed":
            amount_minor = max(refund.amounts, default=0)
            yield Finding(
                kind=ExceptionKind.REFUND_FAILED,
                subject=refund_id,
                fingerprint=str(amount_minor),
                at_ms=refund.created_ms,
                amount_minor=amount_minor,
                currency=min(refund.currencies, default=""),
            )


def _of_disputes(book: Book, payment: Summary) -> Iterator[Finding]:
    for dispute_id, dispute in book.disputes.items():
        word, meaning = dispute_word(dispute), dispute_class(dispute)
        amount_minor = max(dispute.amounts, default=0)
        moved = dispute_transactions(book, dispute_id)
        kinds = []
        if meaning in (DisputeClass.INQUIRY, DisputeClass.OPEN):
            kinds.append(ExceptionKind.DISPUTE_OPEN)
        if word == "lost":
            kinds.append(ExceptionKind.DISPUTE_LOST)
        in_other = any(each.currency != payment.currency for each in moved)
        if (
            in_other
            and any(each.amount_minor > 0 for each in moved)
            and meaning is not DisputeClass.WON
        ):
            kinds.append(ExceptionKind.DISPUTE_FX)
        for kind in kinds:
            yield Finding(
                kind=kind,
                subject=dispute_id,
                fingerprint=f"{word} {amount_minor}",
                at_ms=dispute.created_ms,
                amount_minor=amount_minor,
                currency=min(dispute.currencies, default=""),
            )


def of_invoice(
    invoice: Invoice,
    settlement: Settlement,
    shares: Sequence[Share],
    *,
    payable: frozenset[str],
    history: History,
) -> tuple[Finding, ...]:
    """What needs a person about one invoice."""
    found: list[ExceptionKind] = []
    due, net = settlement.amount_due_minor, settlement.net_minor
    if 0 < settlement.received_minor < due:
        found.append(ExceptionKind.UNDERPAID)
    marked_by_hand = invoice.status == PAID_WORD and not history.was_paid_by_us and net > 0
    if marked_by_hand or _is_second(settlement, shares):
        found.append(ExceptionKind.SECOND_PAYMENT)
    elif net > due:
        found.append(ExceptionKind.OVERPAID)
    if any(each.payment.currency != invoice.currency and each.net_minor for each in shares):
        found.append(ExceptionKind.WRONG_CURRENCY)
    if invoice.status not in payable | {PAID_WORD} and net != 0:
        found.append(ExceptionKind.INVOICE_NOT_PAYABLE)
    if history.covered_due_minor not in (None, due):
        found.append(ExceptionKind.INVOICE_CHANGED_AFTER_PAID)
    if net < 0:
        found.append(ExceptionKind.NET_BELOW_ZERO)
    is_ours_to_doubt = invoice.status == PAID_WORD and invoice.names_stripe and due > 0
    if is_ours_to_doubt and not any(each.received_minor > 0 for each in shares):
        found.append(ExceptionKind.PAID_HERE_NOT_AT_STRIPE)
    ids = ",".join(sorted(each.payment.id for each in shares if each.received_minor > 0))
    times = [each.payment.paid.at_ms for each in shares if each.payment.paid is not None]
    return tuple(
        Finding(
            kind=kind,
            subject=invoice.id,
            fingerprint=f"{settlement.received_minor} {net} {due} {invoice.currency} {ids}",
            at_ms=max(times, default=None),
            amount_minor=net - due,
            currency=invoice.currency,
        )
        for kind in found
    )


def _is_second(settlement: Settlement, shares: Sequence[Share]) -> bool:
    """Whether the invoice would still be covered without one of its payments."""
    due, net = settlement.amount_due_minor, settlement.net_minor
    own = [each for each in shares if each.payment.currency == settlement.currency]
    return due > 0 and any(each.net_minor > 0 and net - each.net_minor >= due for each in own)
