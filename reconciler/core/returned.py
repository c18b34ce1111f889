"""Who hears of a refund or of a dispute, and of how much?

Each user hears once of what is cut from their invoices, and again only where that is news to them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from reconciler.core import since
from reconciler.core.facts import SUCCEEDED, RefundFacts
from reconciler.core.invoice import Invoice
from reconciler.core.notice import Notice, Placed, first_heard
from reconciler.core.payment import Book, Summary, payment_currency, summarise
from reconciler.core.sharing import shares
from reconciler.core.words import (
    DisputeClass,
    dispute_class,
    dispute_word,
    gives_back,
    refund_word,
)

_REFUND_NOTICES = {"succeeded": "refund_done", "failed": "refund_failed"}
_DISPUTE_NOTICES = {"lost": "dispute_lost", "won": "dispute_won"}
_DISPUTE_OPENED = "dispute_opened"
OF_DISPUTES = frozenset({_DISPUTE_OPENED, *_DISPUTE_NOTICES.values()})


def of_refunds(before: Placed, after: Placed, invoices: Mapping[str, Invoice]) -> Iterator[Notice]:
    """A refund is done, or has failed; `invoices` are those that are there."""
    for refund_id, refund in after.book.refunds.items():
        kind = _kind(refund_id, after.book)
        if kind is None:
            continue
        is_known = _kind(refund_id, before.book) == kind
        told = _refunded_by_user(before, refund_id, invoices) if is_known else {}
        for user_id, parts in _refunded_by_user(after, refund_id, invoices).items():
            if user_id not in told:
                yield _of_parts(
                    kind,
                    refund_id,
                    parts,
                    currency=payment_currency(after.book),
                    # A read of today may be the first that shows a refund of last year.
                    at_ms=first_heard(
                        refund.statuses[refund_word(refund)],
                        None if refund_id in before.book.refunds else refund.created_ms,
                    ),
                    counts_ms=refund.created_ms,
                )


def of_disputes(before: Placed, after: Placed, invoices: Mapping[str, Invoice]) -> Iterator[Notice]:
    """A dispute was opened, was won or was lost; an inquiry is none."""
    for dispute_id, dispute in after.book.disputes.items():
        kind = _dispute_kind(dispute_id, after.book)
        if kind is None:
            continue
        is_known = _dispute_kind(dispute_id, before.book) == kind
        told = _disputed_by_user(before, dispute_id, invoices) if is_known else {}
        word = dispute_word(dispute)
        ended_ms = dispute.told.get(word) if kind != _DISPUTE_OPENED else None
        at_ms = since.latest(since.of_dispute(after.book, dispute_id), ended_ms)
        for user_id, parts in _disputed_by_user(after, dispute_id, invoices).items():
            if user_id not in told:
                yield _of_parts(
                    kind,
                    dispute_id,
                    parts,
                    currency=min(dispute.currencies, default=payment_currency(after.book)),
                    at_ms=dispute.words[word].lo_ms if at_ms is None else at_ms,
                    counts_ms=at_ms,
                )


def _of_parts(  # noqa: PLR0913 - what is told, of which object, and when that was
    kind: str,
    object_id: str,
    parts: Sequence[tuple[Invoice, int]],
    *,
    currency: str,
    at_ms: int,
    counts_ms: int | None,
) -> Notice:
    """One notice about an object that concerns several invoices of one user, each with its part."""
    first = parts[0][0]
    return Notice(
        milestone=f"{kind}:{object_id}",
        kind=kind,
        user_id=first.user_id or "",
        invoice_id=first.id,
        number=", ".join(invoice.number for invoice, _ in parts if invoice.number),
        amount_minor=sum(part_minor for _, part_minor in parts),
        currency=currency,
        at_ms=at_ms,
        counts_ms=counts_ms,
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


def _dispute_kind(dispute_id: str, payment: Book) -> str | None:
    """What there is to tell of a dispute; None while it is an inquiry, or over without a decision."""
    dispute = payment.disputes.get(dispute_id)
    if dispute is None:
        return None
    if dispute_class(dispute) is DisputeClass.OPEN:
        return _DISPUTE_OPENED
    return _DISPUTE_NOTICES.get(dispute_word(dispute))


def _refunded_by_user(
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
    return _by_user(alone, placed, invoices)


def _disputed_by_user(
    placed: Placed, dispute_id: str, invoices: Mapping[str, Invoice]
) -> dict[str, list[tuple[Invoice, int]]]:
    """Whose invoices a dispute concerns, each with its part of what is disputed."""
    at_stake_minor = max(placed.book.disputes[dispute_id].amounts, default=0)
    alone = replace(
        summarise(placed.book),
        refunded_minor=0,
        refund_pending_minor=0,
        disputed_minor=at_stake_minor,
    )
    return _by_user(alone, placed, invoices)


def _by_user(
    alone: Summary, placed: Placed, invoices: Mapping[str, Invoice]
) -> dict[str, list[tuple[Invoice, int]]]:
    """What is cut from the invoices of each user by the one refund or dispute that a payment is thought to have."""
    found: dict[str, list[tuple[Invoice, int]]] = {}
    for id_, share in shares(alone, placed.allocations).items():
        invoice = invoices.get(id_)
        part_minor = share.refunded_minor + share.disputed_minor
        if invoice is not None and invoice.user_id is not None and part_minor > 0:
            found.setdefault(invoice.user_id, []).append((invoice, part_minor))
    return found


def _amount_minor(refund: RefundFacts) -> int:
    return max(refund.amounts, default=0)
