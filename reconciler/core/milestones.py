"""When does a user hear of something?

A milestone is reached by a recorded change, never by an event, and its key is the same however often it is reached: the
database keeps one notification a (milestone, user). Facts that are older than the setting allows wake nobody.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reconciler.core import since
from reconciler.core.facts import SUCCEEDED
from reconciler.core.invoice import Invoice, Settlement, Share
from reconciler.core.ledger import Rules
from reconciler.core.payment import Book, PaymentStatus, failed_attempts, payment_currency
from reconciler.core.words import gives_back, refund_word

_REFUND_NOTICES = {"succeeded": "refund_done", "failed": "refund_failed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One notification for one user. `at_ms` is Stripe's time of the fact; the amount is in minor units.

    `counts_ms` is the time by which the fact is old or new, where that is another one.
    """

    milestone: str
    kind: str
    user_id: str
    invoice_id: str
    number: str
    amount_minor: int
    currency: str
    at_ms: int
    counts_ms: int | None = None


def of_invoice(
    invoice: Invoice, settlement: Settlement, shares: Sequence[Share], *, was_covered: bool
) -> Iterator[Notice]:
    """The invoice is paid, for the first time."""
    newly = settlement.is_covered and not was_covered
    if newly and invoice.user_id is not None and settlement.paid is not None:
        yield Notice(
            milestone=f"invoice_paid:{invoice.id}",
            kind="invoice_paid",
            user_id=invoice.user_id,
            invoice_id=invoice.id,
            number=invoice.number,
            amount_minor=settlement.amount_due_minor,
            currency=settlement.currency,
            at_ms=settlement.paid.at_ms,
            counts_ms=since.of_shares(shares),
        )


def of_payment(
    before: Book, after: Book, status: PaymentStatus, invoice: Invoice, *, is_covered: bool
) -> Iterator[Notice]:
    """An attempt failed and nothing has succeeded since; a refund is done, or has failed."""
    if invoice.user_id is None:
        return
    if status is not PaymentStatus.SUCCEEDED and not is_covered:
        known = failed_attempts(before)
        for attempt, failure in failed_attempts(after).items():
            if attempt not in known:
                yield Notice(
                    milestone=f"payment_failed:{after.id}:{attempt}",
                    kind="payment_failed",
                    user_id=invoice.user_id,
                    invoice_id=invoice.id,
                    number=invoice.number,
                    amount_minor=invoice.amount_due_minor,
                    currency=invoice.currency,
                    at_ms=failure.at_ms,
                )
    for refund_id, refund in after.refunds.items():
        word = refund_word(refund)
        if word == SUCCEEDED and not gives_back(refund, after.facts.charges):
            continue
        earlier = before.refunds.get(refund_id)
        if word in _REFUND_NOTICES and (earlier is None or refund_word(earlier) != word):
            kind = _REFUND_NOTICES[word]
            yield Notice(
                milestone=f"{kind}:{refund_id}",
                kind=kind,
                user_id=invoice.user_id,
                invoice_id=invoice.id,
                number=invoice.number,
                amount_minor=max(refund.amounts, default=0),
                currency=payment_currency(after),
                at_ms=refund.statuses[word],
                # A read of today may be the first that shows a refund of last year.
                counts_ms=refund.created_ms,
            )


def fresh(notices: Sequence[Notice], rules: Rules, now_ms: int) -> tuple[Notice, ...]:
    """Drop what is too old to wake anybody: a backfill of last year is silent."""
    oldest_ms = max(rules.since_ms, now_ms - rules.notice_max_age_s * 1000)
    return tuple(
        each
        for each in notices
        if each.at_ms >= oldest_ms and (each.counts_ms is None or each.counts_ms >= rules.since_ms)
    )
