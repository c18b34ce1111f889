"""What differed between our books and Stripe, by name, for whoever closes a month?

Compared is what we knew of a payment before a run with what we know after it. Nothing here says what should be done with the
books: that was done through the one door.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from reconciler.core.facts import SUCCEEDED, DisputeFacts, RefundFacts
from reconciler.core.payment import Book, PaymentStatus, Summary, summarise
from reconciler.core.words import dispute_word, gives_back, refund_word


class Drift(StrEnum):
    """What a difference is called."""

    MISSING_HERE = "missing_here"
    MISSING_AT_STRIPE = "missing_at_stripe"
    STATUS_BEHIND = "status_behind"
    AMOUNT_DIFFERS = "amount_differs"
    REFUND_UNKNOWN = "refund_unknown"
    DISPUTE_UNKNOWN = "dispute_unknown"
    PAID_WITHOUT_MONEY = "paid_without_money"
    UNMATCHED = "unmatched"
    UNDERPAID = "underpaid"
    OVERPAID = "overpaid"
    SECOND_PAYMENT = "second_payment"
    FEE_UNKNOWN = "fee_unknown"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Difference:
    """One thing that was one way here and another way at Stripe.

    `subject` is the id of the payment, refund, dispute or invoice, `payment_id` that of the payment around it. `here` and
    `there` are both values as words; amounts in them in minor units with their currency. `since_ms` is Stripe's time from which
    it was so, None where Stripe has no time for it.
    """

    kind: Drift
    subject: str
    payment_id: str
    here: str
    there: str
    since_ms: int | None = None


NOTHING: Final = "nothing"


def compare(before: Book | None, after: Book) -> Iterator[Difference]:
    """What differed about one payment; `before` is None where we did not know of it. What is foreign is nobody's matter."""
    known = summarise(before) if before is not None else None
    found = summarise(after)
    if found.is_foreign:
        return
    if known is None:
        yield missing_here(found)
        return
    yield from _of_payment(known, found)
    yield from _of_refunds(before.refunds if before else {}, after)
    yield from _of_disputes(before.disputes if before else {}, after)


def missing_here(found: Summary) -> Difference:
    """What differed about a payment of which we did not know."""
    return Difference(
        kind=Drift.MISSING_HERE,
        subject=found.id,
        payment_id=found.id,
        here=NOTHING,
        there=_worth(found),
        since_ms=found.created_ms,
    )


def _of_payment(known: Summary, found: Summary) -> Iterator[Difference]:
    def difference(kind: Drift, here: str, there: str) -> Difference:
        since_ms = found.paid.at_ms if found.paid else found.created_ms
        return Difference(
            kind=kind,
            subject=found.id,
            payment_id=found.id,
            here=here,
            there=there,
            since_ms=since_ms,
        )

    if known.status is not found.status:
        yield difference(Drift.STATUS_BEHIND, known.status.value, found.status.value)
    elif _money(known) != _money(found):
        yield difference(Drift.AMOUNT_DIFFERS, _worth(known), _worth(found))
    if known.settled_fee_minor is None and found.settled_fee_minor is not None:
        there = f"{found.settled_fee_minor} {found.settlement_currency}"
        # A payment that was not even known to be paid has no fee that could have been known.
        if known.status is PaymentStatus.SUCCEEDED:
            yield difference(Drift.FEE_UNKNOWN, NOTHING, there)


def _of_refunds(known: Mapping[str, RefundFacts], after: Book) -> Iterator[Difference]:
    for id_, refund in sorted(after.refunds.items()):
        there, at_ms = refund_word(refund), refund.statuses.get(refund_word(refund))
        before = known.get(id_)
        if there == SUCCEEDED and not gives_back(refund, after.facts.charges):
            continue  # What is given up of a hold never was money.
        if before is None:
            amount = max(refund.amounts, default=0)
            words = f"{there} {amount} {max(refund.currencies, default='')}".rstrip()
            yield _around(Drift.REFUND_UNKNOWN, id_, after, (NOTHING, words), refund.created_ms)
        elif refund_word(before) != there:
            yield _around(Drift.STATUS_BEHIND, id_, after, (refund_word(before), there), at_ms)


def _of_disputes(known: Mapping[str, DisputeFacts], after: Book) -> Iterator[Difference]:
    for id_, dispute in sorted(after.disputes.items()):
        there, before = dispute_word(dispute), known.get(id_)
        if before is None:
            amount = max(dispute.amounts, default=0)
            words = f"{there} {amount} {max(dispute.currencies, default='')}".rstrip()
            yield _around(Drift.DISPUTE_UNKNOWN, id_, after, (NOTHING, words), dispute.created_ms)
        elif dispute_word(before) != there:
            yield _around(Drift.STATUS_BEHIND, id_, after, (dispute_word(before), there), None)


def _around(
    kind: Drift, subject: str, book: Book, values: tuple[str, str], since_ms: int | None
) -> Difference:
    here, there = values
    return Difference(
        kind=kind, subject=subject, payment_id=book.id, here=here, there=there, since_ms=since_ms
    )


def _money(summary: Summary) -> tuple[str, int, int]:
    return summary.currency, summary.amount_minor, summary.received_minor


def _worth(summary: Summary) -> str:
    """A payment's word, and what it brought or asks for."""
    amount = summary.received_minor or summary.amount_minor
    return f"{summary.status.value} {amount} {summary.currency}".rstrip()
