"""What must a person look at?

Every exception is a function of facts, invoices and decisions; it opens and closes by itself in the same transaction as
the change that caused it. Its fingerprint holds the amounts and ids that make it true: a person's `resolve` holds as long
as the fingerprint stays the same.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from reconciler.core import contradictions, since
from reconciler.core.matching import Match, Rule
from reconciler.core.payment import Book, Summary, dispute_transactions
from reconciler.core.sharing import left_over
from reconciler.core.words import DisputeClass, dispute_class, dispute_word, refund_word


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
    MISSING_AT_STRIPE = "missing_at_stripe"
    EVENT_DEAD = "event_dead"
    READ_FORBIDDEN = "read_forbidden"
    SWEEP_FAILING = "sweep_failing"
    WRONG_ACCOUNT_OR_MODE = "wrong_account_or_mode"
    PUSH_REFUSED = "push_refused"


# Money may still be on its way to the right place: these count only some time after Stripe's time.
GRACED = frozenset(
    {
        ExceptionKind.UNMATCHED_PAYMENT,
        ExceptionKind.UNDERPAID,
        ExceptionKind.PAID_HERE_NOT_AT_STRIPE,
    }
)

# What says that the program itself needs a hand; the other kinds are about single payments.
OF_THE_PROGRAM = frozenset(
    {
        ExceptionKind.EVENT_DEAD,
        ExceptionKind.READ_FORBIDDEN,
        ExceptionKind.SWEEP_FAILING,
        ExceptionKind.WRONG_ACCOUNT_OR_MODE,
        ExceptionKind.PUSH_REFUSED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is true now and needs a person. `at_ms` is Stripe's time of the fact; None: not known.

    `counts_ms` is the time by which it is old or new, where that is another one.
    """

    kind: ExceptionKind
    subject: str
    fingerprint: str
    at_ms: int | None = None
    counts_ms: int | None = None
    amount_minor: int | None = None
    currency: str = ""

    def is_old(self, since_ms: int) -> bool:
        """Whether it belongs to the time before the first day that counts."""
        known_ms = self.at_ms if self.counts_ms is None else self.counts_ms
        return known_ms is not None and known_ms < since_ms


def of_payment(
    book: Book, payment: Summary, match: Match, gone: Collection[str] = ()
) -> tuple[Finding, ...]:
    """What needs a person about one payment, its refunds and its disputes; `gone` are invoices that are no more."""
    found = [*_of_facts(book, payment), *_of_refunds(book), *_of_disputes(book, payment)]
    # Also where a person has taken it back from every invoice: then it is another product's again.
    if payment.is_foreign and not match.allocations:
        return ()
    if match.rule is Rule.CONFLICT or match.rivals:
        kind = ExceptionKind.CONFLICTING_REFERENCES
        detail = ",".join(sorted(match.named | match.rivals))
        found.append(_of_money(kind, payment, match, payment.received_minor, detail))
        return tuple(found)
    left_minor = left_over(payment, match.allocations, gone)
    if left_minor > 0 and not payment.is_foreign:
        is_whole = match.decision is None and left_minor == payment.received_minor
        detail = match.rule if is_whole else f"{match.rule}, {left_minor} left"
        kind = ExceptionKind.UNMATCHED_PAYMENT
        finding = _of_money(kind, payment, match, left_minor, detail)
        # However old the money is: that its invoice is gone is of today.
        found.append(replace(finding, at_ms=None, counts_ms=None) if gone else finding)
    return tuple(found)


def _of_money(
    kind: ExceptionKind, payment: Summary, match: Match, amount_minor: int, detail: str
) -> Finding:
    decided_ms = match.decision.decided_ms if match.decision else None
    return Finding(
        kind=kind,
        subject=payment.id,
        fingerprint=f"{payment.received_minor} {payment.currency} {detail}",
        at_ms=payment.paid.at_ms if payment.paid else payment.created_ms,
        counts_ms=since.latest(since.of_payment(payment), decided_ms),
        amount_minor=amount_minor,
        currency=payment.currency,
    )


def _of_facts(book: Book, payment: Summary) -> Iterator[Finding]:
    wrong = tuple(contradictions.of_book(book, payment))
    if wrong:
        yield Finding(
            kind=ExceptionKind.CONFLICTING_FACTS,
            subject=payment.id,
            fingerprint="; ".join(each.words for each in wrong),
            at_ms=payment.created_ms,
            counts_ms=since.latest(*(each.at_ms for each in wrong)),
        )


def _of_refunds(book: Book) -> Iterator[Finding]:
    for refund_id, refund in book.refunds.items():
        if refund_word(refund) == "failed":
            amount_minor = max(refund.amounts, default=0)
            yield Finding(
                kind=ExceptionKind.REFUND_FAILED,
                subject=refund_id,
                fingerprint=str(amount_minor),
                at_ms=since.of_failure(book, refund_id),
                amount_minor=amount_minor,
                currency=min(refund.currencies, default=""),
            )


def _of_disputes(book: Book, payment: Summary) -> Iterator[Finding]:
    for dispute_id, dispute in book.disputes.items():
        word, meaning = dispute_word(dispute), dispute_class(dispute)
        amount_minor = max(dispute.amounts, default=0)
        moved = dispute_transactions(book, dispute_id)
        truths = {}
        if meaning in (DisputeClass.INQUIRY, DisputeClass.OPEN):
            # Not the word: that somebody has answered changes neither what is at stake nor until when.
            until = dispute.respond_by_ms or "no day"
            truths[ExceptionKind.DISPUTE_OPEN] = f"{meaning} {amount_minor} until {until}"
        if word == "lost":
            truths[ExceptionKind.DISPUTE_LOST] = f"{word} {amount_minor}"
        in_other = any(each.currency != payment.currency for each in moved)
        came_back = any(each.amount_minor > 0 for each in moved)
        if in_other and came_back and meaning is not DisputeClass.WON:
            amounts = sorted(f"{each.amount_minor} {each.currency}" for each in moved)
            truths[ExceptionKind.DISPUTE_FX] = ", ".join((str(amount_minor), *amounts))
        for kind, truth in truths.items():
            yield Finding(
                kind=kind,
                subject=dispute_id,
                fingerprint=truth,
                at_ms=since.of_dispute(book, dispute_id),
                amount_minor=amount_minor,
                currency=min(dispute.currencies, default=""),
            )
