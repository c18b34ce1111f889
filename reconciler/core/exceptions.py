"""What must a person look at?

Every exception is a function of facts, invoices and decisions; it opens and closes by itself in the same transaction as
the change that caused it. Its fingerprint holds the amounts and ids that make it true: a person's `resolve` holds as long
as the fingerprint stays the same.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from reconciler.core import since
from reconciler.core.doubts import contradicting_totals
from reconciler.core.facts import TERMINAL
from reconciler.core.invoice import PAID_WORD, Invoice, Settlement, Share
from reconciler.core.lattice import current
from reconciler.core.matching import Match, Rule
from reconciler.core.observation import ms
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


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What happened to an invoice before: whether its `paid` is our word, and the total at which it was covered."""

    was_paid_by_us: bool = False
    covered_due_minor: int | None = None


def of_payment(book: Book, payment: Summary, match: Match) -> tuple[Finding, ...]:
    """What needs a person about one payment, its refunds and its disputes."""
    found = [*_of_facts(book, payment), *_of_refunds(book), *_of_disputes(book, payment)]
    # Also where a person has taken it back from every invoice: then it is another product's again.
    if payment.is_foreign and not match.allocations:
        return ()
    if match.rule is Rule.CONFLICT:
        kind, detail = ExceptionKind.CONFLICTING_REFERENCES, ",".join(sorted(match.named))
        found.append(_of_money(kind, payment, match, payment.received_minor, detail))
        return tuple(found)
    left_minor = payment.received_minor - sum(each.amount_minor for each in match.allocations)
    if left_minor > 0 and not payment.is_foreign:
        detail = match.rule if match.decision is None else f"{match.rule}, {left_minor} left"
        kind = ExceptionKind.UNMATCHED_PAYMENT
        found.append(_of_money(kind, payment, match, left_minor, detail))
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
    elif net > max(due, 0):
        found.append(ExceptionKind.OVERPAID)
    strange = _strange(invoice, shares)
    if strange:
        found.append(ExceptionKind.WRONG_CURRENCY)
    if invoice.status not in payable | {PAID_WORD} and net != 0:
        found.append(ExceptionKind.INVOICE_NOT_PAYABLE)
    if history.covered_due_minor not in (None, due):
        found.append(ExceptionKind.INVOICE_CHANGED_AFTER_PAID)
    if net < 0:
        found.append(ExceptionKind.NET_BELOW_ZERO)
    # Paid by hand is the app's own affair, unless the app says that Stripe was asked, or the word is ours.
    is_about_stripe = invoice.names_stripe or history.was_paid_by_us
    is_ours_to_doubt = invoice.status == PAID_WORD and is_about_stripe and due > 0
    if is_ours_to_doubt and not any(each.received_minor > 0 for each in shares):
        found.append(ExceptionKind.PAID_HERE_NOT_AT_STRIPE)
    at_stake = {
        ExceptionKind.WRONG_CURRENCY: strange[:1],
        ExceptionKind.INVOICE_NOT_PAYABLE: [(invoice.currency, net)],
        ExceptionKind.NET_BELOW_ZERO: [(invoice.currency, net)],
    }
    return tuple(
        Finding(
            kind=kind,
            subject=invoice.id,
            fingerprint=_truth(settlement, shares, strange),
            at_ms=since.latest(*(each.payment.paid.at_ms for each in shares if each.payment.paid)),
            counts_ms=_counts_ms(kind, invoice, shares),
            amount_minor=amount_minor,
            currency=currency,
        )
        for kind in found
        for currency, amount_minor in at_stake.get(kind, [(invoice.currency, net - due)])
    )


def _truth(
    settlement: Settlement, shares: Sequence[Share], strange: Sequence[tuple[str, int]]
) -> str:
    """The amounts and ids that make it true."""
    sums = (settlement.received_minor, settlement.net_minor, settlement.amount_due_minor)
    ids = ",".join(sorted(each.payment.id for each in shares if each.received_minor > 0))
    held = (f"{amount_minor} {currency}" for currency, amount_minor in strange)
    return " ".join((*map(str, sums), settlement.currency, ids, *held))


def _counts_ms(kind: ExceptionKind, invoice: Invoice, shares: Sequence[Share]) -> int | None:
    """Old invoices say `paid` and name payments of their time, which nobody has to read again."""
    if kind is ExceptionKind.PAID_HERE_NOT_AT_STRIPE:
        dated = invoice.paid_at or invoice.created_at
        return ms(dated) if dated else None
    return since.of_shares(shares)


def _strange(invoice: Invoice, shares: Sequence[Share]) -> list[tuple[str, int]]:
    """What is held of other currencies than the invoice's, which no sum of its own shows."""
    held: dict[str, int] = {}
    for each in shares:
        currency = each.payment.currency
        if currency != invoice.currency and each.net_minor:
            held[currency] = held.get(currency, 0) + each.net_minor
    return sorted(held.items())


def _is_second(settlement: Settlement, shares: Sequence[Share]) -> bool:
    """Whether the invoice would still be covered without one of its payments."""
    due, net = settlement.amount_due_minor, settlement.net_minor
    own = [each for each in shares if each.payment.currency == settlement.currency]
    return due > 0 and any(each.net_minor > 0 and net - each.net_minor >= due for each in own)
