"""When does a user hear of something?

A milestone is reached by a recorded change, never by an event, and its key is the same however often it is reached: the
database keeps one notification a (milestone, user). Only what covers an invoice after a person took back what did is a
milestone of its own. Facts that are older than the setting allows wake nobody.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from reconciler.core import since
from reconciler.core.audit import InvoiceChange, PaymentChange
from reconciler.core.facts import SUCCEEDED, RefundFacts
from reconciler.core.invoice import Invoice, Settlement, Share
from reconciler.core.ledger import Ledger, Rules
from reconciler.core.matching import Allocation
from reconciler.core.payment import (
    Book,
    PaymentStatus,
    failed_attempts,
    payment_currency,
    payment_status,
    summarise,
)
from reconciler.core.sharing import shares
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


def reached(
    before: Mapping[str, Book],
    payments: Iterable[PaymentChange],
    invoices: Iterable[InvoiceChange],
    ledger: Ledger,
) -> Iterator[Notice]:
    """Everything that there is to tell after the evidence, of what was not told by what was stored before."""
    covered: dict[str, bool] = {}
    for each in invoices:
        settlement = each.standing.settlement
        id_ = settlement.invoice_id
        if id_ not in ledger.invoices:
            continue
        stored = ledger.standings.get(id_)
        covered[id_] = settlement.is_covered
        yield from of_invoice(
            ledger.invoices[id_],
            settlement,
            each.shares,
            was_covered=stored is not None and stored.settlement.is_covered,
            taken_back=ledger.taken_back.get(id_, 0),
        )
    for change in payments:
        id_ = change.book.id
        was = Placed(
            book=before.get(id_, Book(id=id_)), allocations=ledger.allocations.get(id_, ())
        )
        now = Placed(book=change.book, allocations=change.match.allocations)
        yield from of_payment(was, now, ledger.invoices, covered)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Everything known around one payment, and where its money is."""

    book: Book
    allocations: Sequence[Allocation] = ()


def of_invoice(
    invoice: Invoice,
    settlement: Settlement,
    own: Sequence[Share],
    *,
    was_covered: bool,
    taken_back: int = 0,
) -> Iterator[Notice]:
    """The invoice is paid, for the first time, or since a person last took back what covered it (so many times)."""
    newly = settlement.is_covered and not was_covered
    if newly and invoice.user_id is not None and settlement.paid is not None:
        # The count comes before the id, which may be any text: no two milestones have the same key.
        again = f"invoice_paid_again:{taken_back}:{invoice.id}"
        yield Notice(
            milestone=again if taken_back else f"invoice_paid:{invoice.id}",
            kind="invoice_paid",
            user_id=invoice.user_id,
            invoice_id=invoice.id,
            number=invoice.number,
            amount_minor=settlement.amount_due_minor,
            currency=settlement.currency,
            at_ms=settlement.paid.at_ms,
            counts_ms=since.of_shares(own),
        )


def of_payment(
    before: Placed, after: Placed, invoices: Mapping[str, Invoice], covered: Mapping[str, bool]
) -> Iterator[Notice]:
    """An attempt failed and nothing has succeeded since; a refund is done, or has failed.

    `covered` holds of the invoices that are there whether each is covered now.
    """
    payment = after.book
    if payment_status(payment) is not PaymentStatus.SUCCEEDED:
        first = [each.invoice_id for each in after.allocations if each.invoice_id in covered][:1]
        for id_ in first:
            if not covered[id_]:
                yield from _of_attempts(before, payment, invoices[id_])
    for refund_id, refund in payment.refunds.items():
        kind = _kind(refund_id, payment)
        if kind is None:
            continue
        is_known = _kind(refund_id, before.book) == kind
        told = _by_user(before, refund_id, invoices) if is_known else {}
        for user_id, parts in _by_user(after, refund_id, invoices).items():
            if user_id not in told:
                yield Notice(
                    milestone=f"{kind}:{refund_id}",
                    kind=kind,
                    user_id=user_id,
                    invoice_id=parts[0][0].id,
                    number=", ".join(invoice.number for invoice, _ in parts if invoice.number),
                    amount_minor=sum(part_minor for _, part_minor in parts),
                    currency=payment_currency(payment),
                    at_ms=refund.statuses[refund_word(refund)],
                    # A read of today may be the first that shows a refund of last year.
                    counts_ms=refund.created_ms,
                )


def _of_attempts(before: Placed, payment: Book, invoice: Invoice) -> Iterator[Notice]:
    was_here = any(each.invoice_id == invoice.id for each in before.allocations)
    known = failed_attempts(before.book) if was_here else {}
    for attempt, failure in failed_attempts(payment).items():
        if attempt not in known and invoice.user_id is not None:
            yield Notice(
                milestone=f"payment_failed:{payment.id}:{attempt}",
                kind="payment_failed",
                user_id=invoice.user_id,
                invoice_id=invoice.id,
                number=invoice.number,
                amount_minor=invoice.amount_due_minor,
                currency=invoice.currency,
                at_ms=failure.at_ms,
            )


def _kind(refund_id: str, payment: Book) -> str | None:
    """What there is to tell of a refund; None while there is nothing."""
    refund = payment.refunds.get(refund_id)
    if refund is None:
        return None
    word = refund_word(refund)
    if word == SUCCEEDED and not gives_back(refund, payment.facts.charges):
        return None
    return _REFUND_NOTICES.get(word)


def _by_user(
    placed: Placed, refund_id: str, invoices: Mapping[str, Invoice]
) -> dict[str, list[tuple[Invoice, int]]]:
    """Whose invoices a refund concerns, each with the part that is cut from it; together never more than the refund.

    What is at no invoice is given back first; the refunds before this one may have done so already.
    """
    payment, whole = placed.book, summarise(placed.book)
    order = sorted(payment.refunds, key=lambda id_: (payment.refunds[id_].created_ms or 0, id_))
    before = [payment.refunds[id_] for id_ in order[: order.index(refund_id)]]
    standing = [each for each in before if gives_back(each, payment.facts.charges)]
    alone = replace(
        whole,
        received_minor=whole.received_minor - sum(map(_amount_minor, standing)),
        refunded_minor=_amount_minor(payment.refunds[refund_id]),
        refund_pending_minor=0,
        disputed_minor=0,
    )
    found: dict[str, list[tuple[Invoice, int]]] = {}
    for id_, share in shares(alone, placed.allocations).items():
        invoice = invoices.get(id_)
        if invoice is not None and invoice.user_id is not None and share.refunded_minor > 0:
            found.setdefault(invoice.user_id, []).append((invoice, share.refunded_minor))
    return found


def _amount_minor(refund: RefundFacts) -> int:
    return max(refund.amounts, default=0)


def fresh(notices: Sequence[Notice], rules: Rules, now_ms: int) -> tuple[Notice, ...]:
    """Drop what is too old to wake anybody: a backfill of last year is silent."""
    oldest_ms = max(rules.since_ms, now_ms - rules.notice_max_age_s * 1000)
    return tuple(
        each
        for each in notices
        if each.at_ms >= oldest_ms and (each.counts_ms is None or each.counts_ms >= rules.since_ms)
    )
