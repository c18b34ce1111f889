"""When does a user hear of something?

A milestone is reached by a recorded change, never by an event, and its key is the same however often it is reached: the
database keeps one notification a (milestone, user). Only what covers an invoice after a person took back what did is a
milestone of its own. Facts that are older than the setting allows wake nobody.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from reconciler.core import since
from reconciler.core.audit import InvoiceChange, PaymentChange
from reconciler.core.facts import PaymentFacts
from reconciler.core.invoice import Invoice, Settlement, Share
from reconciler.core.ledger import Ledger, Rules
from reconciler.core.notice import Notice, Placed, first_heard
from reconciler.core.payment import Book, PaymentStatus, failed_attempts, payment_status
from reconciler.core.returned import OF_DISPUTES, of_disputes, of_refunds


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
    """An attempt failed and nothing has succeeded since; a refund is done, or has failed; a dispute was opened, or is decided.

    `covered` holds of the invoices that are there whether each is covered now.
    """
    payment = after.book
    if payment_status(payment) is not PaymentStatus.SUCCEEDED:
        first = [each.invoice_id for each in after.allocations if each.invoice_id in covered][:1]
        for id_ in first:
            if not covered[id_]:
                yield from _of_attempts(before, payment, invoices[id_])
    yield from of_refunds(before, after, invoices)
    yield from of_disputes(before, after, invoices)


def _of_attempts(before: Placed, payment: Book, invoice: Invoice) -> Iterator[Notice]:
    was_here = any(each.invoice_id == invoice.id for each in before.allocations)
    known = failed_attempts(before.book) if was_here else {}
    is_first_heard = before.book.facts == PaymentFacts()
    created_ms = payment.facts.intent.created_ms
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
                # A read does not tell when an attempt failed: what is first heard of a payment may be as old as it is.
                at_ms=first_heard(failure.at_ms, created_ms if is_first_heard else None),
            )


def fresh(notices: Sequence[Notice], rules: Rules, now_ms: int) -> tuple[Notice, ...]:
    """Drop what is not asked for, and what is too old to wake anybody: a backfill of last year is silent."""
    oldest_ms = max(rules.since_ms, now_ms - rules.notice_max_age_s * 1000)
    unwanted = frozenset() if rules.dispute_notices else OF_DISPUTES
    return tuple(
        each
        for each in notices
        if each.kind not in unwanted
        and each.at_ms >= oldest_ms
        and (each.counts_ms is None or each.counts_ms >= rules.since_ms)
    )
