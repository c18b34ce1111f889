"""What is each invoice's part of a payment, and what is left over?

No cent is lost: what is cut is dealt by the largest remainder.
"""

from collections.abc import Collection, Sequence

from reconciler.core.invoice import Share
from reconciler.core.matching import Allocation
from reconciler.core.money import distribute
from reconciler.core.payment import Summary


def shares(payment: Summary, allocations: Sequence[Allocation]) -> dict[str, Share]:
    """Cut a payment along its allocations: refunds and disputes reduce them in proportion, by the largest remainder.

    What is at no invoice is given back first: whoever refunds what nobody could place takes nothing from an invoice.
    """
    if not allocations:
        return {}
    ordered = sorted(allocations, key=lambda each: each.invoice_id)
    parts = [each.amount_minor for each in ordered]
    rest_minor = max(0, payment.received_minor - sum(parts))
    if len(ordered) == 1 and rest_minor == 0:
        parts = [1]
    gone_minor = min(rest_minor, payment.refunded_minor)
    still_pending = max(0, gone_minor - payment.refunded_minor + payment.refund_pending_minor)
    refunded = _cut(payment.refunded_minor - gone_minor, parts)
    pending = _cut(payment.refund_pending_minor - still_pending, parts)
    disputed = _cut(payment.disputed_minor, [*parts, rest_minor - gone_minor])
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


def left_over(
    payment: Summary, allocations: Sequence[Allocation], gone: Collection[str] = ()
) -> int:
    """What is still held of a payment and is at no invoice, or at one of those that are gone."""
    placed_minor = sum(each.amount_minor for each in allocations)
    if not gone and placed_minor == payment.received_minor > 0:
        return 0
    placed = shares(payment, allocations)
    return payment.net_minor - sum(
        each.net_minor for id_, each in placed.items() if id_ not in gone
    )


def _cut(total_minor: int, weights: Sequence[int]) -> Sequence[int]:
    if not any(weights):
        return [0] * len(weights)
    return distribute(total_minor, weights)
